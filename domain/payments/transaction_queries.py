"""Transactions (payments without an order) as they are read: one, several at once, a page, all; reading only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.purposes import TRANSACTION_TYPE, Purpose
from core.states import Payment as Status
from core.states import PaymentSub
from core.transaction_words import SPELLED, TransactionWord, word_of
from domain.actors import Actor
from domain.database import reading
from domain.effects.kinds import DEFERRED, EffectKind
from domain.orders.orders import visible
from domain.payments.payments import LONGEST_PAGE
from models.effects import CouponUse, Effect
from models.payments import Payment

TYPES = tuple(sorted(set(TRANSACTION_TYPE.values())))
# What will follow from a transaction whose effect is not written down yet.
EXPECTED = {
    Purpose.TOP_UP: EffectKind.WALLET_CREDIT.value,
    Purpose.COUPON: EffectKind.WALLET_CREDIT.value,
    Purpose.CARD_VALIDATION: EffectKind.METHOD_VALIDATED.value,
    Purpose.CARD_SETUP: EffectKind.METHOD_VALIDATED.value,
}
_NEWEST = (Payment.created_at.desc(), Payment.id.desc())
_APPLIED, _PENDING, _FAILED = "applied", "pending", "failed"
_BEHIND = {_APPLIED: 0, _PENDING: 1, _FAILED: 2}


@dataclass(frozen=True)
class EffectSeen:
    """What follows from a transaction's money, and whether it was carried out."""

    kind: str
    status: str


@dataclass(frozen=True)
class TransactionSeen:
    """One transaction with what is shown beside it, all read at the same time."""

    payment: Payment
    effect: EffectSeen
    coupon: CouponUse | None

    @property
    def word(self) -> TransactionWord:
        """Where it stands, in source 002's words."""
        payment = self.payment
        is_at_provider = payment.provider_reference is not None
        return word_of(payment.status, payment.sub_state, is_at_provider=is_at_provider)

    @property
    def kind(self) -> str:
        """Source 002's word for its type."""
        return TRANSACTION_TYPE[Purpose(self.payment.purpose)]


@dataclass(frozen=True)
class TransactionFilter:
    """Which transactions. Empty means all."""

    user_id: str | None = None
    types: Sequence[str] = ()
    words: Sequence[TransactionWord] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None


def get_transaction(session: Session, transaction_id: str, *, actor: Actor) -> TransactionSeen:
    """Fetch a transaction that the actor may see.

    Raises: NotFound, the same for a foreign id and for a payment of an order. Transaction: caller's.
    """
    found = _read(session, Payment.id == transaction_id, *visible(actor, Payment))
    if not found:
        raise NotFound
    return found[0]


def see(session: Session, transaction_ids: Collection[str]) -> Mapping[str, TransactionSeen]:
    """Read several transactions by one query, whoever may see them. Transaction: caller's."""
    found = _read(session, Payment.id.in_(transaction_ids))
    return {seen.payment.id: seen for seen in found}


def list_transactions(
    session: Session, wanted: TransactionFilter, *, actor: Actor, limit: int, offset: int
) -> tuple[list[TransactionSeen], int]:
    """List a page of transactions, newest first, with how many there are in all.

    Transaction: caller's, reads only.
    """
    conditions = _conditions(wanted, actor)
    total = session.scalar(select(func.count()).select_from(Payment).where(*conditions)) or 0
    page = select(Payment.id).where(*conditions).order_by(*_NEWEST).limit(min(limit, LONGEST_PAGE))
    return _in_order(session, session.scalars(page.offset(offset)).all()), total


def walk(wanted: TransactionFilter, *, actor: Actor) -> Iterator[TransactionSeen]:
    """Give every transaction of a filter, newest first, page by page.

    Each page is read by itself, so that a slow reader holds nothing open.
    Transaction: opens its own, read only.
    """
    conditions = _conditions(wanted, actor)
    before: tuple[datetime, str] | None = None
    while True:
        place = [tuple_(Payment.created_at, Payment.id) < before] if before else []
        page = select(Payment.id).where(*conditions, *place).order_by(*_NEWEST).limit(LONGEST_PAGE)
        with reading() as session:
            found = _in_order(session, session.scalars(page).all())
        yield from found
        if len(found) < LONGEST_PAGE:
            return
        before = (found[-1].payment.created_at, found[-1].payment.id)


def _conditions(wanted: TransactionFilter, actor: Actor) -> list[ColumnElement[bool]]:
    found = [Payment.order_id.is_(None), *visible(actor, Payment)]
    if wanted.user_id is not None:
        found.append(Payment.buyer_id == wanted.user_id)
    if wanted.types:
        purposes = [each for each, kind in TRANSACTION_TYPE.items() if kind in wanted.types]
        found.append(Payment.purpose.in_([each.value for each in purposes]))
    if wanted.words:
        found.append(or_(*[_is_at(word) for word in wanted.words]))
    if wanted.created_from:
        found.append(Payment.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(Payment.created_at < wanted.created_to)
    return found


def _is_at(word: TransactionWord) -> ColumnElement[bool]:
    """Say in SQL what `word_of` says of a payment."""
    statuses = [status.value for status, spelled in SPELLED.items() if spelled == word]
    is_pending = Payment.status == Status.PENDING.value
    needs_action = Payment.sub_state == PaymentSub.REQUIRES_ACTION.value
    is_new = and_(Payment.provider_reference.is_(None), Payment.sub_state == PaymentSub.NONE.value)
    match word:
        case TransactionWord.CREATED:
            return and_(is_pending, is_new)
        case TransactionWord.REQUIRES_ACTION:
            return and_(is_pending, needs_action)
        case TransactionWord.PENDING:
            return or_(Payment.status.in_(statuses), and_(is_pending, ~needs_action, ~is_new))
    return Payment.status.in_(statuses)


def _in_order(session: Session, transaction_ids: Sequence[str]) -> list[TransactionSeen]:
    found = see(session, transaction_ids) if transaction_ids else {}
    return [found[transaction_id] for transaction_id in transaction_ids]


def _read(session: Session, *conditions: ColumnElement[bool]) -> list[TransactionSeen]:
    """Read transactions with their coupon and effects by one query: a row for each effect."""
    is_shown = Effect.kind.not_in(sorted(kind.value for kind in DEFERRED))
    statement = (
        select(Payment, CouponUse, Effect.kind, Effect.state)
        .outerjoin(CouponUse, CouponUse.payment_id == Payment.id)
        .outerjoin(Effect, and_(Effect.payment_id == Payment.id, is_shown))
        .where(Payment.order_id.is_(None), *conditions)
        .order_by(Effect.created_at)
    )
    found: dict[str, TransactionSeen] = {}
    for payment, coupon, kind, state in session.execute(statement):
        effect = EffectSeen(EXPECTED[Purpose(payment.purpose)], _PENDING)
        if kind is not None:
            effect = EffectSeen(kind, state)
        seen, known = TransactionSeen(payment, effect, coupon), found.get(payment.id)
        if known is None or _prominence(seen) > _prominence(known):
            found[payment.id] = seen
    return list(found.values())


def _prominence(seen: TransactionSeen) -> tuple[int, bool]:
    """Of several effects show the one that is furthest behind; of equal ones what it is all about."""
    is_expected = seen.effect.kind == EXPECTED[Purpose(seen.payment.purpose)]
    return _BEHIND[seen.effect.status], is_expected

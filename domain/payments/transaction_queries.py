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
_APPLIED, _PENDING, _FAILED = "applied", "pending", "failed"
# Of several effects the transaction shows the one that is furthest behind.
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
    own = (Payment.id == transaction_id, Payment.order_id.is_(None), *visible(actor, Payment))
    payment = session.scalars(select(Payment).where(*own)).first()
    if payment is None:
        raise NotFound
    return _with_more(session, [payment])[0]


def see(session: Session, transaction_ids: Collection[str]) -> Mapping[str, TransactionSeen]:
    """Read several transactions at once, whoever may see them. Transaction: caller's."""
    them = (Payment.id.in_(transaction_ids), Payment.order_id.is_(None))
    found = _with_more(session, session.scalars(select(Payment).where(*them)).all())
    return {seen.payment.id: seen for seen in found}


def list_transactions(
    session: Session, wanted: TransactionFilter, *, actor: Actor, limit: int, offset: int
) -> tuple[list[TransactionSeen], int]:
    """List a page of transactions, newest first, with how many there are in all.

    Transaction: caller's, reads only.
    """
    conditions = _conditions(wanted, actor)
    total = session.scalar(select(func.count()).select_from(Payment).where(*conditions)) or 0
    newest = (Payment.created_at.desc(), Payment.id.desc())
    statement = select(Payment).where(*conditions).order_by(*newest)
    rows = session.scalars(statement.limit(min(limit, LONGEST_PAGE)).offset(offset)).all()
    return _with_more(session, rows), total


def walk(wanted: TransactionFilter, *, actor: Actor) -> Iterator[TransactionSeen]:
    """Give every transaction of a filter, newest first, page by page.

    Each page is read by itself, so that a slow reader holds nothing open.
    Transaction: opens its own, read only.
    """
    conditions, newest = _conditions(wanted, actor), (Payment.created_at.desc(), Payment.id.desc())
    before: tuple[datetime, str] | None = None
    while True:
        place = [tuple_(Payment.created_at, Payment.id) < before] if before else []
        statement = select(Payment).where(*conditions, *place).order_by(*newest)
        with reading() as session:
            rows = session.scalars(statement.limit(LONGEST_PAGE)).all()
            found = _with_more(session, rows)
        yield from found
        if len(rows) < LONGEST_PAGE:
            return
        before = (rows[-1].created_at, rows[-1].id)


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


def _with_more(session: Session, payments: Sequence[Payment]) -> list[TransactionSeen]:
    ids = [payment.id for payment in payments]
    if not ids:
        return []
    effects = _effects_of(session, ids)
    coupons = session.scalars(select(CouponUse).where(CouponUse.payment_id.in_(ids)))
    used = {coupon.payment_id: coupon for coupon in coupons}
    return [
        TransactionSeen(
            payment,
            effects.get(payment.id) or EffectSeen(EXPECTED[Purpose(payment.purpose)], _PENDING),
            used.get(payment.id),
        )
        for payment in payments
    ]


def _effects_of(session: Session, payment_ids: Sequence[str]) -> dict[str, EffectSeen]:
    """Give the effect of each that is furthest behind; what nobody waits for is left out."""
    statement = select(Effect.payment_id, Effect.kind, Effect.state).where(
        Effect.payment_id.in_(payment_ids), Effect.kind.not_in([kind.value for kind in DEFERRED])
    )
    found: dict[str, EffectSeen] = {}
    for payment_id, kind, state in session.execute(statement.order_by(Effect.created_at)):
        shown = found.get(payment_id)
        if shown is None or _BEHIND[state] > _BEHIND[shown.status]:
            found[payment_id] = EffectSeen(kind, state)
    return found

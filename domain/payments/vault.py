"""Mirroring what a provider keeps: a card that appears, changes, is proved, becomes the default, goes.

The person's row is locked first, so that what becomes of one's cards happens one after the other. That a
card was removed is final here as it is at the provider, so the order of what is heard does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound
from core.states import OPEN_PAYMENT, Card
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import Actor
from domain.payments import kept_cards
from domain.transitions import Why, move_together
from models.cards import PaymentMethod, ProviderCustomer
from models.payments import Payment
from models.people import User
from providers.card_seam import SaidCard

# A name that is longer cannot be one of Stripe's; its own are about thirty characters.
LONGEST_NAME = 40
_DETAILS = ("brand", "last4", "exp_month", "exp_year")


def lock_person(session: Session, user_id: str) -> None:
    """Let nobody else change what a person keeps until the transaction ends. Raises: NotFound."""
    statement = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    if session.scalar(statement) is None:
        raise NotFound


def owner_of(session: Session, provider: str, said: SaidCard) -> tuple[str, bool] | None:
    """Say whose card it is and in which mode: by our row, or by the customer it is kept for; None: not ours."""
    row = session.get(PaymentMethod, said.reference)
    if row is not None:
        return row.user_id, row.livemode
    if said.customer is None:
        return None
    known = session.scalars(
        select(ProviderCustomer).where(
            ProviderCustomer.provider == provider, ProviderCustomer.reference == said.customer
        )
    ).first()
    return (known.user_id, known.livemode) if known is not None else None


def hear(session: Session, provider: str, said: SaidCard, *, why: Why) -> str | None:
    """Take over what a provider says of a kept card now. Gives what it changed, None when it is not ours.

    Writes: payment_methods, event_log, audit_log. Emits: payment_method.removed. Transaction: caller's.
    """
    owner = owner_of(session, provider, said)
    if owner is None or not said.is_card:
        return None
    user_id, livemode = owner
    if said.customer is None:
        lock_person(session, user_id)
        row = _current(session, said.reference)
        return "the card is kept no longer" if row and gone(session, row, why=why) else ""
    before = _noted(session.get(PaymentMethod, said.reference))
    row = keep(session, user_id, provider, said, livemode=livemode)
    return "" if row is None or _noted(row) == before else "what is known of the card has changed"


def _noted(row: PaymentMethod | None) -> tuple[object, ...] | None:
    return tuple(getattr(row, name) for name in _DETAILS) if row is not None else None


def _current(session: Session, card_id: str) -> PaymentMethod | None:
    return session.get(PaymentMethod, card_id, populate_existing=True)


def keep(
    session: Session, user_id: str, provider: str, said: SaidCard, *, livemode: bool
) -> PaymentMethod | None:
    """Note a card that a provider keeps for a person, or what is newly known of it.

    The first card is the default one. Gives None for a card that is another person's or on its way out.
    Writes: payment_methods. Transaction: caller's.
    """
    lock_person(session, user_id)
    row = _current(session, said.reference)
    if row is None:
        return _new(session, user_id, provider, said, livemode=livemode)
    if row.user_id != user_id or row.state != Card.ACTIVE:
        return None
    for name in _DETAILS:
        if (value := getattr(said, name)) is not None:
            setattr(row, name, value)
    row.updated_at = clock.now()
    session.flush()
    return row


def _new(
    session: Session, user_id: str, provider: str, said: SaidCard, *, livemode: bool
) -> PaymentMethod:
    if len(said.reference) > LONGEST_NAME:
        raise Conflict("The provider's name of the card is too long to be kept.")
    now = clock.now()
    has_default = kept_cards.default_card(session, user_id, livemode=livemode) is not None
    row = PaymentMethod(
        id=said.reference,
        user_id=user_id,
        provider=provider,
        reference=said.reference,
        livemode=livemode,
        brand=said.brand,
        last4=said.last4,
        exp_month=said.exp_month,
        exp_year=said.exp_year,
        is_default=not has_default,
        state=Card.ACTIVE.value,
        validated_at=None,
        removed_at=None,
        # What is not said of it yet is asked for; a default is one at the provider, too.
        due_at=now if said.brand is None or not has_default else None,
        attempts=0,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    database.mark(session, "work")
    return row


def prefer(session: Session, card: PaymentMethod, *, actor: Actor, source: str) -> bool:
    """Make a card its person's default. Gives False when it is already; the worker tells the provider.

    Writes: payment_methods, event_log, audit_log. Emits: payment_method.changed. Raises: NotFound when it
    was removed meanwhile. Transaction: caller's.
    """
    lock_person(session, card.user_id)
    row = _current(session, card.id)
    if row is None or row.state != Card.ACTIVE:
        raise NotFound
    if row.is_default:
        return False
    others = (
        PaymentMethod.user_id == row.user_id,
        PaymentMethod.livemode == row.livemode,
        PaymentMethod.is_default,
    )
    session.execute(
        update(PaymentMethod)
        .where(*others)
        .values(is_default=False)
        .execution_options(synchronize_session="fetch")
    )
    now = clock.now()
    row.is_default, row.due_at, row.attempts, row.updated_at = True, now, 0, now
    session.flush()
    why = Why(actor, source)
    events.append(session, [_event("payment_method.changed", row, why)])
    _audit(session, "payment_method.default", row, why, {"isDefault": True})
    return True


def is_in_use(session: Session, card: PaymentMethod) -> bool:
    """Tell whether a transaction with this card has not ended yet."""
    is_open = Payment.status.in_([status.value for status in OPEN_PAYMENT])
    open_one = exists().where(Payment.method_id == card.id, is_open)
    return bool(session.scalar(select(open_one)))


def remove(session: Session, card: PaymentMethod, *, why: Why) -> bool:
    """Use a card no more from this commit on. Gives False when it is on its way out already.

    The provider is told after the commit, by the caller or by the worker, until it has let go.
    Writes: payment_methods, audit_log. Raises: Conflict METHOD_IN_USE. Transaction: caller's.
    """
    lock_person(session, card.user_id)
    row = _current(session, card.id)
    if row is None or row.state != Card.ACTIVE:
        return False
    if is_in_use(session, row):
        raise Conflict(
            "A transaction with this card has not ended yet. Wait for it, or cancel it.",
            code="METHOD_IN_USE",
        )
    values: dict[str, object] = {
        "is_default": False,
        "due_at": clock.now(),
        "attempts": 0,
        "updated_at": clock.now(),
    }
    move_together(session, row, moves={"card": Card.REMOVING.value}, values=values, why=why)
    _audit(session, "payment_method.remove", row, why, {"state": Card.REMOVING.value})
    return True


def gone(session: Session, card: PaymentMethod, *, why: Why) -> bool:
    """Note that the provider keeps a card no more, asked by us or not. Gives False when that was known.

    Writes: payment_methods, event_log, audit_log. Emits: payment_method.removed.
    Transaction: caller's, with the person locked.
    """
    if card.state == Card.REMOVED:
        return False
    now = clock.now()
    values: dict[str, object] = {
        "is_default": False,
        "removed_at": now,
        "due_at": None,
        "updated_at": now,
    }
    move_together(session, card, moves={"card": Card.REMOVED.value}, values=values, why=why)
    events.append(session, [_event("payment_method.removed", card, why)])
    _audit(session, "payment_method.removed", card, why, {"state": Card.REMOVED.value})
    return True


def _event(kind: str, card: PaymentMethod, why: Why) -> dict[str, object]:
    about = events.About(object_id=card.id, buyer_id=card.user_id, livemode=card.livemode)
    body: dict[str, Json] = {
        "userId": card.user_id,
        "paymentMethodId": card.id,
        "transactionId": None,
    }
    return events.row(
        kind, about, source=why.source, status=card.state, body=body, is_replay=why.is_replay
    )


def _audit(
    session: Session, act: str, card: PaymentMethod, why: Why, after: dict[str, Json]
) -> None:
    audit.write(
        session,
        act,
        actor=why.actor,
        object_kind="payment_method",
        object_id=card.id,
        source=why.source,
        reason=why.reason,
        after={"userId": card.user_id} | after,
    )


def cards_of(session: Session, user_id: str) -> Sequence[PaymentMethod]:
    """List a person's cards for the desk, those that are on their way out too."""
    statement = select(PaymentMethod).where(
        PaymentMethod.user_id == user_id, PaymentMethod.state != Card.REMOVED.value
    )
    order = (PaymentMethod.is_default.desc(), PaymentMethod.created_at.desc(), PaymentMethod.id)
    return session.scalars(statement.order_by(*order)).all()

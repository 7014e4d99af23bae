"""What the desk shows beside a row: its order and people by name, references, notes, traces; and the theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session as Session  # noqa: PLC0414  # the desk names it in its signatures

from core.errors import NotFound
from core.purposes import Purpose
from domain.actors import Actor
from domain.orders.orders import visible
from domain.payments import coupon_uses
from domain.payments.payments import open_cases_of
from domain.people import people
from models.effects import CouponUse
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry
from models.operations import Operation
from models.orders import Order
from models.payments import Payment, PaymentNote, ProviderReference, StateChange
from models.people import Merchant, User

THEMES = ("auto", "light", "dark")
# Beyond this a count says "more", so that no page counts a whole table.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Around:
    """What belongs to a page of rows, fetched in one query each."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    merchants: Mapping[str, str] = field(default_factory=dict)
    cases: Mapping[str, list[str]] = field(default_factory=dict)
    coupons: Mapping[str, CouponUse] = field(default_factory=dict)


def capped(number: int) -> str:
    """Write a count that may have been cut off."""
    return f"{MOST_COUNTED - 1}+" if number >= MOST_COUNTED else str(number)


def _of(ids: Iterable[str | None]) -> list[str]:
    return sorted({each for each in ids if each})


def orders_by_id(session: Session, ids: Iterable[str | None]) -> dict[str, Order]:
    """Fetch several orders."""
    wanted = _of(ids)
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(Order).where(Order.id.in_(wanted)))}


def payments_by_id(session: Session, ids: Iterable[str | None]) -> dict[str, Payment]:
    """Fetch several payments, for staff only: no tenancy is asked here."""
    wanted = _of(ids)
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(Payment).where(Payment.id.in_(wanted)))}


def names_of(session: Session, ids: Iterable[str | None], *, actor: Actor) -> dict[str, str]:
    """Name several people: staff read addresses, oneself reads "You", others read names."""
    wanted = _of(ids)
    if not wanted:
        return {}
    return {
        user.id: _name(user, actor)
        for user in session.scalars(select(User).where(User.id.in_(wanted)))
    }


def _name(user: User, actor: Actor) -> str:
    if user.id == actor.id:
        return "You"
    if actor.is_staff:
        return people.email_of(user) or people.ERASED
    return user.name or user.role.capitalize()


def merchants_of(session: Session, ids: Iterable[str | None]) -> dict[str, str]:
    """Name several merchants."""
    wanted = _of(ids)
    if not wanted:
        return {}
    rows = session.execute(select(Merchant.id, Merchant.name).where(Merchant.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def around_payments(session: Session, payments: Sequence[Payment], *, actor: Actor) -> Around:
    """Fetch what a list of payments is shown with."""
    ids = [payment.id for payment in payments]
    return Around(
        orders=orders_by_id(session, (payment.order_id for payment in payments)),
        people=names_of(session, (payment.buyer_id for payment in payments), actor=actor),
        cases=open_cases_of(session, ids) if ids else {},
        coupons=coupons_of(session, payments),
    )


def coupons_of(session: Session, payments: Sequence[Payment]) -> Mapping[str, CouponUse]:
    """Fetch the coupons behind those payments that a coupon pays."""
    wanted = [payment.id for payment in payments if payment.purpose == Purpose.COUPON]
    return coupon_uses.of_payments(session, wanted)


def around_orders(session: Session, orders: Sequence[Order], *, actor: Actor) -> Around:
    """Fetch what a list of orders is shown with."""
    ids = [each for order in orders for each in (order.buyer_id, order.seller_id)]
    return Around(people=names_of(session, ids, actor=actor))


def email_of(session: Session, user_id: str) -> str:
    """Give the address of the person who reads the page, for themself."""
    return people.email_of(people.get_user(session, user_id))


def references_of(session: Session, payment_id: str) -> list[ProviderReference]:
    """List what providers call a payment, oldest first."""
    statement = select(ProviderReference).where(ProviderReference.payment_id == payment_id)
    oldest = (ProviderReference.created_at, ProviderReference.reference)
    return list(session.scalars(statement.order_by(*oldest)))


def notes_of(session: Session, payment_id: str) -> list[PaymentNote]:
    """List the notes on a payment, oldest first."""
    statement = select(PaymentNote).where(PaymentNote.payment_id == payment_id)
    return list(session.scalars(statement.order_by(PaymentNote.at, PaymentNote.id)))


def payments_of_order(session: Session, order_id: str, *, actor: Actor) -> list[Payment]:
    """List an order's payments that the actor may see, oldest first."""
    statement = select(Payment).where(Payment.order_id == order_id, *visible(actor, Payment))
    return list(session.scalars(statement.order_by(Payment.created_at, Payment.id)))


def last_event_of(session: Session, payment_id: str) -> InboundEvent | None:
    """Find the newest inbound event of a payment whose body is still kept."""
    statement = select(InboundEvent).where(
        InboundEvent.payment_id == payment_id, InboundEvent.body_sealed.is_not(None)
    )
    newest = (InboundEvent.received_at.desc(), InboundEvent.id.desc())
    return session.scalars(statement.order_by(*newest).limit(1)).first()


def creation_of(session: Session, payment_id: str) -> Operation | None:
    """Find the operation that made a payment at its provider."""
    key = f"create:{payment_id}"
    return session.scalars(select(Operation).where(Operation.business_key == key)).first()


@dataclass(frozen=True)
class Trace:
    """One attempt on an inbound event with exactly what it changed and posted."""

    attempt: InboundAttempt
    changes: list[StateChange]
    entries: list[JournalEntry]


def trace_of(session: Session, inbound_id: str, no: int) -> Trace:
    """Give what one attempt did: what carries the event's name and lies between two attempts.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    rows = select(InboundAttempt).where(InboundAttempt.inbound_id == inbound_id)
    attempts = {row.no: row for row in session.scalars(rows)}
    if no not in attempts:
        raise NotFound
    since = attempts[no - 1].at if no - 1 in attempts else None
    attempt, source = attempts[no], f"inbound:{inbound_id}"
    changes = session.scalars(select(StateChange).where(StateChange.source == source))
    entries = session.scalars(select(JournalEntry).where(JournalEntry.source == source))
    return Trace(
        attempt,
        [row for row in changes if _within(row.at, since, attempt.at)],
        [row for row in entries if _within(row.posted_at, since, attempt.at)],
    )


def _within(at: datetime, since: datetime | None, until: datetime) -> bool:
    return (since is None or at > since) and at <= until


def choose_theme(session: Session, user_id: str, theme: str) -> None:
    """Remember which theme a person chose; a word that is no theme changes nothing.

    Writes: users.theme. Transaction: caller's.
    """
    if theme in THEMES:
        session.execute(update(User).where(User.id == user_id).values(theme=theme))

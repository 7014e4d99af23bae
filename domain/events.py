"""Writing to the event log, and reading it in its gapless order; numbering is `domain/sequencer.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Gone, NotFound
from core.permissions import Permission
from core.strictjson import Json
from domain import database, pending
from domain.actors import Actor
from models.events import EventLog
from models.orders import Order
from models.payments import Payment

ALIASES: Mapping[str, tuple[str, str]] = {
    "payment.created": ("payment-created", "payment_created"),
    "order.deposit_paid": ("purchase-request-update", "payment_completed"),
    "order.paid": ("purchase-request-update", "payment_completed"),
    "order.payment_detected": ("purchase-request-update", "payment_detected"),
    "order.cancelled": ("purchase-request-update", "cancelled"),
    "order.refunded": ("purchase-request-update", "payment_refunded"),
}


@dataclass(frozen=True)
class About:
    """What an event is about and who may see it. audience: `parties`, `staff`, or `held`: who sells."""

    object_id: str | None
    payment_id: str | None = None
    order_id: str | None = None
    merchant_id: str | None = None
    buyer_id: str | None = None
    seller_id: str | None = None
    audience: str = "parties"
    demo: bool = False
    livemode: bool = False


def about_payment(payment: Payment, *, audience: str = "parties") -> About:
    """Point an event at a payment and its parties."""
    return About(
        object_id=payment.id,
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        buyer_id=payment.buyer_id,
        seller_id=payment.seller_id,
        audience=audience,
        demo=payment.demo,
        livemode=payment.livemode,
    )


def about_order(order: Order) -> About:
    """Point an event at an order and its parties."""
    return About(
        object_id=order.id,
        order_id=order.id,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        demo=order.demo,
        livemode=order.livemode,
    )


def about_staff(object_id: str, *, payment_id: str | None = None, demo: bool = False) -> About:
    """Point an event at something that only staff may see."""
    return About(object_id=object_id, payment_id=payment_id, audience="staff", demo=demo)


def row(
    kind: str,
    about: About,
    *,
    source: str,
    sequence: int = 0,
    status: str | None = None,
    body: Mapping[str, Json] | None = None,
    is_replay: bool = False,
) -> dict[str, object]:
    """Make the row of one event; `append` and the ingest write such rows."""
    alias, alias_type = ALIASES.get(kind, (None, None))
    return {
        "id": ids.new("evt"),
        "seq": None,
        "type": kind,
        "at": clock.now(),
        "audience": about.audience,
        "sequence": sequence,
        "object_id": about.object_id,
        "payment_id": about.payment_id,
        "order_id": about.order_id,
        "merchant_id": about.merchant_id,
        "buyer_id": about.buyer_id,
        "seller_id": about.seller_id,
        "status": status,
        "alias": alias,
        "alias_type": alias_type,
        "is_replay": is_replay,
        "demo": about.demo,
        "livemode": about.livemode,
        "source": source,
        "body": dict(body or {}),
    }


def append(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Write events in the business transaction; they are numbered after it commits.

    Writes: event_log. Transaction: caller's.
    """
    for each in rows:
        pending.later(session, EventLog, each)
    if rows:
        database.mark(session, "events")


def _visible(actor: Actor) -> list[ColumnElement[bool]]:
    if actor.is_staff:
        return []
    own: list[ColumnElement[bool]] = []
    if actor.merchant_id:
        own.append(EventLog.merchant_id == actor.merchant_id)
    if actor.kind == "user":
        own += [EventLog.buyer_id == actor.id, EventLog.seller_id == actor.id]
    conditions = [EventLog.audience == "parties", or_(*own)]
    if actor.livemode is not None:
        conditions.append(EventLog.livemode.is_(actor.livemode))
    if actor.may(Permission.FREEZES_READ):
        return [or_(EventLog.audience == "held", and_(*conditions))]
    return conditions


def may_see(actor: Actor, event: EventLog) -> bool:
    """Tell whether a principal may see one event; the same rule as the feed's query."""
    if actor.is_staff:
        return True
    if event.audience == "held":
        return actor.may(Permission.FREEZES_READ)
    if event.audience != "parties":
        return False
    if actor.livemode is not None and event.livemode != actor.livemode:
        return False
    if actor.merchant_id and event.merchant_id == actor.merchant_id:
        return True
    return actor.kind == "user" and actor.id in (event.buyer_id, event.seller_id)


def get_event(session: Session, event_id: str, *, actor: Actor) -> EventLog:
    """Fetch one numbered event that the actor may see.

    Raises: NotFound
    """
    event = session.get(EventLog, event_id)
    if event is None or event.seq is None or not may_see(actor, event):
        raise NotFound
    return event


def position_of(session: Session, event_id: str) -> int:
    """Give the place in the order of the event a client saw last.

    Raises: Gone when the log no longer has it
    """
    seq = session.scalar(select(EventLog.seq).where(EventLog.id == event_id))
    if seq is None:
        raise Gone(
            "That event is older than what the log keeps."
            " Read the present state, then follow from the newest event."
        )
    return seq


def last_seq(session: Session) -> int:
    """Give the newest place in the order, 0 when the log is empty."""
    return session.scalar(select(func.max(EventLog.seq))) or 0


def list_after(
    session: Session,
    seq: int,
    *,
    actor: Actor | None = None,
    limit: int = 500,
    types: Sequence[str] = (),
    conditions: Sequence[ColumnElement[bool]] = (),
) -> list[EventLog]:
    """List numbered events after a place, oldest first; with an actor, only what they may see."""
    found = [EventLog.seq > seq, *conditions, *(_visible(actor) if actor else [])]
    if types:
        found.append(EventLog.type.in_(types))
    return list(
        session.scalars(select(EventLog).where(and_(*found)).order_by(EventLog.seq).limit(limit))
    )


def wire(event: EventLog) -> dict[str, Json]:
    """Write an event as API consumers read it (surface §25): ids and states, no personal data."""
    common: dict[str, Json] = {
        "id": event.id,
        "type": event.type,
        "at": clock.rfc3339(event.at),
        "sequence": event.sequence,
        "paymentId": event.payment_id,
        "orderId": event.order_id,
        "status": event.status,
        "merchantId": event.merchant_id,
        "isReplay": event.is_replay,
        "demo": event.demo,
    }
    if event.alias:
        common |= {"alias": event.alias, "aliasType": event.alias_type}
    return common | {key: value for key, value in event.body.items() if key not in common}

"""What a follower of the event log may ask for: topics, who may name them, which events they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Session

from core.errors import Forbidden, NotFound, invalid
from domain.actors import Actor
from models.events import EventLog
from models.orders import Order
from models.payments import Payment

WITH_ID = ("payment", "order", "request", "seller", "merchant")
FOR_STAFF = ("ops", "queues")
MOST = 50
# What waits in some queue for a person; `ops` is the global room, which holds everything.
QUEUED = ("inbound.", "exception.", "approval.")
# Told to the one who asked for it and to nobody else; its object is that principal.
PERSONAL = frozenset({"ops.probe"})


@dataclass(frozen=True, order=True)
class Topic:
    """One room of events; id is empty for the rooms of the staff."""

    kind: str
    id: str = ""


def parse(text: str | None) -> tuple[Topic, ...]:
    """Read a comma list such as `payment:pay_1,ops`; nothing asked gives no topics: all one may see.

    Raises: InvalidInput
    """
    names = sorted({part.strip() for part in (text or "").split(",") if part.strip()})
    if len(names) > MOST:
        raise invalid("topics", f"At most {MOST} topics at once.", code="too_many")
    return tuple(_read(name) for name in names)


def _read(name: str) -> Topic:
    kind, colon, topic_id = name.partition(":")
    if kind in FOR_STAFF and not colon:
        return Topic(kind)
    if kind in WITH_ID and topic_id:
        return Topic("order" if kind == "request" else kind, topic_id)
    known = ", ".join([f"{known}:<id>" for known in WITH_ID] + list(FOR_STAFF))
    raise invalid("topics", f"{name!r} is not a topic. Topics: {known}.", code="unknown_topic")


def assert_allowed(session: Session, topics: Iterable[Topic], *, actor: Actor) -> None:
    """Refuse the rooms of the staff to others, and objects that the actor may not see.

    Raises: Forbidden, NotFound. Transaction: caller's.
    """
    for topic in topics:
        if topic.kind in FOR_STAFF:
            if not actor.is_staff:
                raise Forbidden(f"The topic {topic.kind} is for staff.")
        elif not _is_own(session, topic, actor):
            raise NotFound


def _is_own(session: Session, topic: Topic, actor: Actor) -> bool:
    if topic.kind == "merchant":
        return actor.is_staff or topic.id == actor.merchant_id
    if topic.kind == "seller":
        return actor.is_staff or (actor.kind == "user" and topic.id == actor.id)
    row: Payment | Order | None = (
        session.get(Payment, topic.id) if topic.kind == "payment" else session.get(Order, topic.id)
    )
    if row is None:
        return False
    if actor.is_staff:
        return True
    if actor.livemode is not None and row.livemode != actor.livemode:
        return False
    if actor.merchant_id and row.merchant_id == actor.merchant_id:
        return True
    return actor.kind == "user" and actor.id in (row.buyer_id, row.seller_id)


def holds(topic: Topic, event: EventLog) -> bool:
    """Tell whether an event belongs to a room."""
    match topic.kind:
        case "payment":
            return event.payment_id == topic.id
        case "order":
            return event.order_id == topic.id
        case "seller":
            return event.seller_id == topic.id
        case "merchant":
            return event.merchant_id == topic.id
        case "queues":
            return event.type.startswith(QUEUED)
    return True


def condition(topics: Sequence[Topic], *, actor: Actor) -> list[ColumnElement[bool]]:
    """Say in SQL what `holds` says of any of the topics, and keep others' personal events out."""
    found: list[ColumnElement[bool]] = [
        or_(EventLog.type.not_in(PERSONAL), EventLog.object_id == actor.id)
    ]
    if topics:
        found.append(or_(*[_in_sql(topic) for topic in topics]))
    return found


def _in_sql(topic: Topic) -> ColumnElement[bool]:
    match topic.kind:
        case "payment":
            return EventLog.payment_id == topic.id
        case "order":
            return EventLog.order_id == topic.id
        case "seller":
            return EventLog.seller_id == topic.id
        case "merchant":
            return EventLog.merchant_id == topic.id
        case "queues":
            return or_(*[EventLog.type.startswith(prefix) for prefix in QUEUED])
    return true()


def may_receive(actor: Actor, event: EventLog) -> bool:
    """Tell whether a personal event is this principal's own; others pass."""
    return event.type not in PERSONAL or event.object_id == actor.id

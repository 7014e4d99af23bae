"""The numbers of the desk's home: today's money, what is broken, what is getting old, how providers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from core import clock
from core.book_states import Rule
from core.entry_kinds import RECEIPTS
from core.money import Money, asset
from core.purposes import Purpose
from core.states import Approval as ApprovalState
from core.states import Case, Inbound
from core.states import Operation as OperationState
from core.states import Payment as Status
from domain import events, health, presence
from domain.actors import Actor
from domain.cases import case_queries
from domain.control import approval_queries
from domain.desk import MOST_COUNTED
from domain.orders.orders import visible
from domain.payments import captures
from models.cases import ExceptionCase
from models.control import Approval
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import JournalEntry, Posting
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from models.watch import Invariant
from providers import registry

BROKEN = (Inbound.DEAD.value, Inbound.QUARANTINED.value)
FAILING = (Inbound.DEAD.value, Inbound.QUARANTINED.value, Inbound.FAILED.value)
WAITING = (Inbound.RECEIVED.value, Inbound.FAILED.value, Inbound.UNMATCHED.value)
UNSETTLED = (Status.PENDING.value, Status.PROCESSING.value)
OPEN_CASE = (Case.OPEN.value, Case.ASSIGNED.value)
OLD_SECONDS = 3600
DAY_SECONDS = 24 * 3600
# What people want to read of in "latest changes"; the rest is plumbing.
TOLD = (
    "payment.created",
    "payment.requires_action",
    "payment.processing",
    "payment.authorized",
    "payment.succeeded",
    "payment.failed",
    "payment.expired",
    "payment.cancelled",
    "payment.released",
    "payment.refunded",
    "order.cancelled",
    "exception.opened",
)


@dataclass(frozen=True)
class Attention:
    """What the navigation warns of."""

    broken_events: int
    open_cases: int
    is_worker_alive: bool
    approvals: int = 0
    broken_rules: int = 0


@dataclass(frozen=True)
class Today:
    """Numbers since an instant. received: per asset; counts are cut off at MOST_COUNTED."""

    received: list[Money]
    confirmed: int
    pending: int
    processing: int
    oldest_processing_at: datetime | None
    declined: int
    expired: int
    events: int


@dataclass(frozen=True)
class ProviderHealth:
    """How one provider is seen from here. failures: events of the last day that could not be applied."""

    name: str
    label: str
    set_by: str
    is_configured: bool
    state: str
    said: str
    last_event_at: datetime | None
    failures: int
    waiting: int


def count(session: Session, *conditions: ColumnElement[bool]) -> int:
    """Count rows that meet some conditions, but never further than MOST_COUNTED."""
    return counts(session, {"": conditions})[""]


def counts(session: Session, wanted: Mapping[str, Sequence[ColumnElement[bool]]]) -> dict[str, int]:
    """Count several things with one question, each never further than MOST_COUNTED.

    wanted: what each number is called → the conditions of its rows.
    """
    parts = []
    for name, conditions in wanted.items():
        inner = select(1).where(*conditions).limit(MOST_COUNTED).subquery()
        parts.append(select(literal(name), func.count()).select_from(inner))
    return {name: number for name, number in session.execute(union_all(*parts))}  # noqa: C416  # rows are no pairs to dict()


def attention(session: Session, *, actor: Actor) -> Attention:
    """Count what the navigation warns this person of.

    Transaction: caller's, reads only.
    """
    wanted = {
        "cases": [ExceptionCase.state.in_(OPEN_CASE), *case_queries.visible(actor)],
        "approvals": approval_queries.agreeable(session, actor),
    }
    if actor.is_staff:
        wanted["broken"] = [InboundEvent.state.in_(BROKEN)]
        wanted["rules"] = [Invariant.state == Rule.RED.value]
    counted = counts(session, wanted)
    alive = bool(presence.list_alive(session, "worker"))
    return Attention(
        counted.get("broken", 0),
        counted["cases"],
        alive,
        approvals=counted["approvals"],
        broken_rules=counted.get("rules", 0),
    )


def status_counts(session: Session) -> dict[str, int]:
    """Count the payments that are not settled, by status."""
    return counts(session, {status: [Payment.status == status] for status in UNSETTLED})


def inbound_counts(session: Session) -> dict[str, int]:
    """Count the inbound events that wait or failed, by state."""
    states = (*FAILING, Inbound.RECEIVED.value, Inbound.UNMATCHED.value)
    return counts(session, {state: [InboundEvent.state == state] for state in states})


def order_counts(session: Session) -> dict[str, int]:
    """Count the orders that wait for their deposit."""
    waiting = "awaiting_deposit"
    return {waiting: count(session, Order.status == waiting)}


def case_counts(session: Session, *, actor: Actor) -> dict[str, int]:
    """Count the cases that nobody has resolved, by state."""
    own = case_queries.visible(actor)
    return counts(session, {state: [ExceptionCase.state == state, *own] for state in OPEN_CASE})


def approval_counts(session: Session, *, actor: Actor) -> dict[str, int]:
    """Count the approvals that wait, and those among them that wait for this person."""
    waiting = [Approval.state == ApprovalState.PENDING.value, *approval_queries.visible(actor)]
    wanted = {"waiting": waiting, "needs_me": approval_queries.agreeable(session, actor)}
    return counts(session, wanted)


def today(session: Session, since: datetime, *, actor: Actor) -> Today:
    """Give the day's numbers: staff read the books, others what was started since.

    Transaction: caller's, reads only.
    """
    own = visible(actor, Payment)
    started = [Payment.created_at >= since, *own]
    failed = [Payment.status == Status.FAILED, *started]
    is_expired = Payment.failure_reason == "expired"
    received, confirmed = _posted(session, since) if actor.is_staff else _arrived(session, started)
    processing = [Payment.status == Status.PROCESSING, *own]
    wanted = {
        "pending": [Payment.status == Status.PENDING, *own],
        "processing": processing,
        "declined": [*failed, or_(~is_expired, Payment.failure_reason.is_(None))],
        "expired": [*failed, is_expired],
    }
    if actor.is_staff:
        wanted["events"] = [InboundEvent.received_at >= since]
    counted = counts(session, wanted)
    return Today(
        received=received,
        confirmed=confirmed,
        pending=counted["pending"],
        processing=counted["processing"],
        oldest_processing_at=session.scalar(
            select(func.min(Payment.created_at)).where(*processing)
        ),
        declined=counted["declined"],
        expired=counted["expired"],
        events=counted.get("events", 0),
    )


def _posted(session: Session, since: datetime) -> tuple[list[Money], int]:
    """Sum what the books say that providers received, told by them or by hand; each once."""
    statement = (
        select(Posting.asset, func.sum(Posting.amount_minor), func.count())
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(
            JournalEntry.posted_at >= since,
            JournalEntry.kind.in_(RECEIPTS),
            # A receipt begins with the side that has it; naming the line finds it by its key.
            Posting.line == 1,
            or_(Posting.address.startswith("provider:"), Posting.address.startswith("suspense:")),
        )
        .group_by(Posting.asset)
    )
    return _sums(session.execute(statement).all())


def _arrived(session: Session, started: list[ColumnElement[bool]]) -> tuple[list[Money], int]:
    """Sum what arrived for the payments one may see; what a coupon gave did not arrive."""
    statement = (
        select(Payment.asset, func.sum(Payment.received_minor), func.count())
        .where(*started, Payment.received_minor > 0, Payment.purpose != Purpose.COUPON.value)
        .group_by(Payment.asset)
    )
    return _sums(session.execute(statement).all())


def _sums(rows: Sequence[tuple[str, int, int]]) -> tuple[list[Money], int]:
    ordered = sorted(rows, key=lambda row: (-row[2], row[0]))
    sums = [Money(int(total), asset(name)) for name, total, _ in ordered]
    return sums, sum(number for _, _, number in rows)


def broken_events(session: Session, *, limit: int) -> list[InboundEvent]:
    """List the newest events that could not be applied."""
    return _inbound(session, InboundEvent.state.in_(FAILING), limit=limit, newest=True)


def old_events(session: Session, *, limit: int) -> list[InboundEvent]:
    """List the oldest events that no payment of ours answers to."""
    unmatched = InboundEvent.state == Inbound.UNMATCHED
    return _inbound(session, unmatched, limit=limit, newest=False)


def _inbound(
    session: Session, condition: ColumnElement[bool], *, limit: int, newest: bool
) -> list[InboundEvent]:
    order = InboundEvent.received_at.desc() if newest else InboundEvent.received_at
    statement = select(InboundEvent).where(condition).order_by(order).limit(limit)
    sealed = defer(InboundEvent.body_sealed, raiseload=True)
    return list(session.scalars(statement.options(sealed)))


def _unknown() -> list[ColumnElement[bool]]:
    # Whoever has no outcome yet is due some time. A range, as SQLite reads `is not null` without
    # the index.
    unknown = Operation.state == OperationState.UNKNOWN.value
    return [Operation.due_at > clock.from_unix(0), unknown]


def count_unknown(session: Session) -> int:
    """Count the calls whose outcome nobody knows."""
    return count(session, *_unknown())


def unknown_operations(session: Session, *, limit: int) -> list[Operation]:
    """List the calls whose outcome nobody knows, oldest first."""
    statement = select(Operation).where(*_unknown()).order_by(Operation.created_at)
    return list(session.scalars(statement.limit(limit)))


def old_payments(session: Session, *, actor: Actor, limit: int) -> tuple[list[Payment], int]:
    """List the oldest payments that are not settled after an hour, with how many there are."""
    waiting = [
        Payment.status.in_(UNSETTLED),
        Payment.created_at < clock.after(-OLD_SECONDS),
        *visible(actor, Payment),
    ]
    statement: Select[Payment] = select(Payment).where(*waiting)
    oldest = (Payment.created_at, Payment.id)
    rows = list(session.scalars(statement.order_by(*oldest).limit(limit)))
    return rows, count(session, *waiting)


def count_young_holds(session: Session, *, actor: Actor) -> int:
    """Count the holds that end within a day although they were placed within the hour."""
    young = Payment.created_at >= clock.after(-OLD_SECONDS)
    return count(session, *captures.ending(actor), young)


def provider_health(session: Session) -> list[ProviderHealth]:
    """Say of each provider whether it is set up, answers and is heard, and what waits of it.

    Transaction: caller's, reads only.
    """
    answers = health.provider_states(session)
    failing = _by_provider(session, InboundEvent.state, FAILING, since=clock.after(-DAY_SECONDS))
    waiting = _by_provider(session, InboundEvent.state, WAITING)
    found = []
    for rail in registry.every():
        said = answers.get(rail.name)
        found.append(
            ProviderHealth(
                name=rail.name,
                label=rail.label,
                set_by=rail.set_by,
                is_configured=rail.is_configured,
                state=str(said["state"]) if said else "off",
                said=str(said["text"]) if said else "",
                last_event_at=_last_event(session, rail.name),
                failures=failing.get(rail.name, 0),
                waiting=waiting.get(rail.name, 0),
            )
        )
    return found


def _by_provider(
    session: Session,
    column: InstrumentedAttribute[str],
    states: Sequence[str],
    *,
    since: datetime | None = None,
) -> dict[str, int]:
    statement = select(InboundEvent.provider, func.count().label("number")).where(
        column.in_(states)
    )
    if since is not None:
        statement = statement.where(InboundEvent.received_at >= since)
    counted = session.execute(statement.group_by(InboundEvent.provider))
    return {row.provider: row.number for row in counted}


def _last_event(session: Session, provider: str) -> datetime | None:
    # Not the bare column: SQLite would collect every event of the provider by its unique key.
    of_provider = InboundEvent.provider.concat("") == provider
    statement = select(InboundEvent.received_at).where(of_provider)
    return session.scalar(statement.order_by(InboundEvent.received_at.desc()).limit(1))


def latest_changes(session: Session, *, actor: Actor, limit: int) -> list[EventLog]:
    """List the newest events worth reading; ids sort by time, so the key itself is the index."""
    statement = select(EventLog).order_by(EventLog.id.desc()).limit(limit * 12)
    found = [
        event
        for event in session.scalars(statement)
        if event.type in TOLD and events.may_see(actor, event)
    ]
    return found[:limit]

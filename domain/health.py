"""How this installation is: reachable, migrated, alive; what waits, what is stuck. Counts only, no acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, func, select, text, union_all
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock
from core.errors import Unavailable
from core.states import Case, Inbound
from core.states import Operation as OperationState
from core.strictjson import Json
from domain import database, presence
from domain.control import settling
from domain.delays import notice_queries
from models.cases import ExceptionCase
from models.delays import DelayNotice
from models.events import EventLog
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment
from providers import registry

HEAD = Path(__file__).resolve().parents[1] / "migrations" / ".head"
LOOK_BACK_SECONDS = 15 * 60
# So many calls without an answer, and none with one, and a rail is called out.
OUTAGE_CALLS = 3
MOST_CALLS = 500


@dataclass(frozen=True)
class Readiness:
    """What a load balancer asks. state: `ready`, `degraded` or `unready`; settlement: `running`, or
    `paused` by a person, which is no fault.
    """

    state: str
    database: str
    migrations: str
    workers: int
    settlement: str
    providers: dict[str, str]

    def wire(self) -> dict[str, Json]:
        """Write it as the API answers it."""
        providers: dict[str, Json] = dict(self.providers)
        return {
            "status": self.state,
            "database": self.database,
            "migrations": self.migrations,
            "workers": self.workers,
            "settlement": self.settlement,
            "providers": providers,
        }


def _migrations(session: Session) -> str:
    found = session.scalar(text("select version_num from alembic_version"))
    head = HEAD.read_text(encoding="ascii").strip()
    return "at head" if found == head else f"at {found}, head is {head}"


def readiness() -> Readiness:
    """Ask the database for its sign of life, its migrations and the living workers.

    Transaction: opens its own, read only.
    """
    providers = {
        rail.name: "configured" if rail.is_configured else "not configured"
        for rail in registry.every()
    }
    try:
        with database.reading() as session:
            migrations = _migrations(session)
            workers = len(presence.list_alive(session, "worker"))
            settlement = "paused" if settling.is_paused(session) else "running"
    except (SQLAlchemyError, Unavailable):
        return Readiness("unready", "unreachable", "unknown", 0, "unknown", providers)
    state = "ready" if workers and "configured" in providers.values() else "degraded"
    if migrations != "at head":
        state = "unready"
    return Readiness(state, "reachable", migrations, workers, settlement, providers)


def rail_states(session: Session) -> list[dict[str, Json]]:
    """Say of each configured provider how its rail is, as `provider_states` does.

    Transaction: caller's, reads only.
    """
    return list(provider_states(session).values())


def provider_states(session: Session) -> dict[str, dict[str, Json]]:
    """Say of each provider's rail whether calls to it were answered within the last minutes, by its name.

    What a person says of it in an open notice goes before that, and makes it no better.
    """
    since = clock.after(-LOOK_BACK_SECONDS)
    # Ids sort by time: the newest calls and those without an outcome, instead of every call ever made.
    newest = select(Operation.id).order_by(Operation.id.desc()).limit(MOST_CALLS).subquery()
    unsettled = select(Operation.id).where(Operation.due_at > clock.from_unix(0))
    # A union, not an `or`, so that each is found by its index.
    recent = union_all(select(newest.c.id), unsettled)
    counted = session.execute(
        select(Operation.provider, Operation.state, func.count())
        .where(Operation.updated_at > since, Operation.id.in_(recent))
        .group_by(Operation.provider, Operation.state)
    )
    calls: dict[str, dict[str, int]] = {}
    for provider, state, number in counted:
        calls.setdefault(provider, {})[state] = number
    open_now = notice_queries.live(session)
    return {
        rail.name: _with_notice(_rail(rail.rail, rail.label, calls.get(rail.name, {})), own)
        for rail in registry.every()
        if rail.is_configured
        for own in [notice_queries.of_rail(open_now, rail.rail, rail.name)]
    }


def _with_notice(found: dict[str, Json], notices: list[DelayNotice]) -> dict[str, Json]:
    if not notices:
        return found
    said = notices[0]
    state = worst([str(found["state"]), notice_queries.HEALTH[said.kind]])
    eta_at = notice_queries.eta_at(notices)
    return found | {"state": state, "text": said.text, "etaAt": clock.rfc3339(eta_at)}


def _rail(name: str, label: str, calls: dict[str, int]) -> dict[str, Json]:
    unknown = calls.get(OperationState.UNKNOWN.value, 0)
    answered = sum(calls.values()) - unknown - calls.get(OperationState.PREPARED.value, 0)
    state, said = "ok", f"{label} answers."
    if unknown and answered:
        state, said = (
            "degraded",
            f"{label} leaves some calls without an answer. Payments may take longer.",
        )
    elif unknown >= OUTAGE_CALLS:
        state, said = "outage", f"{label} does not answer. Payments wait until it does."
    elif unknown:
        state, said = "degraded", f"{label} left the last call without an answer."
    return {"rail": name, "state": state, "text": said, "etaAt": None}


def worst(states: list[str]) -> str:
    """Give the worst of some states."""
    order = ("ok", "degraded", "outage")
    return max(states, key=order.index, default="ok")


@dataclass(frozen=True)
class Gauge:
    """One number for the metrics."""

    name: str
    help: str
    value: float
    labels: dict[str, str]


def gauges(session: Session) -> Iterator[Gauge]:
    """Count what waits and what is stuck; every count reads an index over what is open, not over all."""
    waiting = (
        Inbound.RECEIVED,
        Inbound.FAILED,
        Inbound.UNMATCHED,
        Inbound.QUARANTINED,
        Inbound.DEAD,
    )
    said = "Inbound events that wait, by state."
    for state, number in _by(session, InboundEvent.state, [each.value for each in waiting]):
        yield Gauge("paydesk_inbound_events_open", said, number, {"state": state})
    open_states = [OperationState.PREPARED, OperationState.SENT, OperationState.UNKNOWN]
    said = "Operations without an outcome, by state."
    for state, number in _open_operations(session, [each.value for each in open_states]):
        yield Gauge("paydesk_operations_open", said, number, {"state": state})
    cases = [Case.OPEN.value, Case.ASSIGNED.value]
    said = "Exception cases that wait for a person, by state."
    for state, number in _by(session, ExceptionCase.state, cases):
        yield Gauge("paydesk_exception_cases_open", said, number, {"state": state})
    yield from _ages(session)
    paused = float(settling.is_paused(session))
    said = "Whether a person has paused automatic settlement."
    yield Gauge("paydesk_settlement_paused", said, paused, {})
    for kind in ("web", "worker"):
        alive = len(presence.list_alive(session, kind))
        yield Gauge(
            "paydesk_processes_alive", "Processes seen in the last minute.", alive, {"kind": kind}
        )


def _by(
    session: Session, column: InstrumentedAttribute[str], wanted: list[str]
) -> list[tuple[str, int]]:
    statement = select(column, func.count()).where(column.in_(wanted)).group_by(column)
    return _counted(session, statement, wanted)


def _counted(
    session: Session, statement: Select[str, int], wanted: list[str]
) -> list[tuple[str, int]]:
    counted = {state: number for state, number in session.execute(statement)}  # noqa: C416  # rows are no pairs to dict()
    return [(state, counted.get(state, 0)) for state in wanted]


def _open_operations(session: Session, wanted: list[str]) -> list[tuple[str, int]]:
    # Whoever has no outcome yet is due some time; the index on due_at holds no others.
    statement = (
        select(Operation.state, func.count())
        .where(Operation.due_at.is_not(None), Operation.state.in_(wanted))
        .group_by(Operation.state)
    )
    return _counted(session, statement, wanted)


def _ages(session: Session) -> Iterator[Gauge]:
    now = clock.now()
    oldest = session.scalar(
        select(func.min(InboundEvent.received_at)).where(
            InboundEvent.state == Inbound.RECEIVED.value
        )
    )
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield Gauge(
        "paydesk_inbound_oldest_seconds", "Age of the oldest event not yet applied.", age, {}
    )
    late = session.scalar(select(func.count()).where(Payment.check_due_at < now)) or 0
    yield Gauge(
        "paydesk_payments_check_due", "Payments about which the provider must be asked.", late, {}
    )
    unnumbered = session.scalar(select(func.count()).where(EventLog.seq.is_(None))) or 0
    yield Gauge(
        "paydesk_events_unnumbered", "Committed events without their place.", unnumbered, {}
    )
    newest = session.scalar(select(func.max(EventLog.seq))) or 0
    yield Gauge("paydesk_events_numbered", "The newest place in the event log.", newest, {})

"""The worker's part in comparing: take up runs page by page, begin those that are due by the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Run as State
from core.strictjson import Json
from domain import calendar, crash, database
from domain.actors import system
from domain.reconciliation import engine, objects, runs, steps
from domain.reconciliation.runs import Cause, Wanted
from domain.watch import turns
from domain.watch.turns import Work
from models.reconciliation import ReconciliationRun
from providers import registry
from providers.seam import Rail

# So much is done before other runs have their turn.
PAGES_AT_ONCE = 20
THROWN_AWAY_AT_ONCE = 2000
# Short windows heal by themselves what an event was lost of; what is found later, people look at first.
HOURLY, NIGHTLY = timedelta(hours=6), timedelta(days=8)
_NIGHT = timedelta(hours=2, minutes=30)
_PAST_THE_HOUR = timedelta(minutes=7)
_SCHEDULED = {Cause.HOURLY: HOURLY, Cause.NIGHTLY: NIGHTLY}
log = structlog.get_logger()


def work_next() -> bool:
    """Go on with the run that has been due longest. Gives False when none is due.

    Calls: the provider, with no transaction open. Writes, Emits: as `engine.advance`.
    Transaction: opens its own.
    """
    with database.transaction() as session:
        run = runs.claim(session)
    if run is None:
        return _throw_away()
    crash.point("reconciliation.after_lease")
    try:
        engine.work(run.id, run.fence, pages=PAGES_AT_ONCE)
    except SQLAlchemyError:
        raise
    except Exception as error:
        # A page that breaks us would break us for ever: it is tried as often as a silent provider.
        log.exception("reconciliation.broken", run=run.id)
        engine.interrupt(run.id, run.fence, error)
    return True


def _throw_away() -> bool:
    with database.reading() as session:
        if not objects.is_left(session):
            return False
    with database.transaction() as session:
        return objects.throw_away(session, limit=THROWN_AWAY_AT_ONCE) > 0


def begin_due() -> bool:
    """Begin the comparisons whose time has come: one short window an hour, one long one a night.

    Writes: schedules, and as `runs.start`. Transaction: opens its own.
    """
    rails = [rail for rail in registry.every() if rail.is_configured]
    return any(_begin(rail, cause) for rail in rails for cause in _SCHEDULED)


def _begin(rail: Rail, cause: Cause) -> bool:
    """Begin a run when its turn has come and none of the same is still running; once for all workers."""
    work = _work_of(rail, cause)
    with database.reading() as session:
        if not turns.is_due(session, work):
            return False
    with database.transaction() as session:
        turn = turns.take(session, work, first_at=next_due(cause))
        if turn is None:
            return False
        memory = dict(turn.memory)
        if not _is_running(session, rail, cause):
            memory = _start(session, rail, cause)
        turns.give_back(session, turn, due_at=next_due(cause), memory=memory)
    return True


def _work_of(rail: Rail, cause: Cause) -> Work:
    name = f"reconcile:{rail.name}:{rail.mode}:{cause}"
    day = timedelta(days=1).total_seconds()
    return Work(name, cause.value, lease_seconds=60.0, longest_seconds=day + 3600)


def next_due(cause: Cause) -> datetime:
    """Say when a schedule is due again."""
    now = clock.now()
    if cause == Cause.HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) + _PAST_THE_HOUR
    tonight = calendar.begin_of(calendar.today()) + _NIGHT
    if tonight > now:
        return tonight
    return calendar.begin_of(calendar.today() + timedelta(days=1)) + _NIGHT


def _start(session: Session, rail: Rail, cause: Cause) -> dict[str, Json]:
    now = clock.now()
    wanted = Wanted(rail.name, now - _SCHEDULED[cause], now, cause, heals=cause == Cause.HOURLY)
    actor = system("worker")
    run = runs.start(session, wanted, actor=actor, source="schedule", step=steps.FIRST)
    return {"runId": run.id}


def _is_running(session: Session, rail: Rail, cause: Cause) -> bool:
    statement = select(func.count()).where(
        ReconciliationRun.provider == rail.name,
        ReconciliationRun.livemode.is_(rail.mode == "live"),
        ReconciliationRun.cause == cause.value,
        ReconciliationRun.status == State.RUNNING.value,
    )
    return bool(session.scalar(statement))

"""Whose turn recurring work is: one row of `schedules` per work, leased by one worker at a time.

A clock that jumps neither stops the work nor doubles it: what is due too far in the future is due now,
and a lease that would last too long is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.strictjson import Json
from domain import database, queue
from models.presence import Schedule

# A clock that was set back by less than this is waited for.
SLACK_SECONDS = 60.0
# Since when somebody waits for it, in a work's memory.
ASKED = "asked"


@dataclass(frozen=True)
class Work:
    """One recurring work. every: in words; longest_seconds: how far apart two turns ever are."""

    name: str
    every: str
    lease_seconds: float
    longest_seconds: float


@dataclass(frozen=True)
class Turn:
    """A turn that was taken. last_at: when the one before ended; memory: what that one left."""

    row: Schedule
    fence: int
    last_at: datetime | None
    memory: dict[str, Json]


def is_due(session: Session, work: Work) -> bool:
    """Tell whether it is worth trying to take the turn, without writing anything.

    Transaction: caller's, reads only.
    """
    row = look(session, work)
    if row is None:
        return True
    is_held = row.lease_until is not None and row.lease_until > clock.now()
    is_mended = row.due_at > clock.after(work.longest_seconds + SLACK_SECONDS)
    return (row.due_at <= clock.now() and not is_held) or is_mended or _holds_too_long(row, work)


def _holds_too_long(row: Schedule, work: Work) -> bool:
    too_long = clock.after(work.lease_seconds + SLACK_SECONDS)
    return row.lease_until is not None and row.lease_until > too_long


def take(
    session: Session,
    work: Work,
    *,
    first_at: datetime | None = None,
    lease_seconds: float | None = None,
) -> Turn | None:
    """Take the turn if it is due and nobody else has it.

    first_at: when it is due for the first time; at once if None. lease_seconds: how long this one may
    take; at most the work's own. Writes: schedules.
    Transaction: caller's; commit before the work is begun.
    """
    _begin(session, work, first_at)
    _mend(session, work)
    leased = queue.lease(
        session,
        Schedule,
        due=Schedule.due_at,
        seconds=min(lease_seconds or work.lease_seconds, work.lease_seconds),
        conditions=[Schedule.name == work.name],
    )
    if not leased:
        return None
    row, fence = leased[0]
    return Turn(row, fence, row.last_run_at, dict(row.outcome or {}))


def _begin(session: Session, work: Work, first_at: datetime | None) -> None:
    if session.get(Schedule, work.name) is not None:
        return
    dialect = sqlite if database.is_sqlite() else postgresql
    values = {
        "name": work.name,
        "expression": work.every,
        "due_at": first_at or clock.now(),
        "fence": 0,
        "outcome": {},
    }
    session.execute(dialect.insert(Schedule).values(values).on_conflict_do_nothing())


def _mend(session: Session, work: Work) -> None:
    """Undo what a clock that was ahead has written."""
    due_too_late = clock.after(work.longest_seconds + SLACK_SECONDS)
    held_too_long = clock.after(work.lease_seconds + SLACK_SECONDS)
    own = Schedule.name == work.name
    late = or_(Schedule.due_at > due_too_late, Schedule.lease_until > held_too_long)
    session.execute(
        update(Schedule)
        .where(own, late)
        .values(due_at=clock.now(), lease_until=None)
        .execution_options(synchronize_session=False)
    )


def give_back(
    session: Session, turn: Turn, *, due_at: datetime, memory: dict[str, Json] | None = None
) -> None:
    """End a turn with when the next one is due. What was asked for during it is due at once.

    Writes: schedules. Raises: LostRace when the lease was over and another has it. Transaction: caller's.
    """
    own = Schedule.name == turn.row.name
    asked = session.scalar(select(Schedule.outcome).where(own).with_for_update()) or {}
    left = dict(turn.memory if memory is None else memory)
    left.pop(ASKED, None)
    if asked.get(ASKED) not in (None, turn.memory.get(ASKED)):
        left[ASKED], due_at = asked[ASKED], clock.now()
    values: dict[str, object] = {"due_at": due_at, "last_run_at": clock.now(), "outcome": left}
    queue.release(session, turn.row, turn.fence, **values)


def ask_for(session: Session, work: Work) -> None:
    """Have the next worker do it now, and all of it. One that is under way is followed by another.

    Writes: schedules. Transaction: caller's.
    """
    _begin(session, work, None)
    row = session.get_one(Schedule, work.name, with_for_update=True, populate_existing=True)
    row.due_at = clock.now()
    row.outcome = dict(row.outcome or {}) | {ASKED: clock.rfc3339(clock.now())}
    session.flush()


def look(session: Session, work: Work) -> Schedule | None:
    """Read how a work stands; None before its first turn.

    Transaction: caller's, reads only.
    """
    return session.get(Schedule, work.name, populate_existing=True)


def is_asked_for(row: Schedule | None) -> bool:
    """Tell whether somebody asked for it and it is not done yet."""
    return row is not None and row.outcome.get(ASKED) is not None

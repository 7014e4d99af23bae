"""Who looks after a kind of case and by when: what `core` starts with, and what finance set instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import business_hours, clock
from core.case_kinds import KINDS, LONGEST_TARGET_HOURS, Clock, Team
from core.errors import NotFound, invalid
from core.strictjson import Json
from domain import audit, calendar, database
from domain.actors import Actor
from models.cases import CaseTarget


@dataclass(frozen=True)
class Target:
    """How one kind is looked after. set_by: who set it, or None where it stands as it came."""

    kind: str
    team: Team
    hours: int
    clock: Clock
    set_by: str | None = None
    set_at: datetime | None = None


def _initial(kind: str) -> Target:
    known = KINDS[kind]
    return Target(kind, known.team, known.hours, known.clock)


def _own(row: CaseTarget) -> Target:
    team, which = Team(row.team), Clock(row.clock)
    return Target(row.kind, team, row.hours, which, row.set_by, row.set_at)


def target_of(session: Session, kind: str) -> Target:
    """Give the target of a kind that new cases get."""
    row = session.get(CaseTarget, kind)
    return _initial(kind) if row is None else _own(row)


def list_targets(session: Session) -> list[Target]:
    """List the target of every kind, in the order of the table."""
    own = {row.kind: _own(row) for row in session.scalars(select(CaseTarget))}
    return [own.get(kind) or _initial(kind) for kind in KINDS]


def due_at(target: Target, opened_at: datetime) -> datetime:
    """Give the instant by which a case opened then should be settled."""
    if target.clock == Clock.BUSINESS:
        return business_hours.due_at(opened_at, target.hours, calendar.zone())
    return opened_at + timedelta(hours=target.hours)


def seconds_left(due: datetime, which: Clock) -> int:
    """Count the seconds until a case is due on its own clock; negative when it is overdue."""
    now = clock.now()
    if which == Clock.BUSINESS:
        return business_hours.seconds_between(now, due, calendar.zone())
    return int((due - now).total_seconds())


def set_target(session: Session, wanted: Target, *, actor: Actor, source: str) -> Target:
    """Set who looks after a kind and by when, for cases opened from now on.

    Writes: case_targets, audit_log. Raises: NotFound, InvalidInput. Transaction: caller's.
    """
    before = _known(session, wanted.kind)
    if not 1 <= wanted.hours <= LONGEST_TARGET_HOURS:
        raise invalid("hours", f"Between 1 and {LONGEST_TARGET_HOURS} hours.")
    values = {
        "team": wanted.team.value,
        "hours": wanted.hours,
        "clock": wanted.clock.value,
        "set_by": actor.id,
        "set_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CaseTarget).values(kind=wanted.kind, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[CaseTarget.kind], set_=values))
    session.expire_all()
    after = target_of(session, wanted.kind)
    _note(session, "exception.set_target", before, after, actor=actor, source=source)
    return after


def reset_target(session: Session, kind: str, *, actor: Actor, source: str) -> Target:
    """Give a kind the target back that it came with.

    Writes: case_targets, audit_log. Raises: NotFound. Transaction: caller's.
    """
    before = _known(session, kind)
    session.execute(delete(CaseTarget).where(CaseTarget.kind == kind))
    after = _initial(kind)
    if before.set_by is not None:
        _note(session, "exception.reset_target", before, after, actor=actor, source=source)
    return after


def _known(session: Session, kind: str) -> Target:
    if kind not in KINDS:
        raise NotFound
    return target_of(session, kind)


def _said(target: Target) -> dict[str, Json]:
    return {"team": target.team.value, "hours": target.hours, "clock": target.clock.value}


def _note(
    session: Session, action: str, before: Target, after: Target, *, actor: Actor, source: str
) -> None:
    audit.write(
        session,
        action,
        actor=actor,
        object_kind="case_target",
        object_id=after.kind,
        source=source,
        before=_said(before),
        after=_said(after),
    )

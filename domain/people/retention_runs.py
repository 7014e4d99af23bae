"""What retention dropped on which day: one row per rule and day, gone on with a batch at a time by whichever worker comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from domain import audit, calendar, crash, database
from domain.actors import system
from domain.people import retention
from domain.people.retention import RULES, Rule
from models.personal import RetentionRun

DAYS_SHOWN = 14


def next_rule(session: Session) -> Rule | None:
    """Find the next rule that is not done for today. Transaction: caller's, reads only."""
    statement = select(RetentionRun.rule).where(
        RetentionRun.on_day == calendar.today(), RetentionRun.finished_at.is_not(None)
    )
    done = set(session.scalars(statement))
    return next((rule for rule in RULES if rule.name not in done), None)


def drop_some(session: Session, rule: Rule, *, limit: int = retention.BATCH) -> int:
    """Drop the next batch of a rule and count it in the day's run; what was dropped and its count commit together.

    Writes: what the rule says, retention_runs, audit_log at the end of a run. Transaction: caller's.
    """
    day = calendar.today()
    dialect = sqlite if database.is_sqlite() else postgresql
    begun = dialect.insert(RetentionRun).values(
        rule=rule.name, on_day=day, dropped=0, started_at=clock.now()
    )
    session.execute(begun.on_conflict_do_nothing())
    dropped = rule.drop(session, limit)
    own = (RetentionRun.rule == rule.name, RetentionRun.on_day == day)
    values: dict[str, object] = {"dropped": RetentionRun.dropped + dropped}
    if dropped < limit:
        values["finished_at"] = clock.now()
    counted = (
        update(RetentionRun)
        .where(*own, RetentionRun.finished_at.is_(None))
        .values(values)
        .returning(RetentionRun.dropped)
        .execution_options(synchronize_session=False)
    )
    total = session.scalar(counted)
    if total is None:
        # Another worker has ended the day's run; what was dropped beside it is added all the same.
        again = update(RetentionRun).where(*own).values(dropped=RetentionRun.dropped + dropped)
        session.execute(again.execution_options(synchronize_session=False))
    elif dropped < limit:
        _note(session, rule, day, total)
    crash.point("retention.before_commit")
    return dropped


def _note(session: Session, rule: Rule, day: date, total: int) -> None:
    audit.write(
        session,
        "retention.run",
        actor=system("retention"),
        object_kind="retention",
        object_id=rule.name,
        source=f"retention:{rule.name}",
        after={"onDay": day.isoformat(), "dropped": total},
    )


def list_last(session: Session) -> Mapping[str, RetentionRun]:
    """Give the newest run of each rule. Transaction: caller's, reads only."""
    statement = select(RetentionRun).order_by(RetentionRun.on_day)
    return {row.rule: row for row in session.scalars(statement.where(_recent()))}


def list_days(session: Session) -> Sequence[RetentionRun]:
    """List the runs of the last days that dropped something, newest first. Transaction: caller's, reads only."""
    order = (RetentionRun.on_day.desc(), RetentionRun.rule)
    statement = select(RetentionRun).where(_recent(), RetentionRun.dropped > 0)
    return list(session.scalars(statement.order_by(*order)))


def _recent() -> ColumnElement[bool]:
    return RetentionRun.on_day > calendar.today() - timedelta(days=DAYS_SHOWN)

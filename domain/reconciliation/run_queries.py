"""Reading runs and what differed in them: a page of many, one, sums by kind, how it went over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.book_states import Difference as DifferenceState
from core.book_states import Run as State
from core.errors import NotFound
from domain.payments.payments import Page
from domain.reconciliation import runs
from domain.reconciliation.runs import Cause
from models.cases import ExceptionCase
from models.reconciliation import ReconciliationDifference as Difference
from models.reconciliation import ReconciliationRun

# The sums of a run that are things compared.
COMPARED = ("payments", "refunds", "disputes", "bookings", "payouts", "orphans")
_WAITING = (DifferenceState.OPEN.value, DifferenceState.OFFERED.value, DifferenceState.STALE.value)


@dataclass(frozen=True)
class RunFilter:
    """Which runs; empty means all. Backfills are shown with the run whose offers they apply."""

    provider: Sequence[str] = ()
    status: Sequence[str] = ()


@dataclass(frozen=True)
class DifferenceFilter:
    """Which differences of a run; empty means all."""

    kind: Sequence[str] = ()
    state: Sequence[str] = ()


def get_run(session: Session, run_id: str) -> ReconciliationRun:
    """Fetch a run.

    Raises: NotFound
    """
    run = session.get(ReconciliationRun, run_id)
    if run is None:
        raise NotFound
    return run


def list_runs(session: Session, wanted: RunFilter, *, page: Page) -> Sequence[ReconciliationRun]:
    """List runs, newest first, one more than the page holds when there are more."""
    conditions: list[ColumnElement[bool]] = [ReconciliationRun.cause != Cause.BACKFILL.value]
    if wanted.provider:
        conditions.append(ReconciliationRun.provider.in_(wanted.provider))
    if wanted.status:
        conditions.append(ReconciliationRun.status.in_(wanted.status))
    if page.before is not None:
        at, row_id = page.before
        older = and_(ReconciliationRun.started_at == at, ReconciliationRun.id < row_id)
        conditions.append(or_(ReconciliationRun.started_at < at, older))
    statement = select(ReconciliationRun).where(*conditions)
    ordered = statement.order_by(ReconciliationRun.started_at.desc(), ReconciliationRun.id.desc())
    return session.scalars(ordered.limit(page.limit + 1)).all()


def list_differences(
    session: Session, run_id: str, wanted: DifferenceFilter, *, page: Page
) -> Sequence[Difference]:
    """List what differed in a run, newest first, one more than the page holds when there are more."""
    conditions: list[ColumnElement[bool]] = [Difference.run_id == run_id]
    if wanted.kind:
        conditions.append(Difference.kind.in_(wanted.kind))
    if wanted.state:
        conditions.append(Difference.state.in_(wanted.state))
    if page.before is not None:
        # Ids sort by the time at which they were made, as the rows are found.
        conditions.append(Difference.id < page.before[1])
    statement = select(Difference).where(*conditions).order_by(Difference.id.desc())
    return session.scalars(statement.limit(page.limit + 1)).all()


def kinds_of(session: Session, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Count what differed in runs, by kind. Transaction: caller's, reads only."""
    found: dict[str, dict[str, int]] = {run_id: {} for run_id in run_ids}
    statement = (
        select(Difference.run_id, Difference.kind, func.count())
        .where(Difference.run_id.in_(run_ids))
        .group_by(Difference.run_id, Difference.kind)
        .order_by(Difference.kind)
    )
    for run_id, kind, number in session.execute(statement):
        found[run_id][kind] = int(number)
    return found


def offered_of(session: Session, run_ids: Sequence[str]) -> Mapping[str, int]:
    """Count what runs still offer to apply. Transaction: caller's, reads only."""
    statement = (
        select(Difference.run_id, func.count())
        .where(Difference.run_id.in_(run_ids), Difference.state == DifferenceState.OFFERED.value)
        .group_by(Difference.run_id)
    )
    return {run_id: int(number) for run_id, number in session.execute(statement)}


def states_of(session: Session, run_id: str) -> Mapping[str, int]:
    """Count what became of what differed in a run. Transaction: caller's, reads only."""
    statement = (
        select(Difference.state, func.count())
        .where(Difference.run_id == run_id)
        .group_by(Difference.state)
    )
    return {state: int(number) for state, number in session.execute(statement)}


def backfills_of(session: Session, run_id: str) -> Sequence[ReconciliationRun]:
    """List the backfills of a run, newest first. Transaction: caller's, reads only."""
    statement = select(ReconciliationRun).where(ReconciliationRun.of_run_id == run_id)
    ordered = statement.order_by(ReconciliationRun.started_at.desc(), ReconciliationRun.id.desc())
    return session.scalars(ordered).all()


def cases_of(session: Session, rows: Sequence[Difference]) -> Mapping[str, ExceptionCase]:
    """Find the cases of differences, by id. Transaction: caller's, reads only."""
    ids = {row.case_id for row in rows if row.case_id}
    found = session.scalars(select(ExceptionCase).where(ExceptionCase.id.in_(ids)))
    return {case.id: case for case in found}


def newest_finished(
    session: Session, *, provider: str | None = None, limit: int
) -> Sequence[ReconciliationRun]:
    """List the newest runs that have compared everything, oldest first."""
    conditions = [
        ReconciliationRun.status == State.FINISHED.value,
        ReconciliationRun.cause != Cause.BACKFILL.value,
    ]
    if provider is not None:
        conditions.append(ReconciliationRun.provider == provider)
    statement = select(ReconciliationRun).where(*conditions)
    ordered = statement.order_by(ReconciliationRun.started_at.desc(), ReconciliationRun.id.desc())
    return session.scalars(ordered.limit(limit)).all()[::-1]


def offers(session: Session) -> Sequence[tuple[ReconciliationRun, int]]:
    """List the newest runs that still offer something, with how much. Transaction: caller's, reads only."""
    statement = (
        select(ReconciliationRun, func.count())
        .join(Difference, Difference.run_id == ReconciliationRun.id)
        .where(
            Difference.state == DifferenceState.OFFERED.value,
            ReconciliationRun.status != State.RUNNING.value,
        )
        .group_by(ReconciliationRun.id)
        .order_by(ReconciliationRun.started_at.desc())
        .limit(1)
    )
    return [(run, int(number)) for run, number in session.execute(statement)]


def is_waiting(row: Difference) -> bool:
    """Tell whether something is still to be done about a difference."""
    return row.state in _WAITING


def compared(run: ReconciliationRun) -> int:
    """Say how many things a run has compared."""
    return sum(runs.number_of(run, name) for name in COMPARED)


def equal(run: ReconciliationRun) -> int:
    """Say of how many all three said the same."""
    return runs.number_of(run, "equal")

"""The objects that a run has read, a page at a time by their names; and keeping what differed of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from core.book_states import Run as State
from domain.reconciliation import differences, said
from domain.reconciliation.differences import Found
from models.reconciliation import ProviderBooking, ReconciliationObject, ReconciliationRun

PAGE = 500


@dataclass(frozen=True)
class Objects:
    """A page of objects of one kind. cursor: where the next one begins, None: there is none."""

    rows: Sequence[ReconciliationObject]
    cursor: str | None


def next_page(session: Session, run: ReconciliationRun, kind: str) -> Objects:
    """List the next objects of a kind by name. Transaction: caller's, reads only."""
    statement = (
        select(ReconciliationObject)
        .where(
            ReconciliationObject.run_id == run.id,
            ReconciliationObject.kind == kind,
            ReconciliationObject.reference > (run.cursor or ""),
        )
        .order_by(ReconciliationObject.reference)
        .limit(PAGE)
    )
    rows = list(session.scalars(statement))
    return Objects(rows, rows[-1].reference if len(rows) == PAGE else None)


def write(session: Session, run: ReconciliationRun, *, found: Sequence[Found]) -> None:
    """Keep what differed of a page. Writes: as `differences.record`. Transaction: caller's."""
    for each in found:
        differences.record(session, run, each)


def count(session: Session, run: ReconciliationRun) -> int:
    """Count what a run has to compare: payments once, however many objects they have.

    Transaction: caller's, reads only.
    """
    own = ReconciliationObject.run_id == run.id
    payments = select(func.count(func.distinct(ReconciliationObject.payment_id))).where(
        own, ReconciliationObject.kind == said.PAYMENT
    )
    others = select(func.count()).where(own, ReconciliationObject.kind != said.PAYMENT)
    bookings = select(func.count()).where(
        ProviderBooking.provider == run.provider,
        ProviderBooking.livemode.is_(run.livemode),
        ProviderBooking.booked_at.between(run.window_from, run.window_to),
    )
    return sum(session.scalar(each) or 0 for each in (payments, others, bookings))


def _of_runs_over() -> Select[str]:
    return select(ReconciliationRun.id).where(
        ReconciliationRun.status != State.RUNNING.value,
        select(ReconciliationObject.run_id)
        .where(ReconciliationObject.run_id == ReconciliationRun.id)
        .exists(),
    )


def is_left(session: Session) -> bool:
    """Tell whether there are objects of runs that are over. Transaction: caller's, reads only."""
    return session.scalar(_of_runs_over().limit(1)) is not None


def throw_away(session: Session, *, limit: int) -> int:
    """Delete objects of runs that are over, some at a time. Gives how many.

    Writes: reconciliation_objects. Transaction: caller's.
    """
    run_id = session.scalar(_of_runs_over().limit(1))
    if run_id is None:
        return 0
    some = (
        select(ReconciliationObject.kind, ReconciliationObject.reference)
        .where(ReconciliationObject.run_id == run_id)
        .order_by(ReconciliationObject.kind, ReconciliationObject.reference)
        .limit(limit)
    )
    rows = session.execute(some).all()
    for kind in {row.kind for row in rows}:
        names = [row.reference for row in rows if row.kind == kind]
        session.execute(
            delete(ReconciliationObject)
            .where(
                ReconciliationObject.run_id == run_id,
                ReconciliationObject.kind == kind,
                ReconciliationObject.reference.in_(names),
            )
            .execution_options(synchronize_session=False)
        )
    return len(rows)

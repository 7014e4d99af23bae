"""The only claim path: a due row of the domain is the job, locked while its one transaction lasts.

Work that only touches the database holds the row lock until its commit, so that a killed worker's row
is free at once; work that talks to the network takes a lease with a fencing token instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock, ids
from core.errors import LostRace
from models.inbound import InboundEvent
from models.invoices import Document
from models.operations import Operation
from models.payments import Payment
from models.personal import DataExport
from models.presence import Schedule
from models.proofs import Mail
from models.reconciliation import ReconciliationRun

Leased = TypeVar("Leased", Operation, Payment, Schedule, Mail)
Taken = TypeVar("Taken", Document, DataExport, ReconciliationRun)

WAITING = ("received", "failed", "unmatched")
BACKOFF_SECONDS = (1, 5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)


def backoff(attempt: int) -> datetime:
    """Give when to try again after the nth failure (from 1), spread so that retries do not march in step."""
    seconds = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1]
    return clock.after(ids.jittered(seconds))


def claim_inbound(session: Session, *, limit: int = 1) -> list[InboundEvent]:
    """Lock the events that are due and that nobody else holds, oldest first.

    Transaction: caller's; the rows stay locked until it ends.
    """
    statement = (
        select(InboundEvent)
        .where(InboundEvent.state.in_(WAITING), InboundEvent.due_at <= clock.now())
        .order_by(InboundEvent.due_at, InboundEvent.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(statement))


def lock_payment(session: Session, condition: ColumnElement[bool]) -> Payment | None:
    """Lock one payment unless another transaction holds it; None when it is taken or absent.

    Transaction: caller's.
    """
    statement = (
        select(Payment)
        .where(condition)
        .with_for_update(skip_locked=True, of=Payment, key_share=True)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def due_in_seconds(session: Session) -> float | None:
    """Give how long until the next inbound event is due, or None when none waits."""
    at = session.scalar(
        select(func.min(InboundEvent.due_at)).where(InboundEvent.state.in_(WAITING))
    )
    return None if at is None else max(0.0, (at - clock.now()).total_seconds())


def lease(
    session: Session,
    model: type[Leased],
    *,
    due: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    seconds: float,
    conditions: Sequence[ColumnElement[bool]] = (),
    limit: int = 1,
) -> list[tuple[Leased, int]]:
    """Take due rows for work that talks to the network. Gives each row with its fencing token.

    Writes: lease_until, fence. Transaction: caller's; commit before the network is touched.
    """
    now = clock.now()
    statement = (
        select(model)
        .where(due <= now, or_(model.lease_until.is_(None), model.lease_until < now), *conditions)
        .order_by(due)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    taken = []
    for row in session.scalars(statement.execution_options(populate_existing=True)):
        row.fence += 1
        row.lease_until = clock.after(seconds)
        taken.append((row, row.fence))
    session.flush()
    return taken


def take(
    session: Session, model: type[Taken], *conditions: ColumnElement[bool], seconds: float
) -> Taken | None:
    """Take the row that has been due longest; until its new due moment nobody else takes it.

    Its new `fence` is what whoever took it must still find. For rows whose lease is their due moment.
    Writes: due_at, fence. Transaction: caller's; commit before the work that it is for.
    """
    statement = (
        select(model)
        .where(model.due_at <= clock.now(), *conditions)
        .order_by(model.due_at, model.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is not None:
        row.fence += 1
        row.due_at = clock.after(seconds)
        session.flush()
    return row


def release(
    session: Session, row: Operation | Payment | Schedule, fence: int, **values: object
) -> None:
    """Give a leased row back with what the work found; a zombie's token is refused.

    Raises: LostRace when another worker has taken the row since. Transaction: caller's.
    """
    table = type(row).__table__
    key = table.c.name if isinstance(row, Schedule) else table.c.id
    identity = row.name if isinstance(row, Schedule) else row.id
    changed = session.execute(
        update(type(row))
        .where(key == identity, table.c.fence == fence)
        .values(lease_until=None, **values)
        .returning(key)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise LostRace

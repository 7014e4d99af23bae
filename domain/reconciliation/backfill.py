"""One backfill of all that a run offered: shown first, then applied one payment after the other by the worker.

What is applied is what was shown: where it would now do anything else, nothing is done and people look again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Difference as State
from core.book_states import Run as RunState
from core.errors import (
    AppError,
    Conflict,
    LostRace,
    NotFound,
    ProviderUnavailable,
    ProviderUnknown,
)
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.control import settling
from domain.reconciliation import hearing, runs
from domain.reconciliation.pages import Page
from domain.reconciliation.runs import Cause, Wanted
from domain.transitions import Why, move_together
from models.payments import Payment
from models.people import User
from models.reconciliation import ReconciliationDifference, ReconciliationRun
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.said import Reading

STEP = "apply"
log = structlog.get_logger()


def start(
    session: Session, run_id: str, *, actor: Actor, reason: str, source: str, expected: int | None
) -> ReconciliationRun:
    """Begin to apply everything that a finished run offers; once at a time.

    expected: how many the person was shown. Writes: reconciliation_runs, audit_log.
    Emits: reconciliation.started. Raises: NotFound, InvalidInput, Conflict. Transaction: caller's.
    """
    runs.assert_reason(reason, required=True)
    run = session.get(ReconciliationRun, run_id)
    if run is None:
        raise NotFound
    if run.status == RunState.RUNNING.value:
        raise Conflict("This run is still comparing. Wait until it is over.")
    offered = count_offered(session, run_id)
    if not offered:
        raise Conflict("This run offers nothing that is not applied already.")
    if expected is not None and expected != offered:
        raise Conflict(
            f"You were shown {expected}, and {offered} are offered now. Look at it again.",
            code="PREVIEW_STALE",
        )
    wanted = Wanted(
        run.provider,
        run.window_from,
        run.window_to,
        Cause.BACKFILL,
        of_run_id=run_id,
        reason=reason,
        total=offered,
    )
    return runs.start(session, wanted, actor=actor, source=source, step=STEP)


def count_offered(session: Session, run_id: str) -> int:
    """Count what a run still offers. Transaction: caller's, reads only."""
    statement = select(func.count()).where(
        ReconciliationDifference.run_id == run_id,
        ReconciliationDifference.state == State.OFFERED.value,
    )
    return session.scalar(statement) or 0


def apply_next(run: ReconciliationRun) -> Page:
    """Ask for the next payment that was offered and find out whether it would do what was shown.

    Applying it is the page's `write`. Calls: the provider. Raises: ProviderUnavailable, Paused.
    Transaction: opens its own and rolls it back.
    """
    with database.reading() as session:
        row = _next(session, run)
        payment = session.get(Payment, row.payment_id) if row and row.payment_id else None
        why = Why(_asker(session, run), runs.source_of(run), run.reason)
    if row is None or payment is None:
        return Page()
    rail = registry.configured(run.provider, livemode=run.livemode)
    try:
        reading = rail.fetch(payment.provider_reference or row.provider_reference or "")
        heard = hearing.rehearse(payment.id, reading, why=why)
    except (settling.Paused, ProviderUnavailable, ProviderUnknown):
        raise
    except (AppError, UnreadableDelivery, SQLAlchemyError) as error:
        log.warning("backfill.refused", difference=row.id, error=type(error).__name__)
        return _page(row, partial(_set_aside, row_id=row.id, because=runs.in_words(error)))
    if heard.changed and heard.hash != row.effect_hash:
        because = f"it would now do something else: {heard.text}"
        return _page(row, partial(_set_aside, row_id=row.id, because=because))
    return _page(row, partial(_apply, row_id=row.id, reading=reading, why=why))


def _asker(session: Session, run: ReconciliationRun) -> Actor:
    """Give whoever asked for a backfill: it is done on their behalf, and for their reason."""
    user = session.get(User, run.asked_by) if run.asked_by else None
    if user is None:
        return system("operator")
    return Actor(user.id, "user", Role(user.role), user.name or user.role)


def _page(
    row: ReconciliationDifference, write: Callable[[Session, ReconciliationRun], None]
) -> Page:
    return Page(cursor=row.id, done=1, write=write)


def _next(session: Session, run: ReconciliationRun) -> ReconciliationDifference | None:
    statement = (
        select(ReconciliationDifference)
        .where(
            ReconciliationDifference.run_id == run.of_run_id,
            ReconciliationDifference.state == State.OFFERED.value,
            ReconciliationDifference.id > (run.cursor or ""),
        )
        .order_by(ReconciliationDifference.id)
        .limit(1)
    )
    return session.scalars(statement).first()


def _lock(session: Session, row_id: str) -> ReconciliationDifference | None:
    """Lock what was offered, unless a later run has found meanwhile that it is gone."""
    statement = (
        select(ReconciliationDifference)
        .where(
            ReconciliationDifference.id == row_id,
            ReconciliationDifference.state == State.OFFERED.value,
        )
        .with_for_update()
    )
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def _apply(
    session: Session, run: ReconciliationRun, *, row_id: str, reading: Reading, why: Why
) -> None:
    """Apply what was shown, and nothing else. Raises: LostRace when that has changed since a moment ago."""
    del run
    row = _lock(session, row_id)
    if row is None:
        return
    heard = hearing.hear(session, str(row.payment_id), reading, why=why)
    if heard.changed and heard.hash != row.effect_hash:
        raise LostRace
    to = State.APPLIED if heard.changed or _is_told(session, row) else State.GONE
    values: dict[str, object] = {"effect": heard.text[:2000]}
    if to == State.GONE:
        values = {"gone_at": clock.now()}
    move_together(session, row, moves={"difference": to.value}, values=values, why=why)


def _is_told(session: Session, row: ReconciliationDifference) -> bool:
    """Tell whether another difference of the same payment has brought all of it already."""
    same = select(ReconciliationDifference.id).where(
        ReconciliationDifference.run_id == row.run_id,
        ReconciliationDifference.payment_id == row.payment_id,
        ReconciliationDifference.state == State.APPLIED.value,
    )
    return session.scalar(same.limit(1)) is not None


def _set_aside(session: Session, run: ReconciliationRun, *, row_id: str, because: str) -> None:
    row = _lock(session, row_id)
    if row is not None:
        why = Why(system("reconciliation"), runs.source_of(run), because[:500])
        values: dict[str, object] = {"effect": f"Not applied: {because}"[:2000]}
        moves = {"difference": State.STALE.value}
        move_together(session, row, moves=moves, values=values, why=why)

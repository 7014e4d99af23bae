"""Working on a run: one page after the other, each kept in one transaction with how far the run has come.

A process may die at any point: what a page brought is kept together with the place of the next one, so the
next process goes on there, and nothing is counted twice or left out.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import AppError, LostRace, ProviderRefused
from domain import crash, database
from domain.control import settling
from domain.reconciliation import differences, objects, runs, steps
from domain.reconciliation.pages import NotYet, Page
from models.disputes import Dispute
from models.payments import Payment
from models.reconciliation import ReconciliationRun
from models.refunds import Refund

log = structlog.get_logger()


def advance(run_id: str, fence: int) -> bool:
    """Do the next page of a run that is in our hands. Gives False when that was the last one.

    Calls: the provider, with no transaction open. Writes: what the page found, reconciliation_runs.
    Emits: reconciliation.progress, reconciliation.finished, and what the page brings. Raises: LostRace
    when the run is over or in other hands; what the provider raises. Transaction: opens its own.
    """
    with database.reading() as session:
        run = session.get(ReconciliationRun, run_id)
    if run is None or run.fence != fence:
        raise LostRace
    page = steps.of(run.step)(run)
    crash.point("reconciliation.before_commit")
    with database.transaction() as session:
        held = runs.held(session, run_id, fence)
        page.write(session, held)
        goes_on = _move_on(session, held, page)
    crash.point("reconciliation.after_commit")
    return goes_on


def _move_on(session: Session, run: ReconciliationRun, page: Page) -> bool:
    """Note where the run goes on, or end it. Gives whether it goes on."""
    step = run.step if page.cursor is not None else steps.following(run.step)
    count = partial(differences.count, session, run.of_run_id or run.id)
    runs.go_on(
        session,
        run,
        step=step,
        cursor=page.cursor,
        done=page.done,
        total=_total(session, run, step, page),
        counts=page.counts,
        different=count,
    )
    if step == steps.END:
        runs.finish(session, run, different=count())
    return step != steps.END


def _total(session: Session, run: ReconciliationRun, step: str, page: Page) -> int | None:
    """Say how far it is: a guess from our own rows while the provider's are read, then the count of them."""
    if run.total is None:
        return 2 * _ours(session, run)
    if step == steps.FIRST_COMPARING and run.step != step:
        return run.done + page.done + objects.count(session, run)
    return run.total


def _ours(session: Session, run: ReconciliationRun) -> int:
    """Count what we have made in the window."""
    own = (Payment.provider == run.provider, Payment.livemode.is_(run.livemode))
    payments = select(func.count()).where(
        *own, Payment.created_at.between(run.window_from, run.window_to)
    )
    refunds = (
        select(func.count())
        .select_from(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(*own, Refund.created_at.between(run.window_from, run.window_to))
    )
    disputes = select(func.count()).where(
        Dispute.provider == run.provider,
        Dispute.livemode.is_(run.livemode),
        Dispute.opened_at.between(run.window_from, run.window_to),
    )
    return sum(session.scalar(each) or 0 for each in (payments, refunds, disputes))


def work(run_id: str, fence: int, *, pages: int) -> bool:
    """Do a few pages of a run that is in our hands, then let it go. Gives False when it is over.

    A provider that does not answer is asked again later, and after some tries the run fails with the
    reason. Transaction: opens its own.
    """
    try:
        for _ in range(pages):
            if not advance(run_id, fence):
                return False
    except LostRace:
        # It was cancelled, or our lease was over and somebody else goes on.
        return False
    except settling.Paused as error:
        _wait(run_id, fence, clock.after(runs.LEASE_SECONDS), error.message)
        return False
    except NotYet as error:
        _wait(run_id, fence, error.due_at, None)
        return False
    except AppError as error:
        log.warning("reconciliation.interrupted", run=run_id, error=error.code)
        interrupt(run_id, fence, error)
        return False
    with database.transaction() as session:
        runs.give_back(session, run_id, fence)
    return True


def _wait(run_id: str, fence: int, due_at: datetime, why: str | None) -> None:
    """Let a run wait where there is nothing to be done yet; that is nobody's fault and counts for no try."""
    with suppress(LostRace), database.transaction() as session:
        run = runs.held(session, run_id, fence)
        runs.wait(session, run, due_at, why)


def interrupt(run_id: str, fence: int, error: Exception) -> None:
    """Have a page tried again later; a provider's no, and what was tried often enough, ends the run.

    Writes: as `runs.put_off` and `runs.fail`. Transaction: opens its own.
    """
    with suppress(LostRace), database.transaction() as session:
        run = runs.held(session, run_id, fence)
        said = runs.in_words(error)
        is_final = isinstance(error, ProviderRefused)
        if is_final or not runs.put_off(session, run, said):
            fail(session, run, said)


def fail(session: Session, run: ReconciliationRun, said: str) -> None:
    """End a locked run that cannot be gone on with. Transaction: caller's."""
    tries = f" Tried {run.attempts + 1} times." if run.attempts else ""
    different = differences.count(session, run.of_run_id or run.id)
    runs.fail(session, run, f"{said}{tries}", different=different)

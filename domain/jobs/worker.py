"""The worker process: a few threads over the due rows, woken by commits, with a tick behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core import ids
from domain import database, queue
from domain.books import chains
from domain.control import settling
from domain.jobs import (
    bank_lines,
    bookings,
    cards,
    certificates,
    effects,
    exporting,
    housekeeping,
    inbound,
    janitor,
    mail,
    nightly,
    notices,
    overdue,
    printing,
    reconciliation,
    refunding,
    reversals,
    rules,
    secrets,
    signing,
    sweeping,
    watching,
)
from domain.listening import waker

TICK_SECONDS = 1.0
CHAIN_SECONDS = 0.5
JANITOR_SECONDS = 1.0
TIDY_SECONDS = 600.0
OVERDUE_SECONDS = 5.0
MAIL_SECONDS = 1.0
PRINTING_SECONDS = 0.5
CASE_SECONDS = 60.0
SWEEP_SECONDS = 30.0
RULES_SECONDS = 0.5
BOOKINGS_SECONDS = 2.0
DEFAULT_THREADS = 4
log = structlog.get_logger()


@dataclass(frozen=True)
class Loop:
    """One thread's work: called until it finds nothing, then again after a wake-up or a pause."""

    name: str
    work: Callable[[], int | bool]
    pause_seconds: float
    is_woken: bool


def _janitor() -> bool:
    solved = janitor.finish_operation()
    return janitor.check_payment() or solved


def _mail() -> bool:
    gathered = notices.gather()
    return mail.send_next() or gathered


def _link() -> bool:
    chains.link_all()
    signing.sign_due()
    return False


def loops(threads: int) -> list[Loop]:
    """List the threads of a worker; SQLite has one writer, so one thread applies events."""
    count = 1 if database.is_sqlite() else threads
    applying = [
        Loop(f"inbound-{no}", inbound.apply_next, TICK_SECONDS, is_woken=True)
        for no in range(1, count + 1)
    ]
    return [
        *applying,
        Loop("janitor", _janitor, JANITOR_SECONDS, is_woken=False),
        Loop("effects", effects.retry_next, JANITOR_SECONDS, is_woken=False),
        Loop("refunds", refunding.send_next, JANITOR_SECONDS, is_woken=False),
        Loop("cards", cards.tend_next, JANITOR_SECONDS, is_woken=False),
        Loop("chains", _link, CHAIN_SECONDS, is_woken=False),
        Loop("overdue", overdue.end_overdue, OVERDUE_SECONDS, is_woken=False),
        Loop("secrets", secrets.look_after, OVERDUE_SECONDS, is_woken=False),
        Loop("reencryption", secrets.seal_anew, JANITOR_SECONDS, is_woken=False),
        Loop("rules", rules.apply_rules, RULES_SECONDS, is_woken=False),
        Loop("mail", _mail, MAIL_SECONDS, is_woken=False),
        Loop("documents", printing.print_next, PRINTING_SECONDS, is_woken=False),
        Loop("exports", exporting.make_next, OVERDUE_SECONDS, is_woken=False),
        Loop("reversals", reversals.remind, CASE_SECONDS, is_woken=False),
        Loop("watch", watching.watch, JANITOR_SECONDS, is_woken=False),
        Loop("nightly", nightly.check, OVERDUE_SECONDS, is_woken=False),
        Loop("certificates", certificates.print_next, OVERDUE_SECONDS, is_woken=False),
        Loop("overdue cases", notices.find_overdue, CASE_SECONDS, is_woken=False),
        Loop("reconciliation", reconciliation.work_next, JANITOR_SECONDS, is_woken=False),
        Loop("comparisons due", reconciliation.begin_due, SWEEP_SECONDS, is_woken=False),
        Loop("bookings", bookings.take_next, BOOKINGS_SECONDS, is_woken=False),
        Loop("bank lines", bank_lines.look_again, SWEEP_SECONDS, is_woken=False),
        Loop("sweep", sweeping.tell_untold, SWEEP_SECONDS, is_woken=False),
        Loop("housekeeping", housekeeping.tidy, TIDY_SECONDS, is_woken=False),
    ]


def _run(loop: Loop, stop: threading.Event) -> None:
    """Run one loop until told to stop; a failure is logged and waited out, never fatal."""
    while not stop.is_set():
        seen = waker.count()
        try:
            if loop.work():
                continue
        except SQLAlchemyError as error:
            log.warning("worker.database_failed", loop=loop.name, error=type(error).__name__)
            stop.wait(ids.jittered(TICK_SECONDS))
        except Exception:
            log.exception("worker.loop_failed", loop=loop.name)
            stop.wait(ids.jittered(TICK_SECONDS))
        if loop.is_woken:
            waker.wait(_until_due(loop.pause_seconds), since=seen)
        else:
            stop.wait(loop.pause_seconds)


def _until_due(longest: float) -> float:
    """An event that waits for its payment's lock is due sooner than the tick."""
    try:
        with database.reading() as session:
            if settling.is_paused(session):
                return longest
            due = queue.due_in_seconds(session)
    except SQLAlchemyError:
        return longest
    return longest if due is None else min(longest, max(due, 0.01))


def run_worker(*, threads: int, stop: threading.Event) -> None:
    """Work until `stop` is set, then finish what is in hand.

    threads: how many apply inbound events on PostgreSQL.
    """
    running = [
        threading.Thread(target=_run, args=(loop, stop), name=loop.name, daemon=True)
        for loop in loops(threads)
    ]
    for thread in running:
        thread.start()
    # Waited for in short turns: a signal that reached another thread is handled when this one runs again.
    while not stop.wait(TICK_SECONDS):
        pass
    waker.wake()
    for thread in running:
        thread.join(timeout=30)


def work_until_idle() -> int:
    """Apply everything that is due now, in this thread. Gives how many events were applied."""
    count = 0
    while applied := inbound.apply_next():
        count += applied
    return count

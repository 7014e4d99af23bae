"""Printing: one document after the other, in a process of its own; no transaction is open meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from core.errors import AppError, LostRace
from core.vault import CannotOpen
from domain import crash, database
from domain.actors import system
from domain.invoices import documents, papers
from domain.invoices.documents import Claimed, Failure
from domain.transitions import Why
from printing import printers, wire
from printing.contents import Content
from printing.printers import Printer

_PRINTER = system("printer")
log = structlog.get_logger()


class _Press:
    """The one printer of this worker, lent to one thread at a time and kept warm between documents."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._printer = Printer()

    @contextmanager
    def lent(self) -> Iterator[Printer]:
        with self._turn:
            yield self._printer

    def close(self) -> None:
        with self._turn:
            self._printer.close()


_press = _Press()


def print_next() -> bool:
    """Print one document that is due. Gives False when none is.

    Calls: the printer's process. Writes: documents, exception_cases. Emits: exception.opened.
    Transaction: opens its own, none while it is printed.
    """
    with database.reading() as session:
        # Asked first without the write lock, since most of the time none waits.
        if not documents.is_any_due(session):
            return False
    with database.transaction() as session:
        claimed = documents.claim(session)
    if claimed is None:
        return False
    crash.point("document.after_claim")
    try:
        _print(claimed)
    except LostRace:
        log.warning("document.lost_race", document=claimed.id)
    return True


def _print(claimed: Claimed) -> None:
    printed = _printed(claimed)
    if isinstance(printed, Failure):
        _give_back(claimed, printed)
        return
    crash.point("document.before_commit")
    why = Why(_PRINTER, f"document:{claimed.id}")
    with database.transaction() as session:
        documents.keep(session, claimed, pdf=printed.pdf, xml=printed.xml, why=why)
    log.info("document.printed", document=claimed.id, kind=claimed.kind, bytes=len(printed.pdf))


def _printed(claimed: Claimed) -> printers.Document | Failure:
    try:
        with database.reading() as session:
            content = papers.content_of(session, claimed.kind, claimed.object_id)
        return print_out(content)
    except printers.NotInstalled as error:
        return Failure(error.said, is_missing=True)
    except printers.Unprintable as error:
        return Failure(error.said, is_final=True)
    except printers.PrinterDied as error:
        return Failure(error.said)
    except CannotOpen:
        return Failure("what it says was sealed with a key that is not held here")
    except (AppError, ValueError) as error:
        # Its words may hold what somebody wrote; its name does not.
        return Failure(f"what it says cannot be gathered: {type(error).__name__}", is_final=True)


def print_out(content: Content) -> printers.Document:
    """Print a content now, in this worker's printer. No transaction may be open.

    Raises: printers.PrintingFailed
    """
    with _press.lent() as printer:
        return printer.print_out(wire.pack(content))


def close() -> None:
    """End this worker's printer."""
    _press.close()


def _give_back(claimed: Claimed, failure: Failure) -> None:
    why = Why(_PRINTER, f"document:{claimed.id}", failure.said)
    with database.transaction() as session:
        is_over = documents.note_failure(session, claimed, failure, why=why)
    log.warning("document.not_printed", document=claimed.id, error=failure.said, dead=is_over)

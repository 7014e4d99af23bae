"""Entries and postings as one stream: rows for spreadsheets, or documents, page by page from the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from api.book_shapes import entry, line
from core import clock
from core.csvsafe import Cell
from core.money import Money
from domain.books import book_queries
from domain.books.book_queries import EntryFilter, Line
from domain.database import reading
from domain.payments.payments import LONGEST_PAGE, Page
from models.ledger import JournalEntry, LedgerAccount

ENTRY_COLUMNS = (
    "entryId at effectiveAt period lateOf kind sourceKey orderId invoiceId paymentId "
    "providerReference debit credit amount currency note reverses reversedBy reversalDueOn hash"
).split()
LINE_COLUMNS = "postingId entryId at side amount balanceAfter currency".split()
Found = tuple[JournalEntry, list[tuple[str, str, Money]], str | None]


def entries(wanted: EntryFilter) -> Iterator[Found]:
    """Walk every page, newest first; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        with reading() as session:
            page = Page(LONGEST_PAGE, before)
            rows, before = book_queries.list_entries(session, wanted, page=page)
            ids = [row.id for row in rows]
            movements = book_queries.movements_of(session, ids)
            reversals = book_queries.reversals_of(session, ids)
        yield from ((row, movements[row.id], reversals.get(row.id)) for row in rows)
        if before is None:
            return


def entry_documents(wanted: EntryFilter) -> Iterator[dict[str, Any]]:
    """Give every entry of a filter as the API shows it."""
    for row, movements, reversed_by in entries(wanted):
        yield entry(row, movements, reversed_by)


def entry_cells(wanted: EntryFilter) -> Iterator[list[Cell]]:
    """Give every movement of a filter's entries as a row under `ENTRY_COLUMNS`."""
    for row, movements, reversed_by in entries(wanted):
        for debit, credit, amount in movements:
            yield [
                row.id,
                clock.rfc3339(row.posted_at),
                clock.rfc3339(row.effective_at),
                row.period,
                row.late_of,
                row.kind,
                row.source_key,
                row.order_id,
                row.invoice_id,
                row.payment_id,
                row.provider_reference,
                debit,
                credit,
                amount.as_decimal(),
                amount.asset.code,
                row.note,
                row.reverses_id,
                reversed_by,
                row.reversal_due_on.isoformat() if row.reversal_due_on else None,
                row.content_hash,
            ]


def _lines(
    account: LedgerAccount, since: datetime | None, until: datetime | None
) -> Iterator[Line]:
    before = None
    while True:
        with reading() as session:
            found, before = book_queries.list_lines(
                session,
                account,
                limit=LONGEST_PAGE,
                before=before,
                posted_from=since,
                posted_to=until,
            )
        yield from found
        if before is None:
            return


def line_documents(
    account: LedgerAccount, *, since: datetime | None, until: datetime | None
) -> Iterator[dict[str, Any]]:
    """Give every posting of an account as the API shows it."""
    yield from map(line, _lines(account, since, until))


def line_cells(
    account: LedgerAccount, *, since: datetime | None, until: datetime | None
) -> Iterator[list[Cell]]:
    """Give every posting of an account as a row under `LINE_COLUMNS`."""
    for found in _lines(account, since, until):
        said = line(found)
        yield [
            said["postingId"],
            found.entry_id,
            said["at"],
            said["side"],
            found.amount.as_decimal(),
            found.after.as_decimal(),
            found.amount.asset.code,
        ]

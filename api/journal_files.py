"""The journal as files for other programs: plain-text ledgers and accounting imports, oldest entry first.

Each page is read by itself, so that a million entries need no more memory than a thousand and a slow
reader holds nothing open. What is posted while a file is written is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby

from flask import Response

from core import chart, clock, entry_kinds, import_rows, ledger_text
from core.chart import Kind
from core.csvsafe import Cell
from core.errors import invalid
from core.ledger_text import Booked
from core.money import Money, asset
from domain import calendar
from domain.actors import Actor
from domain.books import book_queries
from domain.books.book_queries import AccountFilter, EntryFilter
from domain.database import reading
from models.ledger import JournalEntry
from web.exports import csv_stream, text_stream

_PAGE = 500
# What each value of `format=` is, for the description of the API.
FORMATS: Mapping[str, str] = {
    "csv": "one row per movement, newest first",
    "json": "every entry as this route shows it, newest first",
    "hledger": "a plain-text journal that hledger reads",
    "beancount": "a plain-text ledger that Beancount reads",
    "double_entry": "CSV with one row per line, debit and credit in columns of their own",
    "xero": "CSV for Xero's import of manual journals; needs `currency`",
    "quickbooks": "CSV for QuickBooks Online's import of journal entries; needs `currency`",
}
DESCRIPTION = "Export instead of a page: " + "; ".join(
    f"`{name}`: {meaning}" for name, meaning in FORMATS.items()
)


@dataclass(frozen=True)
class Wanted:
    """Which entries, of which currency (None: all), and who asks."""

    entries: EntryFilter
    currency: str | None
    actor: Actor


def answer(name: str, wanted: Wanted) -> Response:
    """Stream the journal in one of the formats that are neither plain CSV nor JSON.

    Raises: InvalidInput where a format is of one currency and none is named
    """
    until = wanted.entries.posted_to
    begun = clock.now()
    until = begun if until is None else min(until, begun)
    return _WRITERS[name](replace(wanted, entries=replace(wanted.entries, posted_to=until)))


def _booked(wanted: EntryFilter) -> Iterator[Booked]:
    after: tuple[datetime, str] | None = None
    while True:
        with reading() as session:
            rows = book_queries.list_entries_after(session, wanted, after=after, limit=_PAGE)
            movements = book_queries.movements_of(session, [row.id for row in rows])
        yield from (_entry(row, movements[row.id]) for row in rows)
        if len(rows) < _PAGE:
            return
        after = (rows[-1].posted_at, rows[-1].id)


def _entry(row: JournalEntry, movements: Sequence[tuple[str, str, Money]]) -> Booked:
    ties = {
        "order": row.order_id,
        "invoice": row.invoice_id,
        "payment": row.payment_id,
        "reference": row.provider_reference,
        "reverses": row.reverses_id,
        "period": row.period or calendar.month_of(row.effective_at),
        "late": row.late_of,
    }
    label = entry_kinds.label_of(row.kind)
    return Booked(row.id, _dated(row), label, row.note, ties, movements)


def _dated(row: JournalEntry) -> date:
    """Give the day on which an entry counts in its period: a late one on its posting, or the period's last."""
    effective, posted = calendar.day_of(row.effective_at), calendar.day_of(row.posted_at)
    if row.late_of is None or row.period is None:
        return effective
    first, last = calendar.days_of(row.period)
    return min(max(posted, first), last)


def _addresses(actor: Actor) -> Iterator[tuple[str, list[str]]]:
    """Walk every account with the currencies that it is kept in."""
    after: tuple[str, str] | None = None
    while True:
        with reading() as session:
            rows = book_queries.list_accounts(
                session, AccountFilter(), actor=actor, limit=_PAGE, after=after
            )
        for address, same in groupby(rows, key=lambda row: row.address):
            yield address, [row.asset for row in same]
        if len(rows) < _PAGE:
            return
        after = (rows[-1].address, rows[-1].asset)


def _kind(address: str) -> Kind:
    pattern = chart.find(address)
    return Kind.EQUITY if pattern is None else pattern.kind


def _hledger(wanted: Wanted) -> Response:
    def parts() -> Iterator[str]:
        yield "; The journal of Paydesk. Checked by: hledger -f FILE check -s\n\n"
        units, last = set(), None
        for address, own in _addresses(wanted.actor):
            units.update(own)
            # An account may lie on both sides of a page.
            if address != last:
                yield ledger_text.hledger_account(address, _kind(address))
            last = address
        for unit in sorted(units):
            yield ledger_text.hledger_commodity(asset(unit))
        yield "\n"
        yield from map(ledger_text.hledger_entry, _booked(wanted.entries))

    return text_stream("journal.hledger", parts())


def _beancount(wanted: Wanted) -> Response:
    def named(address: str) -> str:
        return ledger_text.beancount_account(address, _kind(address))

    def parts() -> Iterator[str]:
        yield '; The journal of Paydesk. Checked by: bean-check FILE\noption "title" "Paydesk"\n\n'
        last = None
        for address, _ in _addresses(wanted.actor):
            if address != last:
                yield ledger_text.beancount_open(named(address))
            last = address
        yield "\n"
        for entry in _booked(wanted.entries):
            every = {each for debit, credit, _ in entry.movements for each in (debit, credit)}
            yield ledger_text.beancount_entry(entry, {each: named(each) for each in every})

    return text_stream("journal.beancount", parts())


def _double_entry(wanted: Wanted) -> Response:
    rows = (row for entry in _booked(wanted.entries) for row in import_rows.double_entry(entry))
    return csv_stream("journal-lines", import_rows.DOUBLE_ENTRY, rows)


def _of_one_currency(
    name: str, head: Sequence[str], write: Callable[[Booked, str], Iterator[list[Cell]]]
) -> Callable[[Wanted], Response]:
    def made(wanted: Wanted) -> Response:
        currency = wanted.currency
        if currency is None:
            said = "A file of this format holds one currency: name it."
            raise invalid("currency", said, code="missing")
        code = asset(currency).code
        rows = (row for entry in _booked(wanted.entries) for row in write(entry, code))
        return csv_stream(f"{name}-{code}", head, rows)

    return made


_WRITERS: Mapping[str, Callable[[Wanted], Response]] = {
    "hledger": _hledger,
    "beancount": _beancount,
    "double_entry": _double_entry,
    "xero": _of_one_currency("xero-journals", import_rows.XERO, import_rows.xero),
    "quickbooks": _of_one_currency(
        "quickbooks-journals", import_rows.QUICKBOOKS, import_rows.quickbooks
    ),
}

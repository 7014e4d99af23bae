"""The long version: a million entries leave in every format, and the process hardly grows."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from api import book_exports, journal_files, trial_balances
from api.journal_files import FORMATS, Wanted
from core import csvsafe
from domain import database
from domain.actors import system
from domain.books import trial_balance
from domain.books.book_queries import EntryFilter
from domain.books.trial_balance import Totals, When
from domain.database import reading
from web.exports import Kept

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

ENTRIES = 1_000_000
MOST_GROWTH_KIB = 80 * 1024
_NUMBERS = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :count)"
_ID = "'jrn_' || (10000000 + i)"
_AT = "2026-11-21 12:00:00.000000"
# A million entries between ten thousand accounts, written around `post` since that would take an hour.
FILL = (
    f"""{_NUMBERS} insert into ledger_accounts (address, asset, kind, created_at)
    select 'adjustments:a' || i, 'EUR/2', 'equity', '{_AT}' from n where i <= 10000""",
    f"""{_NUMBERS} insert into journal_entries (id, kind, source_key, source, payment_id,
      provider_reference, note, period, details, content_hash, livemode, demo, effective_at, posted_at)
    select {_ID}, 'fee', 'key' || i, 'soak', 'pay_1', '=cmd' || i, '+note ' || i, '2026-11', '{{}}',
      'x', false, false, '{_AT}', '{_AT}' from n""",
    f"""{_NUMBERS} insert into postings (entry_id, line, pair, address, asset, amount_minor)
    select {_ID}, 1, 1, 'adjustments:a' || (1 + i % 10000), 'EUR/2', i from n""",
    f"""{_NUMBERS} insert into postings (entry_id, line, pair, address, asset, amount_minor)
    select {_ID}, 2, 1, 'adjustments:a' || (1 + (i + 1) % 10000), 'EUR/2', -i from n""",
    f"""{_NUMBERS} insert into journal_seals (entry_id, postings, sealed_at)
    select {_ID}, 2, '{_AT}' from n""",
)


def fill(count: int) -> None:
    """Write so many entries into the bound database."""
    with database.engine().begin() as connection:
        for statement in FILL:
            connection.execute(text(statement), {"count": count})


def written(name: str) -> Iterator[object]:
    """Give a file part by part, as a response does."""
    if name == "csv":
        return map(csvsafe.line, book_exports.entry_cells(EntryFilter()))
    if name == "json":
        return iter(book_exports.entry_documents(EntryFilter()))
    return iter(journal_files.answer(name, Wanted(EntryFilter(), "EUR", system("soak"))).response)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_million_entries_need_hardly_more_memory_than_none(app: Flask) -> None:
    del app
    fill(ENTRIES)
    for name in FORMATS:
        begin = peak_kib()
        parts = sum(1 for _ in written(name))
        assert parts >= ENTRIES, name
        assert peak_kib() - begin < MOST_GROWTH_KIB, name
    begin, totals = peak_kib(), Totals()
    with reading() as session:
        rows = trial_balance.rows(session, When(known_at=None))
        kept = Kept(map(trial_balances._item, trial_balances._counted(rows, totals)))
    assert sum(len(part) for part in kept.read()) > 10_000
    assert [difference.minor for _, _, difference in totals.rows()] == [0]
    assert peak_kib() - begin < MOST_GROWTH_KIB

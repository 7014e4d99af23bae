"""Every file of the journal adds up to the trial balance, whatever was written into it, in bounded memory."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from api import book_exports, journal_files
from api.journal_files import FORMATS, Wanted
from core import ledger_text
from core.account_numbers import NUMBERS, number_of
from core.money import Money, asset
from domain import calendar
from domain.actors import system
from domain.books import accounts, ledger
from domain.books.book_queries import EntryFilter
from domain.database import reading, transaction
from models.ledger import LedgerAccount
from tests.api import bookkeeping
from tests.api.bookkeeping import posted, posting
from tests.api.personas import Personas
from tests.api.till import Till
from tests.core.test_ledger_text import HOSTILE
from tests.domain import journaling

ENTRIES = "/api/journal/entries"
Sums = Counter[tuple[str, str]]


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def books(till: Till, who: Personas) -> Till:
    """Books in two currencies, with hostile notes, a reversal, and an entry that came late."""
    ground = bookkeeping.ground(till, who)
    for note in HOSTILE:
        # A NUL and half a surrogate never come in over the API.
        posted(till, who, ground.body(note=note.replace("\x00", "") or "x"))
    entry_id = posted(till, who, ground.body(posting("cash:main", "adjustments:a_b", "700", "JPY")))
    back = till.post(f"{ENTRIES}/{entry_id}/reverse", who.fin, {"note": "=1+1"})
    bookkeeping.agree(back.get_json()["approvalId"], who.flo)
    both = (
        posting("cash:main", "adjustments:a-b", "1.00"),
        posting("cash:main", "adjustments:a-b", "900", "JPY"),
    )
    posted(till, who, ground.body(*both, note="two currencies"))
    last = calendar.today().replace(day=1) - timedelta(days=40)
    journaling.close_month(last)
    with transaction() as session:
        movement = ledger.Movement(
            accounts.rail_fees("stripe"), accounts.clearing("stripe"), Money(35, asset("EUR"))
        )
        ties = ledger.Ties(provider="stripe", provider_reference="=cmd|'/c calc'!A1")
        ledger.post(
            session,
            "fee",
            movements=[movement],
            source_key="late-fee",
            source="test",
            ties=ties,
            effective_at=calendar.begin_of(last),
        )
    return till


def trial(till: Till, who: Personas) -> Sums:
    found: Sums = Counter()
    for each in till.get("/api/ledger/trial-balance", who.fin).get_json()["accounts"]:
        minor = Decimal(each["debits"]) - Decimal(each["credits"])
        found[each["address"], each["currency"]] += minor  # type: ignore[assignment]
    return Counter({place: value for place, value in found.items() if value})


def file(till: Till, who: Personas, name: str, more: str = "") -> str:
    answer = till.get(f"{ENTRIES}?format={name}{more}", who.fin)
    assert answer.status_code == 200, answer.text
    return answer.text


def rows(text: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(text))


def from_csv(text: str) -> Iterator[tuple[str, str, str]]:
    for row in rows(text):
        yield row["debit"], row["currency"], row["amount"]
        yield row["credit"], row["currency"], f"-{row['amount']}"


def from_json(text: str) -> Iterator[tuple[str, str, str]]:
    for entry in json.loads(text)["items"]:
        for each in entry["postings"]:
            money = each["amount"]
            yield each["debit"], money["currency"], money["amount"]
            yield each["credit"], money["currency"], f"-{money['amount']}"


def from_hledger(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        if found := re.fullmatch(r"    ([A-Za-z0-9_.\-:]+)  (-?[\d.]+) ([A-Z]+)", line):
            yield found[1], found[3], found[2]


def from_beancount(text: str) -> Iterator[tuple[str, str, str]]:
    with reading() as session:
        known = {
            ledger_text.beancount_account(row.address, row.kind): row.address
            for row in session.query(LedgerAccount)
        }
    opened = re.findall(r"^1970-01-01 open (\S+)$", text, re.MULTILINE)
    assert sorted(opened) == sorted(known)
    for line in text.splitlines():
        if found := re.fullmatch(r"  ([A-Z][A-Za-z0-9\-:]+)  (-?[\d.]+) ([A-Z]+)", line):
            yield known[found[1]], found[3], found[2]


def from_double_entry(text: str) -> Iterator[tuple[str, str, str]]:
    for row in rows(text):
        assert bool(row["Debit"]) != bool(row["Credit"])
        yield row["Account"], row["Currency"], row["Debit"] or f"-{row['Credit']}"


READERS: dict[str, Callable[[str], Iterator[tuple[str, str, str]]]] = {
    "csv": from_csv,
    "json": from_json,
    "hledger": from_hledger,
    "beancount": from_beancount,
    "double_entry": from_double_entry,
}


def added(lines: Iterator[tuple[str, str, str]]) -> Sums:
    found: Sums = Counter()
    for address, currency, amount in lines:
        found[address, currency] += Decimal(amount)  # type: ignore[assignment]
    return Counter({place: value for place, value in found.items() if value})


def test_every_file_adds_up_to_the_trial_balance(books: Till, who: Personas) -> None:
    expected = trial(books, who)
    assert len(expected) > 5
    for name, read in READERS.items():
        assert added(read(file(books, who, name))) == expected, name


def test_files_of_one_currency_add_up_by_number_and_by_name(books: Till, who: Personas) -> None:
    expected: dict[str, Counter[str]] = {"EUR": Counter(), "JPY": Counter()}
    for (address, currency), total in trial(books, who).items():
        expected[currency][number_of(address).code] += total
    for currency in ("EUR", "JPY"):
        wanted = {code: amount for code, amount in expected[currency].items() if amount}
        by_code: Counter[str] = Counter()
        for row in rows(file(books, who, "xero", f"&currency={currency}")):
            by_code[row["*AccountCode"]] += Decimal(row["*Amount"])  # type: ignore[assignment]
        assert {code: amount for code, amount in by_code.items() if amount} == wanted
        codes = {each.name: each.code for each in NUMBERS.values()}
        by_name: Counter[str] = Counter()
        for row in rows(file(books, who, "quickbooks", f"&currency={currency}")):
            amount = Decimal(row["Debits"] or f"-{row['Credits']}")
            by_name[codes[row["Account Name"]]] += amount  # type: ignore[assignment]
            assert (row["Currency"], len(row["Journal No"])) == (currency, 20)
        assert {code: amount for code, amount in by_name.items() if amount} == wanted
    for name in ("xero", "quickbooks"):
        missing = books.get(f"{ENTRIES}?format={name}", who.fin)
        assert missing.get_json()["error"]["details"]["fields"][0]["field"] == "currency"
        assert books.get(f"{ENTRIES}?format={name}&currency=XXL", who.fin).status_code == 400


def test_no_cell_is_a_formula_and_no_note_leaves_its_place(books: Till, who: Personas) -> None:
    for name in ("csv", "double_entry", "xero", "quickbooks"):
        more = "&currency=EUR" if name in ("xero", "quickbooks") else ""
        for row in rows(file(books, who, name, more)):
            for column, value in row.items():
                is_number = re.fullmatch(r"-?\d+(\.\d+)?", value)
                assert is_number or not value.startswith(("=", "+", "-", "@", "\t", "\r")), column
    text = file(books, who, "hledger")
    # Two entries more than those of the notes: nothing that a note says begins one.
    count = len(list(rows(file(books, who, "csv")))) and len(
        json.loads(file(books, who, "json"))["items"]
    )
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \* \(jrn_", text, re.MULTILINE)) == count
    beans = file(books, who, "beancount")
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \* \"", beans, re.MULTILINE)) == count
    assert "forged\n" not in text and "forged\n" not in beans


def test_a_late_entry_is_dated_in_the_period_that_it_counts_in(books: Till, who: Personas) -> None:
    (late,) = books.get(f"{ENTRIES}?late=true", who.fin).get_json()["items"]
    (debit, credit) = rows(file(books, who, "double_entry", "&late=true"))
    assert debit["Date"][:7] == late["period"] == debit["Period"] == credit["Period"]
    assert late["lateOf"] < late["period"]


def test_files_hold_what_the_filter_asks_for_oldest_first(books: Till, who: Personas) -> None:
    manual = list(rows(file(books, who, "double_entry", "&manual=true")))
    assert {row["Kind"] for row in manual} == {"Manual entry"}
    ids = [row["EntryId"] for row in rows(file(books, who, "double_entry"))]
    assert ids == sorted(ids)
    assert list(rows(file(books, who, "double_entry", "&to=2020-01-01T00:00:00Z"))) == []
    for name in FORMATS:
        answer = books.get(f"{ENTRIES}?format={name}&currency=EUR", who.ann)
        assert answer.status_code == 200
        if name != "json":
            assert "attachment" in answer.headers["Content-Disposition"], name
        answer.close()
        assert books.get(f"{ENTRIES}?format={name}&currency=EUR", who.mel).status_code == 403


def test_formats_are_described(till: Till, who: Personas) -> None:
    document = till.get("/api/openapi.json", who.fin).get_json()
    parameters = document["paths"]["/api/journal/entries"]["get"]["parameters"]
    (found,) = [each for each in parameters if each["name"] == "format"]
    said = json.dumps(found)
    for name in FORMATS:
        assert name in said
    assert "Xero" in said


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_longer_journal_needs_no_more_memory(app: Flask) -> None:
    del app
    few = _peaks(600)
    many = _peaks(2_400)
    for name, peak in many.items():
        assert peak < few[name] * 1.5 + 300_000, (name, few[name], peak)


def _peaks(count: int) -> dict[str, int]:
    """Post so many entries, and say how much memory each file took at most, in bytes."""
    pair = ledger.Movement(accounts.adjustments("x"), accounts.adjustments("y"), Money(1, _EUR))
    for begin in range(0, count, 300):
        with transaction() as session:
            for number in range(begin, begin + 300):
                ledger.post(
                    session,
                    "reserve",
                    movements=[pair],
                    source_key=f"{count}:{number}",
                    source="test",
                    ties=ledger.Ties(),
                )
    wanted = Wanted(EntryFilter(), "EUR", system("test"))
    found = {}
    for name in FORMATS:
        if name in ("csv", "json"):
            walk = book_exports.entry_cells if name == "csv" else book_exports.entry_documents
            parts: Iterator[object] = iter(walk(EntryFilter()))
        else:
            parts = iter(journal_files.answer(name, wanted).response)
        tracemalloc.start()
        for _ in parts:
            pass
        found[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


_EUR = asset("EUR")

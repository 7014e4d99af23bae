"""Plain-text ledgers say what the books say and nothing that somebody wrote into a note."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import account_numbers, chart, csvsafe, import_rows, ledger_text
from core.chart import CHART
from core.ledger_text import Booked
from core.money import Money, asset

PART = st.from_regex(r"[A-Za-z0-9_.\-]{1,12}", fullmatch=True)
HOSTILE = (
    '"; 2000-01-01 * "x',
    "note\n2000-01-01 * forged\n  a  1 EUR\n  b",
    "date:9999-99-99, [2000-01-01]",
    "a ; b | c",
    '\\" \\',
    "=HYPERLINK(1)",
    "end comment\x00\x1b[2J\u202e",
    "(code) ! * %",
)


def entry(note: str | None, reference: str = "pi_1", code: str = "EUR") -> Booked:
    amount = Money(1250, asset(code))
    return Booked(
        "jrn_1",
        date(2026, 11, 21),
        "Manual entry",
        note,
        {"order": "ord_1", "reference": reference, "late": None},
        [("provider:stripe:clearing", "buyer:usr_1:funds", amount)],
    )


# One entry as hledger reads it: https://hledger.org/hledger.html#transactions
HLEDGER = re.compile(
    r"\d{4}-\d\d-\d\d \* \(jrn_1\) [^;|\n]+\n"
    r"(    ; [a-z]+:[A-Za-z0-9_.@+=/?\-]+\n)*"
    r"    provider:stripe:clearing  12\.50 EUR\n"
    r"    buyer:usr_1:funds  -12\.50 EUR\n\n"
)
# One entry as Beancount reads it: its strings end at the first quote without a backslash.
_STRING = r'"(?:[^"\\\n]|\\.)*"'
BEANCOUNT = re.compile(
    rf"\d{{4}}-\d\d-\d\d \* {_STRING} {_STRING} \^jrn_1\n"
    rf"(  [a-z]+: {_STRING}\n)*"
    r"  Assets:Provider:Stripe:Clearing  12\.50 EUR\n"
    r"  Liabilities:Buyer:Usr-u1:Funds  -12\.50 EUR\n\n"
)
NAMES = {
    "provider:stripe:clearing": "Assets:Provider:Stripe:Clearing",
    "buyer:usr_1:funds": "Liabilities:Buyer:Usr-u1:Funds",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_was_written_leaves_its_place(text: str) -> None:
    for written in (entry(text), entry(None, reference=text)):
        assert HLEDGER.fullmatch(ledger_text.hledger_entry(written))
        assert BEANCOUNT.fullmatch(ledger_text.beancount_entry(written, NAMES))


@given(st.text(max_size=60), st.text(max_size=30))
def test_whatever_is_written_the_grammar_stays(note: str, reference: str) -> None:
    written = entry(note, reference)
    assert HLEDGER.fullmatch(ledger_text.hledger_entry(written))
    assert BEANCOUNT.fullmatch(ledger_text.beancount_entry(written, NAMES))


def test_amounts_have_the_decimals_of_their_currency() -> None:
    assert "  1250 JPY\n" in ledger_text.hledger_entry(entry("x", code="JPY"))
    assert "  -1.250 KWD\n" in ledger_text.hledger_entry(entry("x", code="KWD"))
    assert ledger_text.hledger_commodity(asset("JPY")) == "commodity 1000. JPY\n"
    assert ledger_text.hledger_commodity(asset("KWD")) == "commodity 1000.000 KWD\n"


@given(PART, PART)
def test_two_addresses_are_never_one_account(one: str, other: str) -> None:
    names = [
        ledger_text.beancount_account(f"adjustments:{each}", "equity") for each in (one, other)
    ]
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert re.fullmatch(r"Equity(:[A-Z0-9][A-Za-z0-9\-]*)+", name)


def test_every_line_of_the_chart_has_a_number_of_its_own() -> None:
    assert set(account_numbers.NUMBERS) == set(CHART)
    codes = [each.code for each in account_numbers.NUMBERS.values()]
    names = [each.name for each in account_numbers.NUMBERS.values()]
    assert len(codes) == len(set(codes)) and len(names) == len(set(names))
    digit = {"asset": "1", "liability": "2", "equity": "3", "income": "4", "expense": "5"}
    for pattern, number in account_numbers.NUMBERS.items():
        assert number.code[0] == digit[pattern.kind], pattern.template
    assert account_numbers.number_of("wallet:usr_1:balance:reserved").code == "2120"
    assert account_numbers.number_of("nothing:like:this") == account_numbers.UNKNOWN
    assert chart.find("wallet:usr_1:balance") in account_numbers.NUMBERS


def test_imports_hold_one_row_for_each_line_and_balance() -> None:
    for text in HOSTILE:
        rows = [
            *import_rows.double_entry(entry(text)),
            *import_rows.xero(entry(text), "EUR"),
            *import_rows.quickbooks(entry(text), "EUR"),
        ]
        widths = [len(row) for row in rows]
        heads = (import_rows.DOUBLE_ENTRY, import_rows.XERO, import_rows.QUICKBOOKS)
        assert widths == [len(head) for head in heads for _ in range(2)]
        for row in rows:
            assert csvsafe.line(row).endswith("\r\n")
    assert list(import_rows.xero(entry("x"), "USD")) == []
    debit, credit = import_rows.xero(entry("x"), "EUR")
    assert (debit[0], debit[1], debit[3]) == ("jrn_1 Manual entry", "21/11/2026", "1100")
    assert [str(row[5]) for row in (debit, credit)] == ["12.50", "-12.50"]
    debit, credit = import_rows.quickbooks(entry("x"), "EUR")
    assert (debit[1], debit[2], str(debit[3]), debit[4]) == (
        "11/21/2026",
        "Provider clearing",
        "12.50",
        None,
    )
    assert (credit[2], credit[3], str(credit[4])) == ("Buyers' funds", None, "12.50")

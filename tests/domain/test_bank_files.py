"""Readers of statements read what banks write, refuse the rest with its line, and are never made to fetch or expand."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given, strategies

from core.errors import InvalidInput
from core.money import Money
from domain.bank import camt, csv_files, csv_maps
from domain.bank.csv_maps import CsvMap
from domain.bank.said import SaidLine
from tests.domain import banking
from tests.domain.banking import EUR, MAPPING, Row, sheet

WORDS = strategies.text(
    strategies.characters(
        blacklist_categories=("Cs", "Cc", "Cn", "Cf", "Zs", "Zl", "Zp", "Co"), max_codepoint=0x2FFF
    ),
    min_size=1,
    max_size=20,
).filter(lambda text: not re.search(r"\d", text) and text.upper() not in ("NONE", "N/A", "NONREF"))
ROWS = strategies.lists(
    strategies.builds(
        Row,
        minor=strategies.integers(-(10**12), 10**12).filter(bool),
        reference=WORDS,
        bank=strategies.none() | strategies.from_regex(r"[A-Z]{3,9}", fullmatch=True),
        on=strategies.integers(0, 4_000).map(lambda days: date(2020, 1, 1) + timedelta(days)),
        name=strategies.none() | WORDS,
    ),
    min_size=1,
    max_size=15,
)


def said(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(row.minor, row.reference, row.on, row.name) for row in rows]


def heard(lines: list[SaidLine]) -> list[tuple[object, ...]]:
    return [
        (line.amount.minor, line.reference, line.booked_on, line.counterparty) for line in lines
    ]


@given(ROWS, strategies.sampled_from(["02", "08"]))
def test_whatever_a_camt_file_says_is_read(rows: list[Row], version: str) -> None:
    found: list[SaidLine] = []
    head = camt.read(banking.camt(*rows, version=version), found.append)
    assert heard(found) == said(rows)
    assert head.closing == Money(10_000 + sum(row.minor for row in rows), EUR)
    assert (head.lines, head.left_out) == (len(rows), 0)


@given(ROWS)
def test_whatever_a_csv_file_says_is_read(rows: list[Row]) -> None:
    found: list[SaidLine] = []
    head = csv_files.read(sheet(*rows), MAPPING, found.append)
    assert heard(found) == said(rows)
    assert head.closing == Money(10_000 + sum(row.minor for row in rows), EUR)


@given(strategies.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (
        lambda: camt.read(body, lambda _: None),
        lambda: csv_files.read(body, MAPPING, lambda _: None),
        lambda: csv_maps.guess(body),
    ):
        _read_or_refused(read)


@given(ROWS, strategies.integers(0, 3_000), strategies.binary(min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(rows: list[Row], place: int, put: bytes) -> None:
    for body, read in (
        (banking.camt(*rows), lambda damaged: camt.read(damaged, lambda _: None)),
        (sheet(*rows), lambda damaged: csv_files.read(damaged, MAPPING, lambda _: None)),
    ):
        at = place % len(body)
        damaged = body[:at] + put + body[at + len(put) :]
        _read_or_refused(lambda read=read, damaged=damaged: read(damaged))  # type: ignore[misc]


def _read_or_refused(read: Callable[[], object]) -> None:
    try:
        read()
    except InvalidInput as refused:
        assert refused.code in ("STATEMENT_UNREADABLE", "BALANCE_MISMATCH")  # noqa: PT017


def refused(body: bytes) -> tuple[str, object]:
    with pytest.raises(InvalidInput) as error:
        camt.read(body, lambda _: None)
    assert error.value.code == "STATEMENT_UNREADABLE"
    return error.value.message, error.value.details["line"]


GOOD = banking.camt(Row(bank="B1"), Row(-100, bank="B2"))
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (no, b"&a%d;" % (no - 1) * 10) for no in range(1, 12))
    + b"]>"
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [BOMB, OUTSIDE, b'<!DOCTYPE b SYSTEM "http://127.0.0.1:9/x">'])
def test_declarations_and_entities_are_refused(head: bytes) -> None:
    body = head + GOOD.partition(b"?>\n")[2].replace(b"Invoice 7", b"&a;")
    message, _ = refused(body)
    assert "DOCTYPE" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"<Amt Ccy", b"<Amt Ccz", "Ccz"),
        (b">25.00<", b">-25.00<", "Amt"),
        (b">25.00<", b">25.001<", "no amount in EUR"),
        (b">25.00<", b">1e9<", "Amt"),
        (b'Ccy="EUR">1.00', b'Ccy="USD">1.00', "USD on an account in EUR"),
        (b"2026-09-22</Dt></BookgDt>", b"2026-02-30</Dt></BookgDt>", "Dt"),
        (b"Invoice 7", b"\x00", "Char 0x0"),
        (b"Invoice 7", b"\xff\xfe", "[Ii]nvalid|not proper"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(old: bytes, new: bytes, words: str) -> None:
    message, at = refused(GOOD.replace(old, new, 1))
    assert re.search(words, message)
    assert at == GOOD[: GOOD.index(old)].count(b"\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"<Cd>OPBD", b"<Cd>XXXX", "no opening"),
        (b"camt.053.001.08", b"camt.053.001.13", "camt.053.001.02 and camt.053.001.08"),
        (b"</Document>", b"", "ends in the middle|no element|remature"),
    ],
)
def test_a_file_that_is_no_whole_statement_is_refused(old: bytes, new: bytes, words: str) -> None:
    assert re.search(words, refused(GOOD.replace(old, new, 1))[0])


def test_a_file_of_two_statements_is_refused() -> None:
    whole = GOOD.decode()
    one = whole[whole.index("<Stmt>") : whole.index("</Stmt>") + 7]
    message, _ = refused(whole.replace(one, one + one).encode())
    assert "more than one statement" in message


def test_a_line_of_ten_megabytes_is_refused() -> None:
    message, _ = refused(GOOD.replace(b"Invoice 7", b"x" * 10_000_000))
    assert message
    with pytest.raises(InvalidInput, match="Line 2: it is no CSV"):
        csv_files.read(sheet(Row(reference="x" * 10_000_000)), MAPPING, lambda _: None)


def test_many_small_elements_in_one_place_are_refused() -> None:
    body = GOOD.replace(b"<BkTxCd/>", b"<BkTxCd>" + b"<a/>" * 150_000 + b"</BkTxCd>", 1)
    assert "too much in one place" in refused(body)[0]


HEADS = {
    "a comma": (sheet(Row()), MAPPING),
    "German": (
        "Kontoauszug\nKonto;DE00\n\nBuchungstag;Betrag;Währung;Verwendungszweck;Saldo\n"
        "22.09.2026;1.234,50;EUR;Rechnung 7;11.234,50\n".encode("cp1252"),
        CsvMap(
            delimiter=";",
            encoding="cp1252",
            decimal=",",
            dates="%d.%m.%Y",
            header=4,
            columns={
                "bookedOn": "Buchungstag",
                "amount": "Betrag",
                "currency": "Währung",
                "reference": "Verwendungszweck",
                "balance": "Saldo",
            },
        ),
    ),
    "in and out": (
        "Date\tDescription\tPaid out\tPaid in\n22/09/2026\tInvoice 7\t\t25.00\n"
        "23/09/2026\tFee\t3.00\t\n".encode("utf-16"),
        CsvMap(
            delimiter="\t",
            encoding="utf-16",
            dates="%d/%m/%Y",
            columns={
                "bookedOn": "Date",
                "credit": "Paid in",
                "debit": "Paid out",
                "reference": "Description",
            },
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(HEADS))
def test_how_a_csv_reads_is_guessed(name: str) -> None:
    body, wanted = HEADS[name]
    found = csv_maps.guess(body)
    assert (found.delimiter, found.encoding, found.decimal, found.dates, found.header) == (
        wanted.delimiter,
        wanted.encoding,
        wanted.decimal,
        wanted.dates,
        wanted.header,
    )
    needed = ("bookedOn", "amount", "credit", "debit", "currency", "reference", "balance")
    assert {what: found.columns.get(what) for what in needed} == {
        what: wanted.columns.get(what) for what in needed
    }


def test_money_in_and_money_out_are_two_columns() -> None:
    body, mapping = HEADS["in and out"]
    found: list[SaidLine] = []
    whole = csv_maps.read(mapping.wire() | {"currency": "GBP"})
    csv_files.read(body, whole, found.append)
    assert [line.amount.minor for line in found] == [2_500, -300]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2026-09-22,nothing,x,,,,,", "'nothing' is no amount"),
        ("2026-09-22,1.234.5,x,,,,,", "no amount"),
        ("2026-09-22,1.005,x,,,,,", "no amount in EUR"),
        ("22.09.2026,1.00,x,,,,,", "no day such as 2026-11-21"),
        ("2026-09-22,1.00,x", "3 columns, the head of the file names 8"),
        ("2026-09-22,1.00,a\0b,,,,,", "NUL"),
        ("2026-09-22,99999999999999999999.00,x,,,,,", "no amount"),
        ('2026-09-22,1.00,"x,,,,,', "no CSV"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: str, words: str) -> None:
    body = sheet(Row()) + row.encode() + b"\r\n"
    with pytest.raises(InvalidInput, match=words) as error:
        csv_files.read(body, MAPPING, lambda _: None)
    assert error.value.details["line"] == 3


def test_formulas_are_texts() -> None:
    found: list[SaidLine] = []
    csv_files.read(sheet(Row(reference="=cmd|'/c calc'!A1")), MAPPING, found.append)
    assert found[0].reference == "=cmd|'/c calc'!A1"


def test_a_row_that_moves_nothing_is_left_out() -> None:
    found: list[SaidLine] = []
    head = csv_files.read(sheet(Row(0), Row(100)), MAPPING, found.append)
    assert (len(found), head.lines, head.left_out) == (1, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"delimiter": "x"},
        {"encoding": "rot13"},
        {"decimal": "1"},
        {"dates": "%s"},
        {"header": 0},
        {"header": True},
        {"currency": "XXX"},
        {"columns": {"bookedOn": "Date"}},
        {"columns": {"bookedOn": "Date", "amount": "Amount", "password": "x"}},
        {"columns": {"bookedOn": 1}},
        {"more": 1},
    ],
)
def test_a_mapping_of_another_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        csv_maps.read(MAPPING.wire() | change)  # type: ignore[arg-type]

"""How a bank's CSV reads: which column says what, in which encoding, with which dates and decimals. Guessed, then kept."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from io import StringIO

from core import money
from core.errors import InvalidInput, invalid
from core.money import ASSETS, Asset
from core.strictjson import Json

DELIMITERS: Mapping[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252", "iso-8859-15")
DATES: Mapping[str, str] = {
    "%Y-%m-%d": "2026-11-21",
    "%d.%m.%Y": "21.11.2026",
    "%d/%m/%Y": "21/11/2026",
    "%m/%d/%Y": "11/21/2026",
    "%d-%m-%Y": "21-11-2026",
    "%Y%m%d": "20261121",
    "%d.%m.%y": "21.11.26",
    "%d/%m/%y": "21/11/26",
}
DECIMALS: Mapping[str, str] = {".": "1,234.50", ",": "1.234,50"}
# What a column may say → its label and the words by which banks call it.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "bookedOn": (
        "Booked on",
        "booked on|booking date|buchungstag|buchungsdatum|date|transaction date|date comptable|datum",
    ),
    "valueOn": ("Value date", "value date|valuta|wertstellung|valutadatum|date de valeur"),
    "amount": ("Amount", "amount|betrag|montant|umsatz|betrag (eur)|amount (eur)|amount (gbp)"),
    "credit": ("Money in", "credit|money in|paid in|haben|credit amount|crédit"),
    "debit": ("Money out", "debit|money out|paid out|soll|debit amount|débit"),
    "currency": ("Currency", "currency|währung|devise|waehrung"),
    "reference": (
        "Reference",
        "reference|verwendungszweck|description|details|remittance information|libellé|narrative",
    ),
    "endToEndId": ("End-to-end id", "end to end id|end-to-end id|endtoendid|kundenreferenz"),
    "bankReference": (
        "The bank's own reference",
        "bank reference|transaction id|transaktions-id|entry reference|bankreferenz",
    ),
    "counterparty": (
        "Other side",
        "counterparty|name|payee|payer|beguenstigter/zahlungspflichtiger|auftraggeber/empfänger",
    ),
    "counterpartyNumber": ("Account of the other side", "iban|counterparty iban|kontonummer/iban"),
    "balance": ("Balance after", "balance|saldo|running balance|solde|kontostand"),
}
_SAMPLE_ROWS, _HEAD_BYTES = 50, 64 * 1024
_MOST_HEADER, _LONGEST_NAME = 30, 100


@dataclass(frozen=True)
class CsvMap:
    """One way of reading. header: the line that names the columns; columns: what → the column's name;
    currency: of all lines, where no column says it.
    """

    delimiter: str = ","
    encoding: str = "utf-8-sig"
    decimal: str = "."
    dates: str = "%Y-%m-%d"
    header: int = 1
    currency: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    def wire(self) -> dict[str, Json]:
        """Write it as it is kept and sent."""
        return {
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "decimal": self.decimal,
            "dates": self.dates,
            "header": self.header,
            "currency": self.currency,
            "columns": dict(self.columns),
        }

    def unit(self) -> Asset | None:
        """Give the currency of all lines, None where a column says it."""
        return money.asset(self.currency) if self.currency else None


def read(said: Mapping[str, Json]) -> CsvMap:
    """Read a mapping that somebody sent or that was kept.

    Raises: InvalidInput naming the field
    """
    known = CsvMap().wire()
    if unknown := sorted(set(said) - set(known)):
        raise _wrong(unknown[0][:40], "There is no such setting of a mapping.")
    values = known | dict(said)
    columns, header = values["columns"], values["header"]
    if not isinstance(columns, dict) or not all(_is_name(each) for each in columns.values()):
        raise _wrong("columns", "Say for each thing the name of its column.")
    if isinstance(header, bool) or not isinstance(header, int) or not 1 <= header <= _MOST_HEADER:
        raise _wrong("header", f"The line that names the columns is one of 1 to {_MOST_HEADER}.")
    for name, allowed in (
        ("delimiter", tuple(DELIMITERS)),
        ("encoding", ENCODINGS),
        ("decimal", tuple(DECIMALS)),
        ("dates", tuple(DATES)),
        ("currency", ("", *ASSETS)),
    ):
        if values[name] not in allowed:
            raise _wrong(name, "That is none of the values that are known.")
    found = CsvMap(
        delimiter=str(values["delimiter"]),
        encoding=str(values["encoding"]),
        decimal=str(values["decimal"]),
        dates=str(values["dates"]),
        header=header,
        currency=str(values["currency"]),
        columns={str(name): str(each) for name, each in columns.items()},
    )
    assert_whole(found)
    return found


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _wrong(name: str, sentence: str) -> InvalidInput:
    return invalid(f"mapping.{name}", sentence)


def lacking(asked: CsvMap) -> list[str]:
    """Say what a mapping lacks, in words; nothing: a file can be read by it."""
    found, columns = [], asked.columns
    if "bookedOn" not in columns:
        found.append("the day on which a line was booked")
    if "amount" not in columns and not {"credit", "debit"} <= set(columns):
        found.append("the amount: one column, or one for money in and one for money out")
    if "currency" not in columns and not asked.currency:
        found.append("the currency")
    return found


def assert_whole(asked: CsvMap) -> None:
    """Check that a mapping says what is needed.

    Raises: InvalidInput
    """
    if unknown := sorted(set(asked.columns) - set(COLUMNS)):
        raise _wrong("columns", f"{unknown[0][:40]!r} is nothing that a column can say.")
    if missing := lacking(asked):
        raise _wrong("columns", f"The mapping does not say {missing[0]}.")


def guess(body: bytes, kept: CsvMap | None = None) -> CsvMap:
    """Guess how a file reads from its beginning; what was kept for its account stands where it fits."""
    encoding = _encoding(body)
    text = body[:_HEAD_BYTES].decode(encoding, errors="replace")
    lines = text.splitlines()[: _MOST_HEADER + _SAMPLE_ROWS]
    delimiter, header = _shape(lines)
    rows = _rows(lines[header - 1 :], delimiter)
    names = [name.strip() for name in rows[0]] if rows else []
    if kept is not None and set(kept.columns.values()) <= set(names):
        return CsvMap(
            delimiter, encoding, kept.decimal, kept.dates, header, kept.currency, kept.columns
        )
    columns = _columns(names)
    sample = [dict(zip(names, row, strict=False)) for row in rows[1 : 1 + _SAMPLE_ROWS]]
    days = [row.get(columns.get("bookedOn", ""), "") for row in sample]
    amounts = [
        row.get(columns[each], "")
        for row in sample
        for each in ("amount", "credit", "debit", "balance")
        if each in columns
    ]
    return CsvMap(delimiter, encoding, _decimal(amounts), _dates(days), header, "", columns)


def header_of(body: bytes, asked: CsvMap) -> list[str]:
    """List the names of a file's columns."""
    text = body[:_HEAD_BYTES].decode(asked.encoding, errors="replace")
    rows = _rows(text.splitlines()[asked.header - 1 : asked.header], asked.delimiter)
    return [name.strip() for name in rows[0]] if rows else []


def _encoding(body: bytes) -> str:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(StringIO("\n".join(lines)), delimiter=delimiter))
    except csv.Error:
        return []


def _shape(lines: Sequence[str]) -> tuple[str, int]:
    """Choose delimiter and header: the first line with as many columns as the most lines have."""
    best, found = 0, (",", 1)
    for delimiter in DELIMITERS:
        widths = [line.count(delimiter) for line in lines]
        common = max(set(widths), key=lambda width: (width > 0) * widths.count(width), default=0)
        weight = common * widths.count(common)
        if common and weight > best:
            first = next(no for no, width in enumerate(widths, 1) if width >= common)
            best, found = weight, (delimiter, min(first, _MOST_HEADER))
    return found


def _columns(names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for what, (_, words) in COLUMNS.items():
        known = words.split("|")
        ranked = [name for word in known for name in names if name.lower() == word]
        free = [name for name in ranked if name not in found.values()]
        if free:
            found[what] = free[0]
    return found


def _dates(days: Sequence[str]) -> str:
    given = [day.strip() for day in days if day.strip()]
    for pattern in DATES:
        if given and all(day_of(day, pattern) for day in given):
            return pattern
    return next(iter(DATES))


def day_of(text: str, pattern: str) -> date | None:
    """Read a day as a pattern writes it; None: it is none."""
    try:
        return datetime.strptime(text.strip(), pattern).date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        return None


def _decimal(amounts: Sequence[str]) -> str:
    """Choose the mark of decimals: the last mark of amounts that have two digits after it."""
    commas = sum(amount.strip()[-3:-2] == "," for amount in amounts)
    points = sum(amount.strip()[-3:-2] == "." for amount in amounts)
    return "," if commas > points else "."

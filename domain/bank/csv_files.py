"""Reading a bank's CSV by a mapping, row by row; where a column says the balance, each row is proved by it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO, TextIOWrapper

from core import money
from core.money import Asset, Money
from domain.bank import csv_maps, said
from domain.bank.csv_maps import CsvMap
from domain.bank.said import Head, SaidLine, Take, unreadable

# Blanks that banks put between thousands: the plain one, the hard one and the narrow one.
_BLANKS = re.compile("[\\s\u00a0\u202f']")
_NUMBER = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?|[+-]?\d+(\.\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})*(,\d+)?|[+-]?\d+(,\d+)?", re.ASCII),
}


@dataclass
class _Chain:
    """Balances beside rows, read from the oldest row to the newest or the other way round."""

    first: tuple[int, Money] | None = None
    last: tuple[int, Money] | None = None
    broken_down: tuple[int, Money, Money] | None = None
    broken_up: tuple[int, Money, Money] | None = None

    def hear(self, line: int, moved: int, balance: Money) -> None:
        """Hear of the next row."""
        if self.last is None:
            self.first = (moved, balance)
        else:
            before = self.last[1]
            down = Money(before.minor + moved, before.asset)
            if self.broken_down is None and balance != down:
                self.broken_down = (line, down, balance)
            up = Money(before.minor - self.last[0], before.asset)
            if self.broken_up is None and balance != up:
                self.broken_up = (line, up, balance)
        self.last = (moved, balance)

    def ends(self) -> tuple[Money, Money] | None:
        """Give the balances before the oldest and after the newest row.

        Raises: InvalidInput BALANCE_MISMATCH at the row that neither direction explains
        """
        if self.first is None or self.last is None:
            return None
        if self.broken_down is not None and self.broken_up is not None:
            raise said.mismatch_at(*max(self.broken_down, self.broken_up, key=lambda each: each[0]))
        oldest, newest = self.first, self.last
        if self.broken_down is not None:
            oldest, newest = newest, oldest
        return Money(oldest[1].minor - oldest[0], oldest[1].asset), newest[1]


@dataclass
class _Gathered:
    take: Take
    unit: Asset | None = None
    days: list[date] = field(default_factory=list)
    lines: int = 0
    left_out: int = 0
    chain: _Chain = field(default_factory=_Chain)


def read(body: bytes, asked: CsvMap, take: Take) -> Head:
    """Read a file and hand on each line that moves something.

    Raises: InvalidInput STATEMENT_UNREADABLE with the line, BALANCE_MISMATCH
    """
    csv_maps.assert_whole(asked)
    found = _Gathered(take, unit=asked.unit())
    for line, row in _rows(body, asked):
        _hear(found, line, row, asked)
    if found.unit is None or not found.days:
        raise unreadable("it holds no line that says a day and an amount.")
    ends = found.chain.ends()
    return Head(
        format="csv",
        unit=found.unit,
        from_on=min(found.days),
        to_on=max(found.days),
        lines=found.lines,
        left_out=found.left_out,
        opening=ends[0] if ends else None,
        closing=ends[1] if ends else None,
    )


def preview(body: bytes, asked: CsvMap, most: int) -> list[SaidLine]:
    """Read the first lines, to show them.

    Raises: InvalidInput STATEMENT_UNREADABLE with the line
    """
    lines: list[SaidLine] = []
    found = _Gathered(lines.append, unit=asked.unit())
    for line, row in _rows(body, asked):
        _hear(found, line, row, asked)
        if len(lines) >= most:
            break
    return lines


def _rows(body: bytes, asked: CsvMap) -> Iterator[tuple[int, dict[str, str]]]:
    stream = TextIOWrapper(BytesIO(body), encoding=asked.encoding, errors="strict", newline="")
    reader = csv.reader(stream, delimiter=asked.delimiter, strict=True)
    names: list[str] = []
    try:
        for row in reader:
            line = reader.line_num
            if not names and line >= asked.header:
                names = _names(row, asked, line)
            elif names and any(cell.strip() for cell in row):
                yield line, _named(names, row, line)
    except csv.Error as error:
        raise unreadable(f"it is no CSV: {error}.", line=max(1, reader.line_num)) from error
    except UnicodeError as error:
        sentence = f"it is not written in {asked.encoding}."
        raise unreadable(sentence, line=reader.line_num + 1) from error
    if not names:
        raise unreadable("it ends before the line that names the columns.")


def _names(row: list[str], asked: CsvMap, line: int) -> list[str]:
    names = [cell.strip() for cell in row]
    for name in asked.columns.values():
        if names.count(name) != 1:
            times = "twice" if name in names else "not at all"
            raise unreadable(f"the column {name[:60]!r} is named {times}.", line=line)
    return names


def _named(names: list[str], row: list[str], line: int) -> dict[str, str]:
    if len(row) != len(names):
        sentence = f"it has {len(row)} columns, the head of the file names {len(names)}."
        raise unreadable(sentence, line=line)
    return dict(zip(names, row, strict=True))


def _hear(found: _Gathered, line: int, row: dict[str, str], asked: CsvMap) -> None:
    cells = {what: row[name] for what, name in asked.columns.items()}
    unit = _unit(found, cells, line)
    amount = _amount(cells, unit, asked, line)
    booked_on = csv_maps.day_of(cells["bookedOn"], asked.dates)
    if booked_on is None:
        sentence = f"{cells['bookedOn'][:40]!r} is no day such as {csv_maps.DATES[asked.dates]}."
        raise unreadable(sentence, line=line)
    if (balance := cells.get("balance", "")).strip():
        found.chain.hear(line, amount.minor, _money(balance, unit, asked, line))
    found.days[:] = (
        [min(found.days[0], booked_on), max(found.days[1], booked_on)]
        if found.days
        else [booked_on, booked_on]
    )
    if not amount.minor:
        found.left_out += 1
        return
    found.lines += 1
    if found.lines > said.MOST_LINES:
        raise unreadable(f"a file has at most {said.MOST_LINES:,} lines.", line=line)
    found.take(_line(line, cells, amount, booked_on, asked))


def _unit(found: _Gathered, cells: dict[str, str], line: int) -> Asset:
    if "currency" in cells:
        code = cells["currency"].strip()
        try:
            unit = money.asset(code)
        except ValueError as error:
            raise unreadable(f"{code[:40]!r} is no currency that is known.", line=line) from error
        if found.unit is not None and unit != found.unit:
            sentence = f"it is in {unit.code}, the lines before it are in {found.unit.code}."
            raise unreadable(sentence, line=line)
        found.unit = unit
    assert found.unit is not None  # the mapping says the currency where no column does
    return found.unit


def _amount(cells: dict[str, str], unit: Asset, asked: CsvMap, line: int) -> Money:
    if "amount" in cells:
        return _money(cells["amount"], unit, asked, line)
    given, taken = (
        _money(cells[name], unit, asked, line) if cells[name].strip() else Money(0, unit)
        for name in ("credit", "debit")
    )
    # Some banks write what went out with a minus, some without.
    return given - Money(abs(taken.minor), unit)


def _money(text: str, unit: Asset, asked: CsvMap, line: int) -> Money:
    plain = _BLANKS.sub("", text)
    if _NUMBER[asked.decimal].fullmatch(plain):
        grouping = "," if asked.decimal == "." else "."
        plain = plain.replace(grouping, "").replace(asked.decimal, ".").lstrip("+")
        try:
            return money.parse(plain, unit)
        except ValueError as error:
            sentence = f"{text.strip()[:40]!r} is no amount in {unit.code}."
            raise unreadable(sentence, line=line) from error
    example = csv_maps.DECIMALS[asked.decimal]
    raise unreadable(f"{text.strip()[:40]!r} is no amount such as {example}.", line=line)


def _line(
    line: int, cells: dict[str, str], amount: Money, booked_on: date, asked: CsvMap
) -> SaidLine:
    value = cells.get("valueOn", "")
    return SaidLine(
        no=line,
        booked_on=booked_on,
        value_on=csv_maps.day_of(value, asked.dates) if value.strip() else None,
        amount=amount,
        reference=said.text(cells.get("reference"), line),
        end_to_end_id=said.given(cells.get("endToEndId"), line),
        bank_reference=said.given(cells.get("bankReference"), line),
        counterparty=said.given(cells.get("counterparty"), line),
        number=said.given(cells.get("counterpartyNumber"), line),
    )

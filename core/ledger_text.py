"""Journal entries as plain-text ledgers: hledger's journal format, and Beancount's language.

What people or providers wrote stands only where neither tool reads anything into it: in a description
or a quoted string, with every mark that would end it taken out.
Source: https://hledger.org/hledger.html#journal,
https://beancount.github.io/docs/beancount_language_syntax.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.chart import Kind
from core.money import Asset, Money


@dataclass(frozen=True)
class Booked:
    """One entry to be written. on: the day it is dated; ties: what it belongs to, by plain words."""

    id: str
    on: date
    label: str
    note: str | None
    ties: Mapping[str, str | None]
    movements: Sequence[tuple[str, str, Money]]


# ---- hledger

_TYPES = {
    Kind.ASSET: "A",
    Kind.LIABILITY: "L",
    Kind.EQUITY: "E",
    Kind.INCOME: "R",
    Kind.EXPENSE: "X",
}
# `;` begins a comment, `|` parts payee from note.
_ENDS_DESCRIPTION = str.maketrans({";": ",", "|": "/"})
_PLAIN = re.compile(r"[^A-Za-z0-9_.@+=/\-]")


def hledger_commodity(of: Asset) -> str:
    """Declare a currency with the decimals it has."""
    shown = f"1000.{'0' * of.scale}"
    return f"commodity {shown} {of.code}\n"


def hledger_account(address: str, kind: str) -> str:
    """Declare an account with its type."""
    return f"account {address}  ; type:{_TYPES[Kind(kind)]}\n"


def hledger_entry(entry: Booked) -> str:
    """Write one entry; what it is tied to stands in comments, as tags."""
    said = entry.label if not entry.note else f"{entry.label}: {entry.note}"
    lines = [f"{entry.on} * ({entry.id}) {_one_line(said).translate(_ENDS_DESCRIPTION)}"]
    lines += [
        f"    ; {name}:{_PLAIN.sub('?', value)}" for name, value in entry.ties.items() if value
    ]
    for address, amount in _sides(entry):
        lines.append(f"    {address}  {amount.major()} {amount.asset.code}")
    return "\n".join(lines) + "\n\n"


def _sides(entry: Booked) -> Iterator[tuple[str, Money]]:
    for debit, credit, amount in entry.movements:
        yield debit, amount
        yield credit, -amount


def _one_line(text: str) -> str:
    """Leave out what is no character of a text, and make every break and run of spaces one space."""
    kept = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    return " ".join(kept.split())


# ---- Beancount

_ROOTS = {
    Kind.ASSET: "Assets",
    Kind.LIABILITY: "Liabilities",
    Kind.EQUITY: "Equity",
    Kind.INCOME: "Income",
    Kind.EXPENSE: "Expenses",
}
_MARKS = {"-": "--", "_": "-u", ".": "-d"}


def beancount_account(address: str, kind: str) -> str:
    """Name an account as Beancount demands it, two addresses never alike.

    `provider:stripe:clearing` reads `Assets:Provider:Stripe:Clearing`. A word there begins with a capital
    or a digit and has no underscore: `_`, `-` and `.` are written `-u`, `--` and `-d`, and what begins
    otherwise than with a small letter or a digit gets `X-x` before it.
    """
    return ":".join([_ROOTS[Kind(kind)], *map(_word, address.split(":"))])


def _word(text: str) -> str:
    coded = "".join(_MARKS.get(each, each) for each in text)
    if text[:1].isdigit():
        return coded
    return coded[0].upper() + coded[1:] if text[:1].islower() else f"X-x{coded}"


def beancount_open(name: str) -> str:
    """Open an account before any entry."""
    return f"1970-01-01 open {name}\n"


def beancount_entry(entry: Booked, names: Mapping[str, str]) -> str:
    """Write one entry. names: of its addresses, as `beancount_account` gave them."""
    lines = [f"{entry.on} * {_quoted(entry.label)} {_quoted(entry.note or '')} ^{entry.id}"]
    lines += [f"  {name}: {_quoted(value)}" for name, value in entry.ties.items() if value]
    for address, amount in _sides(entry):
        lines.append(f"  {names[address]}  {amount.major()} {amount.asset.code}")
    return "\n".join(lines) + "\n\n"


def _quoted(text: str) -> str:
    escaped = _one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""What a statement file says, read and unread: its lines, its balances, and how a file that cannot be read is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from core.errors import FieldError, InvalidInput
from core.money import Asset, Money
from core.redaction import mask_text

LARGEST_FILE = 10 * 1024 * 1024
MOST_LINES = 100_000
LONGEST_REFERENCE, LONGEST_NAME = 500, 140
# What banks write where a payer gave nothing. Source: EPC131-08, "NOTPROVIDED".
_NOTHING = frozenset({"NOTPROVIDED", "NOTPROVIDED.", "NONREF", "NONE", "N/A", "0"})


@dataclass(frozen=True, slots=True)
class SaidLine:
    """One booked line. no: its place in the file, as messages name it; amount: signed, never zero.

    bank_reference: the bank's own name for the line; counterparty, number: of the other side.
    """

    no: int
    booked_on: date
    value_on: date | None
    amount: Money
    reference: str
    end_to_end_id: str | None
    bank_reference: str | None
    counterparty: str | None
    number: str | None


@dataclass(frozen=True)
class Head:
    """What a file says as a whole. number: the account's, if it says one; left_out: lines that move nothing
    or are not booked yet. from_on, to_on: the days that it covers.
    """

    format: str
    unit: Asset
    from_on: date
    to_on: date
    lines: int
    left_out: int
    opening: Money | None
    closing: Money | None
    number: str | None = None
    bank_reference: str | None = None


Take: TypeAlias = Callable[[SaidLine], None]


def unreadable(sentence: str, *, line: int | None = None) -> InvalidInput:
    """Make the refusal of a file, with the line at which reading it ended."""
    where = f"Line {line}: {sentence}" if line else sentence
    error = InvalidInput(
        where, fields=[FieldError("file", "unreadable", where)], code="STATEMENT_UNREADABLE"
    )
    error.details["line"] = line
    return error


def mismatch(opening: Money, moved: int, closing: Money) -> InvalidInput:
    """Make the refusal of a file whose lines do not lead from its opening to its closing balance."""
    unit = opening.asset
    led_to = Money(opening.minor + moved, unit)
    sentence = (
        f"The file begins with {opening.major()} {unit.code} and its lines lead to"
        f" {led_to.major()}, but it ends with {closing.major()}: lines are missing or wrong."
    )
    return _unbalanced(sentence, None, led_to.major(), closing.major())


def mismatch_at(line: int, expected: Money, found: Money) -> InvalidInput:
    """Make the refusal of a file in which the balance beside a line is not what led to it."""
    sentence = (
        f"Line {line}: the balance should be {expected.major()} {expected.asset.code},"
        f" the file says {found.major()}: lines are missing or wrong."
    )
    return _unbalanced(sentence, line, expected.major(), found.major())


def _unbalanced(sentence: str, line: int | None, expected: str, found: str) -> InvalidInput:
    fields = [FieldError("file", "unbalanced", sentence)]
    error = InvalidInput(sentence, fields=fields, code="BALANCE_MISMATCH")
    error.details |= {"line": line, "expected": expected, "found": found}
    return error


def text(value: str | None, line: int, *, longest: int = LONGEST_REFERENCE) -> str:
    """Give a text of a file as it can be kept: one line, printable, no card numbers, not longer than that.

    Raises: InvalidInput where it holds what is no text
    """
    given_text = value or ""
    if "\0" in given_text:
        raise unreadable("a text holds a NUL, which no text does.", line=line)
    # What cannot be seen, such as marks that turn the direction of writing, would only mislead.
    shown = "".join(sign if sign.isprintable() else " " for sign in given_text)
    return mask_text(" ".join(shown.split()))[:longest]


def given(value: str | None, line: int, *, longest: int = LONGEST_NAME) -> str | None:
    """Give a text that may be missing; what banks write instead of nothing is nothing."""
    plain = text(value, line, longest=longest)
    return plain if plain and plain.upper() not in _NOTHING else None

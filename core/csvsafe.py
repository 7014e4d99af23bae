"""CSV that no spreadsheet can be made to run: text is text, numbers come from typed numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

Cell: TypeAlias = "str | int | bool | Decimal | None"
# Source: OWASP, CSV injection; a leading NUL hides what follows it from naive checks.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_QUOTED = ('"', ",", "\r", "\n", ";", "\t")


def cell(value: Cell) -> str:
    """Write one cell. A text that begins like a formula gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    text = value.replace("\0", "")
    if value.startswith(DANGEROUS):
        text = f"'{text}"
    if any(mark in text for mark in _QUOTED) or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def line(cells: Sequence[Cell]) -> str:
    """Write one line, ended by CRLF.

    Source: RFC 4180
    """
    return ",".join(cell(each) for each in cells) + "\r\n"

"""Cursors of lists that are ordered by something else than when a row was made: opaque all the same."""

from __future__ import annotations

import base64
import json

from core.errors import InvalidInput, invalid


def _bad() -> InvalidInput:
    return invalid("cursor", "This is no cursor of this list. Begin without one.")


def write(first: str, second: str | int) -> str:
    """Write a place (two parts of a key) as an opaque cursor."""
    text = json.dumps([first, second], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> list[object]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parts = json.loads(text)
    except (ValueError, TypeError) as error:
        raise _bad() from error
    if not isinstance(parts, list) or len(parts) != 2:
        raise _bad()
    return parts


def read_words(cursor: str | None) -> tuple[str, str] | None:
    """Read a place of two words; None asks for the beginning.

    Raises: InvalidInput
    """
    if cursor is None:
        return None
    first, second = _read(cursor)
    if not isinstance(first, str) or not isinstance(second, str) or "\x00" in first + second:
        raise _bad()
    return first, second


def read_line(cursor: str | None) -> tuple[str, int] | None:
    """Read a place of a word and a number; None asks for the beginning.

    Raises: InvalidInput
    """
    if cursor is None:
        return None
    first, second = _read(cursor)
    if not isinstance(first, str) or type(second) is not int or "\x00" in first:
        raise _bad()
    if abs(second) >= 2**31:
        raise _bad()
    return first, second

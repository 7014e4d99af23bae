"""Reading the JSON that clients send: one field at a time, refused in TrueLayer's words."""

from __future__ import annotations

from typing import Any

from sandbox.bank.truelayer.problems import invalid
from sandbox.bank.world import CURRENCIES
from sandbox.common.wire import Obj

_MOST_KEYS, _LONGEST_KEY, _LONGEST_VALUE = 10, 40, 500


def at(sent: Obj, path: str) -> Any:
    """Return what is at a dotted path, or None."""
    value: Any = sent
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def text(sent: Obj, path: str, *, longest: int = 255) -> str:
    """Return a required text."""
    value = at(sent, path)
    if not isinstance(value, str) or not value.strip():
        raise invalid(path, "A non-empty string is required.")
    if len(value) > longest:
        raise invalid(path, f"At most {longest} characters are allowed.")
    return value


def amount(sent: Obj, path: str = "amount_in_minor") -> int:
    """Return a required amount in minor units."""
    value = at(sent, path)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise invalid(path, "Must be a whole number of at least 1.")
    return value


def currency(sent: Obj) -> str:
    """Return the currency."""
    value = sent.get("currency")
    if value not in CURRENCIES:
        raise invalid("currency", f"Unknown value. Valid values are {', '.join(CURRENCIES)}.")
    return str(value)


def metadata(sent: Obj) -> dict[str, str]:
    """Return the metadata: at most ten pairs of short texts."""
    value = sent.get("metadata") or {}
    if not isinstance(value, dict) or len(value) > _MOST_KEYS:
        raise invalid("metadata", f"An object with at most {_MOST_KEYS} keys is allowed.")
    for name, word in value.items():
        if len(name) > _LONGEST_KEY or not isinstance(word, str) or len(word) > _LONGEST_VALUE:
            raise invalid("metadata", "Keys of 40 and values of 500 characters are allowed.")
    return value

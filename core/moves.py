"""Writing down which moves a set of states allows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

Moves = Mapping[str, frozenset[str]]


def table(rows: Mapping[str, str]) -> Moves:
    """Read a table: state → the states it may move to, as words."""
    return {old: frozenset(new.split()) for old, new in rows.items()}


def to_any(words: type[StrEnum]) -> Moves:
    """Allow every move within a set."""
    return {old.value: frozenset(map(str, words)) - {old.value} for old in words}

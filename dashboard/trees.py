"""A redacted JSON document as a tree that opens by clicking, without a script; bounded in depth and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.redaction import MASK
from core.strictjson import Json
from dashboard.words import counted

DEEPEST = 24
MOST_NODES = 4000
LONGEST_TEXT = 600
# Levels that are open when the page comes: the event, its data, the object.
OPEN_LEVELS = 3


@dataclass(frozen=True)
class Leaf:
    """A value. kind: text, number, word or redacted."""

    name: str | None
    kind: str
    text: str
    children: None = None


@dataclass(frozen=True)
class Branch:
    """An object or a list."""

    name: str | None
    brace: str
    size: str
    open: bool
    children: Sequence[Leaf | Branch]


@dataclass
class _Left:
    nodes: int = MOST_NODES


def tree(document: Json) -> Leaf | Branch:
    """Prepare a document for the template's tree."""
    return _node(None, document, 0, _Left())


def _node(name: str | None, value: Json, depth: int, left: _Left) -> Leaf | Branch:
    left.nodes -= 1
    if not isinstance(value, dict | list):
        return _leaf(name, value)
    if depth >= DEEPEST:
        return _left_out(name, len(value))
    is_object = isinstance(value, dict)
    items = list(value.items()) if isinstance(value, dict) else _numbered(value)
    return Branch(
        name,
        "{ }" if is_object else "[ ]",
        counted(len(value), "field" if is_object else "item"),
        depth < OPEN_LEVELS,
        _children(items, depth + 1, left),
    )


def _numbered(items: Sequence[Json]) -> list[tuple[str, Json]]:
    return [(str(no), item) for no, item in enumerate(items)]


def _children(items: Sequence[tuple[str, Json]], depth: int, left: _Left) -> list[Leaf | Branch]:
    found: list[Leaf | Branch] = []
    for key, item in items:
        if left.nodes <= 0:
            return [*found, _left_out(None, len(items) - len(found))]
        found.append(_node(key, item, depth, left))
    return found


def _left_out(name: str | None, number: int) -> Leaf:
    return Leaf(name, "word", f"… {counted(number, 'more value')} not shown")


def _leaf(name: str | None, value: Json) -> Leaf:
    if value is None or isinstance(value, bool):
        return Leaf(name, "word", {None: "null", True: "true", False: "false"}[value])
    if isinstance(value, int | float | Decimal):
        return Leaf(name, "number", str(value))
    text = str(value)
    if text == MASK:
        return Leaf(name, "redacted", "redacted")
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"
    return Leaf(name, "text", f"“{text}”" if '"' in text else f'"{text}"')

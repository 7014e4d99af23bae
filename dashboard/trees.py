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
    if depth >= DEEPEST or left.nodes <= 0:
        return Leaf(name, "word", f"… {counted(len(value), 'more value')} not shown")
    if isinstance(value, dict):
        children = [_node(key, item, depth + 1, left) for key, item in value.items()]
        size = counted(len(value), "field")
        return Branch(name, "{ }", size, depth < OPEN_LEVELS, children)
    children = [_node(str(no), item, depth + 1, left) for no, item in enumerate(value)]
    return Branch(name, "[ ]", counted(len(value), "item"), depth < OPEN_LEVELS, children)


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

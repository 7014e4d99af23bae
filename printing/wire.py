"""Contents as bytes between the worker and its printer, and back; nothing but what the dataclasses name."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime

from printing.contents import Bill, Certificate, Content, Statement

KINDS: Mapping[str, type[Content]] = {
    "bill": Bill,
    "certificate": Certificate,
    "statement": Statement,
}


def pack(content: Content) -> bytes:
    """Write a content down."""
    name = next(name for name, kind in KINDS.items() if type(content) is kind)
    said = {"kind": name, "content": dataclasses.asdict(content)}
    text = json.dumps(said, default=_plain, ensure_ascii=False, separators=(",", ":"))
    # Half of a character is no character.
    return text.encode(errors="replace")


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong into a document")


def unpack(body: bytes) -> Content:
    """Read a content that `pack` wrote.

    Raises: ValueError, TypeError, KeyError when it is something else.
    """
    said = json.loads(body)
    built = _build(KINDS[said["kind"]], said["content"])
    assert isinstance(built, (Bill, Certificate, Statement))  # by KINDS
    return built


def _build(kind: type, said: object) -> object:
    if not isinstance(said, dict):
        raise TypeError("not an object")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _read(hints[name], value) for name, value in said.items()})


def _read(hint: object, value: object) -> object:
    """Read one value as what its field is declared to be."""
    if typing.get_origin(hint) is types.UnionType:
        if value is None:
            return None
        hint = next(each for each in typing.get_args(hint) if each is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError("not a list")
        return tuple(_read(typing.get_args(hint)[0], item) for item in value)
    if hint in (date, datetime) and isinstance(value, str):
        return datetime.fromisoformat(value) if hint is datetime else date.fromisoformat(value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _build(hint, value)
    if not isinstance(hint, type) or type(value) is not hint:
        raise TypeError("a value of another kind")
    return value

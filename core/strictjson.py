"""JSON read without surprises: UTF-8 only, no duplicate keys, no NaN, numbers kept as text or int."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import NoReturn, TypeAlias

Json: TypeAlias = "None | bool | int | Decimal | str | list[Json] | dict[str, Json]"
LARGEST_DEPTH = 32
LONGEST_NUMBER = 40


class Unreadable(ValueError):
    """The bytes are not JSON that we accept; the message says why and never quotes the body."""


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("an object has the same key twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise Unreadable(f"{constant} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise Unreadable("a number has too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise Unreadable("a number has too many digits")
    return Decimal(text)


def _assert_depth(value: Json, depth: int) -> None:
    if depth > LARGEST_DEPTH:
        raise Unreadable("the document is nested too deeply")
    if isinstance(value, dict):
        for item in value.values():
            _assert_depth(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _assert_depth(item, depth + 1)


def loads(body: bytes) -> Json:
    """Parse one JSON document.

    Numbers with a point or exponent come back as Decimal, read from their text.
    Raises: Unreadable for anything that strict JSON (RFC 8259) or our limits do not allow.
    """
    try:
        value: Json = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_decimal,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("the body is not UTF-8") from error
    except RecursionError as error:
        raise Unreadable("the document is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON at character {error.pos}") from error
    # What has no more brackets than the limit cannot be nested more deeply.
    if body.count(b"{") + body.count(b"[") > LARGEST_DEPTH:
        _assert_depth(value, 0)
    return value


def loads_object(body: bytes) -> dict[str, Json]:
    """Parse one JSON object.

    Raises: Unreadable when it is anything else.
    """
    value = loads(body)
    if not isinstance(value, dict):
        raise Unreadable("the document is not an object")
    return value

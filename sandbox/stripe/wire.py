"""Stripe's nested form encoding, read into tables and lists; knows no resource."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.common.wire import Request
from sandbox.stripe.errors import Obj, invalid

_PART = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 12


def params_of(request: Request) -> Obj:
    """Return query and form parameters, nested as Stripe nests them."""
    text = request.body.decode("utf-8", "replace") if request.body else ""
    return parse_form("&".join(part for part in (request.query, text) if part))


def parse_form(text: str) -> Obj:
    """Turn `a[b][]=c` pairs into nested tables and lists.

    Raises: ApiError when a name is both a value and a table, or nested too deep.
    Source: https://docs.stripe.com/api, request encoding (`application/x-www-form-urlencoded`).
    """
    root: Obj = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        _place(root, _path(name), value)
    settled: Obj = _settle(root)
    return settled


def _path(name: str) -> list[str]:
    head = name.split("[", 1)[0]
    parts = [head, *_PART.findall(name[len(head) :])]
    if not head or len(parts) > _MAX_DEPTH:
        raise invalid(f"Invalid request parameter: {name[:80]}")
    return parts


def _place(root: Obj, path: list[str], value: str) -> None:
    table = root
    for part in path[:-1]:
        key = str(len(table)) if part == "" else part
        below = table.setdefault(key, {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid request parameter: {path[0]}", path[0])
        table = below
    last = path[-1]
    table[str(len(table)) if last == "" else last] = value


def _settle(value: Any, *, top: bool = True) -> Any:
    """Turn tables whose keys count up from 0 into lists."""
    if not isinstance(value, dict):
        return value
    settled = {key: _settle(below, top=False) for key, below in value.items()}
    if not top and settled and all(key.isdecimal() for key in settled):
        return [settled[key] for key in sorted(settled, key=int)]
    return settled

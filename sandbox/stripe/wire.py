"""Bytes on the wire: nested form encoding in, JSON out; knows no resource."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.errors import Obj, invalid

_PART = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 12


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def params(self) -> Obj:
        """Return query and form parameters, nested as Stripe nests them."""
        text = self.body.decode("utf-8", "replace") if self.body else ""
        return parse_form("&".join(part for part in (self.query, text) if part))

    def form(self) -> dict[str, str]:
        """Return the flat fields of a page's form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """One answer; `dropped` closes the connection without a word, as a timeout looks to a client."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    dropped: bool = False


def json_reply(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    """Return `body` as pretty JSON, as Stripe prints it."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Reply(status, text.encode(), {"Content-Type": "application/json"} | (headers or {}))


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

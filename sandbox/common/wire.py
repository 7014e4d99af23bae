"""One request and one answer as they travel; knows no resource and no vendor."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Obj = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def form(self) -> dict[str, str]:
        """Return the flat fields of a page's form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def asked(self) -> dict[str, str]:
        """Return the flat fields of the query."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """One answer.

    `dropped` closes the connection without a word, as a timeout looks to a client; `cut` closes it
    in the middle of the body.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    dropped: bool = False
    cut: bool = False


def json_reply(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    """Return `body` as pretty JSON."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Reply(status, text.encode(), {"Content-Type": "application/json"} | (headers or {}))

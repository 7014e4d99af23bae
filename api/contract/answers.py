"""What a view answers: a status with a document; rows are streamed by `web/exports.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flask import Response

from domain.idempotency import StoredAnswer
from web import wire

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """status, and the document or its stored bytes; location: of what was made, for a 201."""

    status: int
    body: Document | bytes | None = None
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_replay: bool = False

    def raw(self) -> bytes:
        """Give the bytes that are sent and stored."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else wire.dumps(self.body)

    def response(self) -> Response:
        """Make the response."""
        headers = dict(self.headers)
        if self.location and self.status == 201:
            headers["Location"] = self.location
        if self.is_replay:
            headers["Idempotent-Replayed"] = "true"
        return wire.answer(self.raw() or None, self.status, headers)


def replay(stored: StoredAnswer) -> Answer:
    """Give the first answer again, byte for byte."""
    return Answer(stored.status, stored.body, location=stored.location, is_replay=True)

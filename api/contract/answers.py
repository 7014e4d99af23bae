"""What a view answers: a status with a document, or rows streamed as CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flask import Response

from core import csvsafe
from core.csvsafe import Cell
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


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Stream rows as an attachment; no cell of text can become a formula."""

    def lines() -> Iterator[str]:
        yield csvsafe.line(head)
        for row in rows:
            yield csvsafe.line(row)

    response = Response(lines(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def json_stream(
    rows: Iterable[Document], *, around: tuple[bytes, bytes] = (b'{"items":[', b"]}")
) -> Response:
    """Stream documents as one JSON object, without holding them all."""

    def parts() -> Iterator[bytes]:
        yield around[0]
        for place, row in enumerate(rows):
            yield (b"," if place else b"") + wire.dumps(row)
        yield around[1]

    return Response(parts(), content_type=wire.CONTENT_TYPE)

"""Exports of both doors: rows streamed as CSV that no spreadsheet runs, or as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Response

from core import csvsafe
from core.csvsafe import Cell
from web import wire


def csv_stream(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Stream rows as an attachment; no cell of text can become a formula."""

    def lines() -> Iterator[str]:
        yield csvsafe.line(head)
        for row in rows:
            yield csvsafe.line(row)

    response = Response(lines(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def json_stream(
    rows: Iterable[Mapping[str, Any]], *, around: tuple[bytes, bytes] = (b'{"items":[', b"]}")
) -> Response:
    """Stream documents as one JSON object, without holding them all."""

    def parts() -> Iterator[bytes]:
        yield around[0]
        for place, row in enumerate(rows):
            yield (b"," if place else b"") + wire.dumps(row)
        yield around[1]

    return Response(parts(), content_type=wire.CONTENT_TYPE)

"""Exports of both doors: rows streamed as CSV that no spreadsheet runs, or as one JSON document."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any

from flask import Response

from core import csvsafe
from core.csvsafe import Cell
from web import wire

_HELD_BYTES, _PART_BYTES = 1024 * 1024, 64 * 1024


def csv_stream(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Stream rows as an attachment; no cell of text can become a formula."""

    def lines() -> Iterator[str]:
        yield csvsafe.line(head)
        for row in rows:
            yield csvsafe.line(row)

    response = Response(lines(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def text_stream(name: str, parts: Iterable[str]) -> Response:
    """Stream plain text as an attachment. name: with its ending."""
    response = Response(iter(parts), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class Kept:
    """Rows written down before the first is given away, beyond a megabyte on disk.

    So they can be of one moment of the database, however slowly somebody reads them.
    """

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._file = SpooledTemporaryFile(max_size=_HELD_BYTES)  # noqa: SIM115  # closed by `close`
        # A response that nobody reads or ends takes it along.
        weakref.finalize(self, self._file.close)
        try:
            for part in parts:
                self._file.write(part)
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0)

    def read(self) -> Iterator[bytes]:
        """Give it away, part by part, once."""
        with self._file:
            while part := self._file.read(_PART_BYTES):
                yield part

    def close(self) -> None:
        """Throw it away, also when nobody has read it to its end."""
        self._file.close()


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

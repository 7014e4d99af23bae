"""What every request gets: its name (X-Request-Id), its length checked, its host known."""

from __future__ import annotations

import re
from io import BytesIO
from typing import IO

from flask import Request, g, has_request_context, request

from core import ids

_GIVEN = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


class OurRequest(Request):
    """Flask's request, whose uploads never touch a disk: what is kept of them is sealed."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        return BytesIO()


def request_id() -> str:
    """Give the present request's name: the caller's, when it has the form, or a new one."""
    if not has_request_context():
        return ""
    found: str | None = g.get("paydesk_request_id")
    if found is None:
        given = request.headers.get("X-Request-Id", "")
        found = given if _GIVEN.fullmatch(given) else ids.new("req")
        g.paydesk_request_id = found
    return found

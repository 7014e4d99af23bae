"""JSON on the way out: compact, numbers of money written from Decimal, never through float."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Response

from core import ids

# Decimals go through the encoder as marked strings; chance keeps anybody from forging the mark.
_MARK = f"decimal-{ids.token(12)}:"
_MARKED = re.compile(f'"{_MARK}(-?[0-9.]+)"')
CONTENT_TYPE = "application/json"


def _plain(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return f"{_MARK}{value:f}"
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def dumps(value: object) -> bytes:
    """Write a value as compact JSON.

    Raises: TypeError for floats' NaN and for what JSON does not have
    """
    text = json.dumps(
        value, default=_plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return (_MARKED.sub(r"\1", text) if _MARK in text else text).encode()


def answer(
    body: Mapping[str, Any] | bytes | None, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Make the response of an API route."""
    raw = body if isinstance(body, bytes) else b"" if body is None else dumps(body)
    response = Response(raw, status=status, headers=dict(headers or {}))
    if raw or status != 204:
        response.headers["Content-Type"] = CONTENT_TYPE
    else:
        del response.headers["Content-Type"]
    return response

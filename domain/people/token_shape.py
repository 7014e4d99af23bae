"""What a token must look like before its signature is even tried: one spelling, each claim once, whole numbers."""

from __future__ import annotations

import base64
import binascii

from core import strictjson
from core.errors import Unauthenticated
from core.strictjson import Json

_WHOLE = ("exp", "iat", "nbf", "stepped_up")
# The end of the calendar of every machine: later instants cannot even be written down.
_LAST = 253_402_300_799
_TEXT = ("iss", "sub", "jti", "aud", "role", "kyc")


def assert_plain(token: str) -> None:
    """Check a token's head and claims: JSON without surprises, and every claim of its own type.

    A library that reads a claim twice given, or a time with a fraction, in its own way is not asked.
    Raises: Unauthenticated
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise Unauthenticated
    try:
        _decoded(parts[2])
        strictjson.loads_object(_decoded(parts[0]))
        claims = strictjson.loads_object(_decoded(parts[1]))
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated from error
    if not all(_is_instant(claims[name]) for name in _WHOLE if name in claims):
        raise Unauthenticated
    if not all(isinstance(claims[name], str) for name in _TEXT if name in claims):
        raise Unauthenticated


def _decoded(part: str) -> bytes:
    body = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    # Another spelling of the same bytes is another text that would pass.
    if base64.urlsafe_b64encode(body).rstrip(b"=") != part.encode():
        raise ValueError("not the shortest spelling")
    return body


def _is_instant(value: Json) -> bool:
    # True is a whole number to Python.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST

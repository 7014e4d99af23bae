"""Random ids: a prefix and letters; no state."""

from __future__ import annotations

import secrets
import string

_LETTERS = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
# Bytes above 247 would make some letters likelier than others; 248 is the last multiple of 62.
_UNBIASED = 248


def random_text(length: int) -> str:
    """Return `length` random letters and digits."""
    picked = bytearray()
    while len(picked) < length:
        picked += bytes(_LETTERS[b % 62] for b in secrets.token_bytes(length) if b < _UNBIASED)
    return picked[:length].decode()


def random_digits(length: int) -> str:
    """Return `length` random digits."""
    return "".join(secrets.choice(string.digits) for _ in range(length))


def new_id(prefix: str, length: int = 24) -> str:
    """Return a fresh id: `cus` gives `cus_…`, `pi_3` gives `pi_3…`."""
    joint = "" if prefix[-2:-1] == "_" else "_"
    return f"{prefix}{joint}{random_text(length)}"

"""The only source of identifiers and randomness: prefixed public ids that sort by time, tokens, jitter."""

from __future__ import annotations

import base64
import os
import random
import secrets

from core import clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# RFC 4648's letters in the order of Crockford's, so that the library's encoder can be used.
_TO_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
_MICROSECOND_BITS, _RANDOM_BITS = 10, 100
_jitter = random.SystemRandom()


def new(prefix: str) -> str:
    """Make a public id `prefix_` + 60 bits of time + 100 random bits, in Crockford base 32.

    The time is 50 bits of milliseconds and 10 of the microseconds that follow them, so that rows
    which one process writes within one act sort as they were written.
    Source: Crockford base 32, https://www.crockford.com/base32.html;
    sub-millisecond bits, https://www.rfc-editor.org/rfc/rfc9562#section-6.2 (method 3)
    """
    at = clock.now()
    milliseconds = int(at.timestamp()) * 1000 + at.microsecond // 1000
    time = milliseconds << _MICROSECOND_BITS | at.microsecond % 1000
    chance = int.from_bytes(os.urandom(13), "big") >> 4
    whole = (time << _RANDOM_BITS | chance).to_bytes(20, "big")
    return f"{prefix}_{base64.b32encode(whole).translate(_TO_CROCKFORD).decode()}"


def token(size: int = 32) -> str:
    """Make a URL-safe secret of `size` random bytes."""
    return secrets.token_urlsafe(size)


def secret_bytes(size: int = 32) -> bytes:
    """Make random bytes for a key."""
    return os.urandom(size)


def jittered(seconds: float) -> float:
    """Spread a delay by a fifth either way, so that retries do not march in step."""
    return seconds * _jitter.uniform(0.8, 1.2)

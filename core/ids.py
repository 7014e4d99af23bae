"""The only source of identifiers and randomness: prefixed public ids that sort by time, tokens, jitter."""

from __future__ import annotations

import os
import random
import secrets

from core import clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_jitter = random.SystemRandom()


def _base32(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        letters.append(ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(letters))


def new(prefix: str) -> str:
    """Make a public id `prefix_` + 48-bit milliseconds + 100 random bits, in Crockford base 32.

    Source: Crockford base 32, https://www.crockford.com/base32.html
    """
    milliseconds = int(clock.now().timestamp() * 1000)
    return (
        f"{prefix}_{_base32(milliseconds, 10)}{_base32(int.from_bytes(os.urandom(13), 'big'), 20)}"
    )


def token(size: int = 32) -> str:
    """Make a URL-safe secret of `size` random bytes."""
    return secrets.token_urlsafe(size)


def jittered(seconds: float) -> float:
    """Spread a delay by a fifth either way, so that retries do not march in step."""
    return seconds * _jitter.uniform(0.8, 1.2)

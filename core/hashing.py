"""Digests over bytes and canonical JSON; one way to hash a thing, so that chains and keys agree for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import rfc8785

Plain: TypeAlias = "None | bool | int | str | Sequence[Plain] | Mapping[str, Plain]"


def sha256(body: bytes) -> str:
    """Give the hex SHA-256 of bytes."""
    return hashlib.sha256(body).hexdigest()


def sha256_of(parts: Iterable[bytes]) -> str:
    """Give the hex SHA-256 of bytes that come in parts, none of which is kept."""
    running = hashlib.sha256()
    for part in parts:
        running.update(part)
    return running.hexdigest()


# Greater ones are not exact in every reader of JSON; RFC 8785 refuses them.
_LARGEST = 2**53 - 1
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def canonical(value: Plain) -> bytes:
    """Write a value as canonical JSON.

    Plain ASCII is written by the standard library, which gives the same bytes nine times as fast: keys
    of ASCII sort alike, and strings are escaped alike. All else is written by the reference.
    Source: RFC 8785 (JSON Canonicalization Scheme)
    """
    if _is_simple(value) and (text := _encode(value)).isascii():
        return text.encode("ascii")
    return rfc8785.dumps(value)


def _is_simple(value: object) -> bool:
    """Tell whether a value holds nothing that the two write differently: no float, no great number."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_LARGEST <= value <= _LARGEST  # type: ignore[operator]  # it is an int
    if kind is dict:
        return all(type(key) is str and _is_simple(each) for key, each in value.items())  # type: ignore[attr-defined]
    return (kind is list or kind is tuple) and all(map(_is_simple, value))  # type: ignore[call-overload]


def digest(value: Plain) -> str:
    """Give the hex SHA-256 of a value's canonical JSON."""
    return sha256(canonical(value))


def chained(previous: str, content: str) -> str:
    """Give the next hash of a chain from the previous hash and this row's content hash, all hex."""
    return sha256(bytes.fromhex(previous) + bytes.fromhex(content))


GENESIS = "0" * 64

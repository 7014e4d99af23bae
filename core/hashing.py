"""Digests over bytes and canonical JSON; one way to hash a thing, so that chains and keys agree for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rfc8785

Plain: TypeAlias = "None | bool | int | str | Sequence[Plain] | Mapping[str, Plain]"


def sha256(body: bytes) -> str:
    """Give the hex SHA-256 of bytes."""
    return hashlib.sha256(body).hexdigest()


def canonical(value: Plain) -> bytes:
    """Write a value as canonical JSON.

    Source: RFC 8785 (JSON Canonicalization Scheme)
    """
    return rfc8785.dumps(value)


def digest(value: Plain) -> str:
    """Give the hex SHA-256 of a value's canonical JSON."""
    return sha256(canonical(value))


def chained(previous: str, content: str) -> str:
    """Give the next hash of a chain from the previous hash and this row's content hash, all hex."""
    return sha256(bytes.fromhex(previous) + bytes.fromhex(content))


GENESIS = "0" * 64

"""How the worker and its printer talk over a pipe: lengths before bytes, and nothing that grows without end."""

from __future__ import annotations

import struct
from typing import BinaryIO

LARGEST_REQUEST = 4 * 1024 * 1024
LARGEST_ANSWER = 24 * 1024 * 1024
# A request: its length. An answer: its kind and the lengths of its two parts.
REQUEST, ANSWER = struct.Struct(">I"), struct.Struct(">cII")
READY, PRINTED, REFUSED, MISSING = b"r", b"p", b"x", b"m"


def read_request(stream: BinaryIO) -> bytes | None:
    """Wait for the next content; None when the worker has gone."""
    head = stream.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return None
    (length,) = REQUEST.unpack(head)
    if length > LARGEST_REQUEST:
        return None
    body = stream.read(length)
    return body if len(body) == length else None


def write_answer(stream: BinaryIO, kind: bytes, first: bytes = b"", second: bytes = b"") -> None:
    """Answer a content."""
    stream.write(ANSWER.pack(kind, len(first), len(second)))
    stream.write(first)
    stream.write(second)
    stream.flush()

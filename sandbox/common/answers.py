"""Answers kept under idempotency keys: taken, kept, released; words no refusal."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sandbox.common.wire import Obj, Reply
from sandbox.common.world import Call, World


class KeyInUse(Exception):
    """The first request with this key still runs."""


@dataclass(frozen=True)
class Kept:
    """The answer that the first request with a key got."""

    endpoint: str
    fingerprint: str
    status: int
    body: bytes
    request: str


def fingerprint(sent: Obj) -> str:
    """Return a digest of the parameters, whatever their order."""
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def claim(world: World, key: str, *, kept_seconds: float) -> Kept | None:
    """Take the key for this request, or return what is kept under it. Raises: KeyInUse."""
    with world.store.locked() as db:
        if key in world.running_keys:
            raise KeyInUse(key)
        db.execute("DELETE FROM answers WHERE at < ?", (world.clock.now() - kept_seconds,))
        row = db.execute(
            "SELECT endpoint, fingerprint, status, body, request FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            world.running_keys.add(key)
            return None
    return Kept(row[0], row[1], row[2], bytes(row[3]), row[4])


def keep(call: Call[Any], key: str, kept: Kept) -> None:
    """Store the answer of an executed request. Transaction: caller's, with the effect itself."""
    with call.store.locked() as db:
        db.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(key, kept.endpoint, kept.fingerprint, kept.status, kept.body, kept.request),
                call.world.clock.now(),
            ),
        )


def kept_of(endpoint: str, sent: Obj, reply: Reply, request: str) -> Kept:
    """Return what is to be kept of an answer."""
    return Kept(endpoint, fingerprint(sent), reply.status, reply.body, request)


def release(world: World, key: str) -> None:
    """Say that the request with this key no longer runs."""
    with world.store.locked():
        world.running_keys.discard(key)

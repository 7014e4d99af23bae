"""Delivery of events with redelivery until the receiver says 2xx; knows no vendor: the carrier does."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit
from zlib import crc32

from sandbox.common.lanes import Lane, Parcel
from sandbox.common.store import Store
from sandbox.common.wire import Obj

log = logging.getLogger("sandbox")

WITHIN = 65_536


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts, in seconds, and when to give up."""

    start: float
    factor: float
    limit: float
    give_up_after: float

    def next(self, attempts: list[Obj]) -> float | None:
        """Return the pause after these failed attempts, or None to give up."""
        if time.time() - float(attempts[0]["at"]) > self.give_up_after:
            return None
        return min(self.limit, self.start * self.factor ** (len(attempts) - 1))


@dataclass(frozen=True)
class Letter:
    """What one attempt sends."""

    url: str
    body: bytes
    headers: dict[str, str]


class Carrier(Protocol):
    """What the courier has to be told about a vendor's deliveries."""

    def load(self, parcel: Parcel) -> Letter | None:
        """Return what to send now, or None when nobody waits for it any more."""

    def wait(self, parcel: Parcel, attempts: list[Obj]) -> float | None:
        """Return the pause before the next attempt, or None to give up."""

    def attempted(self, parcel: Parcel, letter: Letter, attempt: Obj) -> None:
        """Take note of an attempt. Transaction: the courier's."""


@dataclass
class Courier:
    """Lanes of deliveries: one object's events go in order, different objects in parallel."""

    store: Store
    carrier: Carrier
    timeout: float
    lanes: list[Lane] = field(default_factory=list)
    _parked: dict[str, list[Parcel]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, count: int) -> None:
        """Start the lanes and take up what an earlier run left pending."""
        self.lanes = [Lane(f"lane-{n}", self._attempt) for n in range(count)]
        with self.store.locked() as db:
            rows = db.execute(
                "SELECT id, event, endpoint, lane, due_at FROM deliveries"
                " WHERE state = 'pending' ORDER BY seq"
            ).fetchall()
        for dlv, event, endpoint, lane, due_at in rows:
            parcel = Parcel(dlv, event, endpoint, lane, delay=max(0.0, due_at - time.time()))
            self._lane(parcel).push(parcel, parcel.delay)

    def stop(self) -> None:
        """Finish running attempts; the rest stays pending in the store."""
        for lane in self.lanes:
            lane.stop()

    def forget(self) -> None:
        """Drop everything that waits, after the store was wiped."""
        for lane in self.lanes:
            lane.clear()
        with self._lock:
            self._parked.clear()

    def send(self, parcels: list[Parcel]) -> None:
        """Take over committed parcels; those marked inline are delivered before this returns."""
        for parcel in parcels:
            if parcel.inline:
                self._attempt(parcel)
            elif parcel.overtaken_within is not None:
                with self._lock:
                    self._parked.setdefault(parcel.endpoint, []).append(parcel)
                self._lane(parcel).push(parcel, parcel.overtaken_within)
            else:
                self._lane(parcel).push(parcel, parcel.delay)

    def _lane(self, parcel: Parcel) -> Lane:
        return self.lanes[crc32(f"{parcel.endpoint} {parcel.lane}".encode()) % len(self.lanes)]

    def _attempt(self, parcel: Parcel) -> None:
        with self._lock:
            waiting = self._parked.get(parcel.endpoint, [])
            if parcel in waiting:
                waiting.remove(parcel)
        with self.store.locked() as db:
            row = db.execute("SELECT state FROM deliveries WHERE id = ?", (parcel.id,)).fetchone()
            letter = self.carrier.load(parcel) if row and row[0] == "pending" else None
        if letter is None:
            if row and row[0] == "pending":
                self._settle(parcel, "abandoned")
            return
        started = time.time()
        status, note = post(letter, self.timeout)
        attempt: Obj = {"at": started, "status": status, "ms": _since(started)}
        self._record(parcel, letter, attempt | ({"error": note} if note else {}))
        self._release_overtaken(parcel)

    def _record(self, parcel: Parcel, letter: Letter, attempt: Obj) -> None:
        with self.store.transaction() as db:
            row = db.execute(
                "SELECT attempts FROM deliveries WHERE id = ?", (parcel.id,)
            ).fetchone()
            if row is None:
                return
            attempts = [*json.loads(row[0]), attempt]
            arrived = attempt["status"] is not None and 200 <= attempt["status"] < 300
            wait = None if arrived else self.carrier.wait(parcel, attempts)
            state = "delivered" if arrived else "abandoned" if wait is None else "pending"
            db.execute(
                "UPDATE deliveries SET attempts = ?, state = ?, due_at = ? WHERE id = ?",
                (json.dumps(attempts), state, time.time() + (wait or 0.0), parcel.id),
            )
            self.carrier.attempted(parcel, letter, attempt)
        if wait is not None:
            self._lane(parcel).push(parcel, wait)

    def _settle(self, parcel: Parcel, state: str) -> None:
        with self.store.transaction() as db:
            db.execute("UPDATE deliveries SET state = ? WHERE id = ?", (state, parcel.id))

    def _release_overtaken(self, parcel: Parcel) -> None:
        """Let parcels go that waited for a later one to pass them."""
        with self._lock:
            passed = self._parked.pop(parcel.endpoint, [])
        for waiting in passed:
            self._lane(waiting).push(waiting, 0.0)


def post(letter: Letter, timeout: float) -> tuple[int | None, str | None]:
    """POST one letter. Returns the status, or None and why there is none.

    Each attempt opens its own connection: a kept one that the receiver has just closed would look
    like a failed delivery and be sent twice.
    """
    parts = urlsplit(letter.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        headers = letter.headers | {"Connection": "close"}
        connection.request("POST", target, body=letter.body, headers=headers)
        response = connection.getresponse()
        response.read(WITHIN)
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return response.status, None


def _since(started: float) -> int:
    return round((time.time() - started) * 1000)

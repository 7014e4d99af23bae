"""Signed delivery of events with redelivery until the receiver says 2xx; knows no resource."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from zlib import crc32

from sandbox.stripe.errors import Obj
from sandbox.stripe.lanes import Lane
from sandbox.stripe.store import Store

log = logging.getLogger("sandbox.stripe")

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


@dataclass(frozen=True)
class Parcel:
    """One event on its way to one endpoint."""

    id: str
    event: str
    endpoint: str
    lane: str
    delay: float = 0.0
    overtaken_within: float | None = None
    inline: bool = False


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts, in seconds, and when to give up."""

    start: float
    factor: float
    limit: float
    give_up_after: float

    def wait(self, attempts: int) -> float:
        """Return the pause after this many failed attempts."""
        return min(self.limit, self.start * self.factor ** (attempts - 1))


@dataclass
class Courier:
    """Lanes of deliveries: one object's events go in order, different objects in parallel."""

    store: Store
    backoff: Backoff
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
        found = self._load(parcel)
        if found is None:
            return
        body, endpoint = found
        started = time.time()
        status, note = post_signed(endpoint["url"], endpoint["_secrets"], body, self.timeout)
        attempt: Obj = {"at": started, "status": status, "ms": _since(started)}
        self._record(parcel, attempt | ({"error": note} if note else {}))
        self._release_overtaken(parcel)

    def _load(self, parcel: Parcel) -> tuple[bytes, Obj] | None:
        """Return the body and the endpoint, or None when nothing is left to send."""
        with self.store.locked() as db:
            row = db.execute("SELECT state FROM deliveries WHERE id = ?", (parcel.id,)).fetchone()
            event = self.store.find("event", parcel.event)
            endpoint = self.store.find("webhook_endpoint", parcel.endpoint)
        if row is None or row[0] != "pending" or event is None:
            return None
        if endpoint is None or endpoint["status"] != "enabled":
            self._settle(parcel, "abandoned")
            return None
        return json.dumps(event, indent=2, ensure_ascii=False).encode(), endpoint

    def _record(self, parcel: Parcel, attempt: Obj) -> None:
        with self.store.transaction() as db:
            row = db.execute(
                "SELECT attempts FROM deliveries WHERE id = ?", (parcel.id,)
            ).fetchone()
            if row is None:
                return
            attempts = [*json.loads(row[0]), attempt]
            wait = self.backoff.wait(len(attempts))
            state = self._state_after(attempts)
            db.execute(
                "UPDATE deliveries SET attempts = ?, state = ?, due_at = ? WHERE id = ?",
                (json.dumps(attempts), state, time.time() + wait, parcel.id),
            )
        if state == "pending":
            self._lane(parcel).push(parcel, wait)

    def _state_after(self, attempts: list[Obj]) -> str:
        status = attempts[-1]["status"]
        if status is not None and 200 <= status < 300:
            return "delivered"
        age = float(time.time() - attempts[0]["at"])
        return "abandoned" if age > self.backoff.give_up_after else "pending"

    def _settle(self, parcel: Parcel, state: str) -> None:
        with self.store.transaction() as db:
            db.execute("UPDATE deliveries SET state = ? WHERE id = ?", (state, parcel.id))

    def _release_overtaken(self, parcel: Parcel) -> None:
        """Let parcels go that waited for a later one to pass them."""
        with self._lock:
            passed = self._parked.pop(parcel.endpoint, [])
        for waiting in passed:
            self._lane(waiting).push(waiting, 0.0)


def signature(secrets: list[str], body: bytes, *, at: int) -> str:
    """Return a `Stripe-Signature` header: one v1 per live secret.

    Source: https://docs.stripe.com/webhooks, "Verify webhook signatures manually".
    """
    signed = str(at).encode() + b"." + body
    marks = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def post_signed(
    url: str, secrets: list[str], body: bytes, timeout: float
) -> tuple[int | None, str | None]:
    """POST one event. Returns the status, or None and why there is none.

    Each attempt opens its own connection: a kept one that the receiver has just closed would look
    like a failed delivery and be sent twice.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": USER_AGENT,
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "Connection": "close",
        "Stripe-Signature": signature(secrets, body, at=int(time.time())),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        response.read(65_536)
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return response.status, None


def _since(started: float) -> int:
    return round((time.time() - started) * 1000)

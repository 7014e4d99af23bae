"""How both wires' webhooks travel: bodies, signatures, and how often delivery is tried."""

from __future__ import annotations

import hashlib
import hmac
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

from sandbox.bank import jws
from sandbox.bank.gocardless.events import WEBHOOK
from sandbox.bank.truelayer import keys
from sandbox.bank.truelayer.events import EVENT
from sandbox.bank.world import ENDPOINT, GOCARDLESS, TRUELAYER, Call, World
from sandbox.common.deliver import Backoff, Letter
from sandbox.common.lanes import Parcel
from sandbox.common.wire import Obj

# Source: GoCardless' webhook guide: eight retries, after 1, 2, 10 … minutes; here times `start`.
GOCARDLESS_WAITS = (1, 2, 10, 30, 60, 120, 240, 480)
TIMESTAMP = "X-Tl-Webhook-Timestamp"
# What each waiting time is shortened or lengthened by, at most.
JITTER = 0.25


@dataclass
class Carrier:
    """Reads endpoint and keys for each attempt, so that what changed counts at once."""

    backoff: Backoff
    world: World | None = None

    def load(self, parcel: Parcel) -> Letter | None:
        """Return what to send now, or None when its endpoint is gone."""
        if self.world is None:
            return None
        call = Call(self.world)
        endpoint = call.store.find(ENDPOINT, parcel.endpoint)
        if endpoint is None:
            return None
        if parcel.endpoint == TRUELAYER:
            event = call.store.find(EVENT, parcel.event)
            return None if event is None else truelayer_letter(call, endpoint["url"], event)
        webhook = call.store.find(WEBHOOK, parcel.event)
        return None if webhook is None else gocardless_letter(endpoint, webhook)

    def wait(self, parcel: Parcel, attempts: list[Obj]) -> float | None:
        """Return the pause before the next attempt, or None to give up."""
        if parcel.endpoint == GOCARDLESS:
            tried = len(attempts) - 1
            done = tried >= len(GOCARDLESS_WAITS)
            return None if done else GOCARDLESS_WAITS[tried] * self.backoff.start
        pause = self.backoff.next(attempts)
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing
        return None if pause is None else pause * spread

    def attempted(self, parcel: Parcel, letter: Letter, attempt: Obj) -> None:
        """Keep what GoCardless tells about its webhooks: the last answer."""
        webhook = self.world.store.find(WEBHOOK, parcel.event) if self.world else None
        if webhook is None or self.world is None:
            return
        status = attempt["status"]
        webhook |= {
            "request_headers": letter.headers,
            "response_code": status,
            "response_body": "" if status is not None else None,
            "successful": status is not None and 200 <= status < 300,
        }
        self.world.store.put(WEBHOOK, webhook)


def truelayer_letter(call: Call, url: str, event: Obj) -> Letter:
    """Return an event signed with the present time, or wrongly when its style says so."""
    style = event["style"]
    body = str(event["body"]).encode()
    at = time.time() - float(style.get("seconds", 0.0))
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = keys.current(call)
    kid, pem = key["id"], key["pem"]
    if style["kind"] == "forged":
        pem = jws.new_private_pem()
    elif style["kind"] == "unknown_kid":
        kid, pem = str(uuid4()), jws.new_private_pem()
    header = {
        "alg": "ES512",
        "kid": kid,
        "tl_version": "2",
        "tl_headers": TIMESTAMP,
        "jku": style.get("jku") or f"{call.settings.public_url}/.well-known/jwks",
    }
    content = jws.payload("POST", urlsplit(url).path or "/", [(TIMESTAMP, stamp)], body)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "TrueLayer-Webhooks/1.0",
        TIMESTAMP: stamp,
        "Tl-Signature": jws.sign(header, content, pem),
    }
    return Letter(url, body, headers)


def gocardless_letter(endpoint: Obj, webhook: Obj) -> Letter:
    """Return a batch with its signature: HMAC-SHA256 of the body, in hexadecimal."""
    body = str(webhook["request_body"]).encode()
    secret = endpoint["secret"] if webhook["style"] == "true" else "not-the-secret"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "gocardless-webhook-service/1.1",
        "Origin": "https://api-sandbox.gocardless.com",
        "Webhook-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return Letter(endpoint["url"], body, headers)

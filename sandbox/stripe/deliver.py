"""How Stripe's events travel: their body, their signature and how long delivery is tried."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from sandbox.common.deliver import Backoff, Letter
from sandbox.common.lanes import Parcel
from sandbox.common.store import Store
from sandbox.common.wire import Obj

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


@dataclass(frozen=True)
class Carrier:
    """Reads event and endpoint for each attempt, so that changed secrets count at once."""

    store: Store
    backoff: Backoff

    def load(self, parcel: Parcel) -> Letter | None:
        """Return the event, signed anew, or None when its endpoint is gone or disabled."""
        event = self.store.find("event", parcel.event)
        endpoint = self.store.find("webhook_endpoint", parcel.endpoint)
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            return None
        body = json.dumps(event, indent=2, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": USER_AGENT,
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Stripe-Signature": signature(endpoint["_secrets"], body, at=int(time.time())),
        }
        return Letter(endpoint["url"], body, headers)

    def wait(self, _parcel: Parcel, attempts: list[Obj]) -> float | None:
        """Return the pause before the next attempt, or None after three days."""
        return self.backoff.next(attempts)

    def attempted(self, _parcel: Parcel, _letter: Letter, _attempt: Obj) -> None:
        """Keep nothing: the courier's own record is all there is."""


def signature(secrets: list[str], body: bytes, *, at: int) -> str:
    """Return a `Stripe-Signature` header: one v1 per live secret.

    Source: https://docs.stripe.com/webhooks, "Verify webhook signatures manually".
    """
    signed = str(at).encode() + b"." + body
    marks = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])

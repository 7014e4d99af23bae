"""What Stripe's secrets look like, and a probe signed as Stripe signs its events; no storage, no socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from providers.deliveries import PROBE, Canary, LiveSecret

# Source: https://docs.stripe.com/keys (prefixes), https://docs.stripe.com/webhooks#endpoint-secrets
_WEBHOOK = re.compile(r"whsec_[A-Za-z0-9_+/=-]{26,250}", re.ASCII)
_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]{24,250}", re.ASCII)


def weakness(kind: str, value: str, *, mode: str) -> str | None:
    """Say why a value cannot be a secret of Stripe's; None when it can. mode: that of the rail."""
    if kind == "webhook":
        good = _WEBHOOK.fullmatch(value) is not None
        return None if good else "Stripe's webhook secrets begin with whsec_, 26 characters follow."
    match = _KEY.fullmatch(value)
    if match is None:
        return f"Stripe's keys begin with sk_{mode}_ or rk_{mode}_, 24 characters or more follow."
    if match[1] != mode:
        return f"This is a {match[1]} key; this installation works in {mode} mode."
    return None


def canary(nonce: str, *, secret: LiveSecret, now: int) -> Canary:
    """Sign a probe as Stripe signs an event.

    Source: https://docs.stripe.com/webhooks#verify-manually
    """
    event_id = f"evt_probe_{nonce}"
    event = {
        "id": event_id,
        "object": "event",
        "type": PROBE,
        "created": now,
        "livemode": secret.mode == "live",
        "data": {"object": {"id": f"probe_{nonce}", "object": "paydesk_probe"}},
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    signed = hmac.new(secret.value.encode(), f"{now}.".encode() + body, hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "Stripe-Signature": f"t={now},v1={signed.hexdigest()}",
    }
    return Canary(event_id, body, headers)

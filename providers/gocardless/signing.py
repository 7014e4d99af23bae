"""Verifying GoCardless' webhook signature over the raw bytes, and signing a probe as it would; the hot path."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

from core import clock
from core.errors import BadSignature
from core.strictjson import Json
from providers.deliveries import PROBE, Canary, LiveSecret, Verified

SIGNATURE = "Webhook-Signature"
SCHEME = "gocardless_hmac_sha256"
_LENGTH = hashlib.sha256().digest_size * 2


def sign(secret: str, body: bytes) -> str:
    """Sign a body as GoCardless does: HMAC-SHA256 over its bytes, in lower-case hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(body: bytes, header: str | None, *, secrets: Sequence[LiveSecret]) -> Verified:
    """Check `Webhook-Signature` with every live secret, newest first.

    It carries no time: what is sent again is known by its events' ids. Which mode a delivery is of the
    secret tells; the `Origin` that it says is not signed. The library's own check takes one secret, and
    a missing header makes it raise a TypeError, so it is not used here.
    Raises: BadSignature
    Source: https://developer.gocardless.com/getting-started/api/staying-up-to-date-with-webhooks/
    """
    if header is None or len(header) != _LENGTH or not header.isascii():
        raise BadSignature
    for secret in secrets:
        if hmac.compare_digest(sign(secret.value, body), header):
            return Verified(secret.version_id, SCHEME, secret.mode)
    raise BadSignature


def canary(nonce: str, *, secret: LiveSecret, now: int) -> Canary:
    """Sign a probe as GoCardless signs a batch of one event."""
    event_id = f"EVPROBE{nonce}"
    resource, _, action = PROBE.partition(".")
    event: dict[str, Json] = {
        "id": event_id,
        "created_at": clock.rfc3339(clock.from_unix(now)),
        "resource_type": resource,
        "action": action,
        "links": {},
        "metadata": {},
    }
    body = json.dumps({"events": [event], "meta": {}}, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: sign(secret.value, body)}
    return Canary(event_id, body, headers)

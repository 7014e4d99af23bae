"""Verifying Stripe's webhook signature over the raw bytes, and reading an event's head; the hot path."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from core import clock
from core.errors import BadSignature
from providers.deliveries import Delivery, LiveSecret, UnreadableDelivery, Verified
from providers.values import parse, word

TOLERANCE_SECONDS = 300
LONGEST_HEADER = 4096
_MOST_SIGNATURES = 20


def _parts(header: str) -> tuple[str, list[str]]:
    """Split `t=…,v1=…[,v1=…]`; every scheme but v1 is passed over, or a downgrade could win."""
    stamps, signatures = [], []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            stamps.append(value)
        elif name == "v1":
            signatures.append(value)
    if len(stamps) != 1 or not signatures or len(signatures) > _MOST_SIGNATURES:
        raise BadSignature
    return stamps[0], signatures


def verify(body: bytes, header: str | None, *, secrets: Sequence[LiveSecret], now: int) -> Verified:
    """Check `Stripe-Signature` with every live secret, newest first, ± 300 s on both sides.

    now: seconds since the epoch. The SDK's own check takes one secret and accepts timestamps from
    the future, so it is not used here.
    Raises: BadSignature
    Source: https://docs.stripe.com/webhooks#verify-manually
    """
    if not header or len(header) > LONGEST_HEADER or not header.isascii():
        raise BadSignature
    stamp, signatures = _parts(header)
    if not stamp.isdigit() or len(stamp) > 12 or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature
    signed = stamp.encode() + b"." + body
    for secret in secrets:
        expected = hmac.new(secret.value.encode(), signed, hashlib.sha256).hexdigest()
        for signature in signatures:
            if hmac.compare_digest(expected, signature):
                return Verified(secret.version_id, "stripe_v1", secret.mode)
    raise BadSignature


def read_delivery(body: bytes) -> Delivery:
    """Read an event's head: id, type, mode, account, the object's id, when.

    Raises: UnreadableDelivery when it is no event of the kind Stripe sends to this endpoint.
    """
    event = parse(body)
    if event.get("object") == "v2.core.event":
        raise UnreadableDelivery("a thin v2 event; this endpoint takes snapshot events")
    event_id, kind = word(event.get("id"), longest=255), word(event.get("type"), longest=64)
    if event_id is None or kind is None:
        raise UnreadableDelivery("no event id or no type")
    content = event.get("data")
    subject = content.get("object") if isinstance(content, dict) else None
    reference = word(subject.get("id"), longest=255) if isinstance(subject, dict) else None
    created = event.get("created")
    said_at = None
    if isinstance(created, int) and not isinstance(created, bool) and 0 < created < 2**33:
        said_at = clock.from_unix(created)
    return Delivery(
        key=event_id,
        type=kind,
        event_id=event_id,
        mode="live" if event.get("livemode") is True else "test",
        account=word(event.get("account"), longest=64) or "",
        reference=reference,
        said_at=said_at,
    )

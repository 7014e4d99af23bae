"""Verifying Stripe's webhook signature over the raw bytes, and reading an event's head; the hot path."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TypeGuard

from core import clock, strictjson
from core.errors import BadSignature
from core.strictjson import Json
from providers.seam import Delivery, LiveSecret, UnreadableDelivery, Verified

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


def is_word(value: Json) -> TypeGuard[str]:
    """Tell whether a value is a name as Stripe makes them; NUL and lone surrogates cannot be stored."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def _text(value: Json, *, longest: int = 255) -> str | None:
    return value if is_word(value) and len(value) <= longest else None


def parse(body: bytes) -> dict[str, Json]:
    """Parse a signed body as one JSON object.

    Raises: UnreadableDelivery
    """
    try:
        return strictjson.loads_object(body)
    except strictjson.Unreadable as error:
        raise UnreadableDelivery(str(error)) from error


def read_delivery(body: bytes) -> Delivery:
    """Read an event's head: id, type, mode, account, the object's id, when.

    Raises: UnreadableDelivery when it is no event of the kind Stripe sends to this endpoint.
    """
    event = parse(body)
    if event.get("object") == "v2.core.event":
        raise UnreadableDelivery("a thin v2 event; this endpoint takes snapshot events")
    event_id, kind = _text(event.get("id")), _text(event.get("type"), longest=64)
    if event_id is None or kind is None:
        raise UnreadableDelivery("no event id or no type")
    content = event.get("data")
    subject = content.get("object") if isinstance(content, dict) else None
    reference = _text(subject.get("id")) if isinstance(subject, dict) else None
    created = event.get("created")
    said_at = None
    if isinstance(created, int) and not isinstance(created, bool) and 0 < created < 2**33:
        said_at = clock.from_unix(created)
    return Delivery(
        key=event_id,
        type=kind,
        event_id=event_id,
        mode="live" if event.get("livemode") is True else "test",
        account=_text(event.get("account"), longest=64) or "",
        reference=reference,
        said_at=said_at,
    )

"""Reading the head of a TrueLayer event; the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from providers.deliveries import Delivery, UnreadableDelivery
from providers.values import Thing, instant, parse, word

# In which field an event says when it happened, by the end of its type.
# Source: https://docs.truelayer.com/docs/payment-webhook-specifications
_TIMES = (
    "authorized_at",
    "executed_at",
    "settled_at",
    "failed_at",
    "creditable_at",
    "settlement_stalled_at",
    "disputed_at",
    "reversed_at",
    "funds_received_at",
    "created_at",
)
# What an event is about, most certain first: nearly all name a payment.
_OBJECTS = ("payment_id", "payout_id", "mandate_id", "payment_link_id", "transaction_id")


def said_at(event: Thing) -> datetime | None:
    """Say when an event happened, by whichever field its type has."""
    return next((at for name in _TIMES if (at := instant(event.get(name))) is not None), None)


def read_deliveries(body: bytes, *, mode: str) -> Sequence[Delivery]:
    """Read an event's head; TrueLayer sends one at a time, and the key that signed it tells its mode.

    Raises: UnreadableDelivery when it is no event.
    """
    event = parse(body)
    event_id = word(event.get("event_id"), longest=255)
    kind = word(event.get("type"), longest=64)
    if event_id is None or kind is None:
        raise UnreadableDelivery("no event id or no type")
    named = (word(event.get(name), longest=255) for name in _OBJECTS)
    return [
        Delivery(
            key=event_id,
            type=kind,
            event_id=event_id,
            mode=mode,
            account="",
            reference=next((name for name in named if name), None),
            said_at=said_at(event),
        )
    ]

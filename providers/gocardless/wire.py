"""Reading the heads of GoCardless' events, up to 250 in one delivery; the hot path."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from core import hashing
from core.strictjson import Json
from providers.deliveries import Delivery, UnreadableDelivery
from providers.values import Thing, instant, parse, thing, word

# By which link an event names what it is about.
_LINKS: Mapping[str, str] = {
    "billing_requests": "billing_request",
    "payments": "payment",
    "refunds": "refund",
    "payouts": "payout",
    "mandates": "mandate",
    "subscriptions": "subscription",
}
_LONGEST_TYPE = 64
# What stands in the place of a type where an event says none; read later, it is set aside by itself.
UNREADABLE = "unreadable"


def kind_of(event: Thing) -> str | None:
    """Name what an event tells, such as `payments.confirmed`."""
    resource, action = word(event.get("resource_type")), word(event.get("action"))
    if resource is None or action is None or len(f"{resource}.{action}") > _LONGEST_TYPE:
        return None
    return f"{resource}.{action}"


def link_of(event: Thing, name: str) -> str | None:
    """Give what an event is linked with under a name, or None."""
    return word(thing(event.get("links")).get(name), longest=255)


def _written(event: Json) -> bytes:
    """Write one event by itself, always in the same bytes: a batch is sent again in another order.

    No field of an event is a decimal; one would be kept as its text.
    """
    return json.dumps(
        event, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str
    ).encode()


def _delivery(event: Json, *, mode: str) -> Delivery:
    said, body = thing(event), _written(event)
    event_id, kind = word(said.get("id"), longest=255), kind_of(said)
    if event_id is None or kind is None:
        # What was sent with it is none the worse for it.
        return Delivery(hashing.sha256(body), UNREADABLE, None, mode, "", None, None, body)
    return Delivery(
        key=event_id,
        type=kind,
        event_id=event_id,
        mode=mode,
        account="",
        reference=link_of(said, _LINKS.get(kind.partition(".")[0], "")),
        said_at=instant(said.get("created_at")),
        body=body,
    )


def read_deliveries(body: bytes, *, mode: str) -> Sequence[Delivery]:
    """Read a batch: each event with its own part of the body. mode: of the rail; no event says its own.

    Raises: UnreadableDelivery when it is no batch.
    Source: https://developer.gocardless.com/api-reference/#webhooks-overview
    """
    events = parse(body).get("events")
    if not isinstance(events, list):
        raise UnreadableDelivery("there is no list of events")
    return [_delivery(event, mode=mode) for event in events]

"""Events: one snapshot per state change, and the parcels that carry it to each endpoint."""

from __future__ import annotations

import json
from typing import Any

from sandbox.common import posting
from sandbox.stripe import lists, params
from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible


def emit(call: Call, event_type: str, subject: Obj, *, previous: Obj | None = None) -> None:
    """Record that something happened and queue it for every endpoint that wants it.

    `previous` holds the former values of changed attributes, for `*.updated` only.
    Writes: the event, its deliveries. Transaction: caller's; sent after its commit.
    """
    fault = call.world.faults.take_for_event(event_type)
    kind = fault.kind if fault else None
    if kind == "never_create":
        return
    for _ in range(2 if kind == "second_event_id" else 1):
        event = _event(call, event_type, subject, previous)
        endpoints = _endpoints(call, event_type)
        event["pending_webhooks"] = len(endpoints)
        call.store.put("event", event)
        lane = subject.get("payment_intent") or subject["id"]
        for endpoint in endpoints:
            posting.post(
                call, event["id"], event_type, endpoint=endpoint["id"], lane=str(lane), fault=fault
            )


def _event(call: Call, event_type: str, subject: Obj, previous: Obj | None) -> Obj:
    content: Obj = {"object": json.loads(json.dumps(visible(subject)))}
    if previous is not None:
        content["previous_attributes"] = previous
    return {
        "id": new_id("evt_1"),
        "object": "event",
        "api_version": call.world.settings.api_version,
        "created": call.now,
        "data": content,
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
        "type": event_type,
    }


def _endpoints(call: Call, event_type: str) -> list[Obj]:
    return [
        endpoint
        for endpoint in call.store.every("webhook_endpoint")
        if endpoint["status"] == "enabled"
        and ("*" in endpoint["enabled_events"] or event_type in endpoint["enabled_events"])
    ]


def resend(call: Call, event_id: str) -> int:
    """Queue an event again for every enabled endpoint and return how many.

    What was withheld counts as sent by this.
    """
    event = call.get("event", event_id)
    posting.supersede(call, event_id)
    endpoints = _endpoints(call, event["type"])
    for endpoint in endpoints:
        posting.post(call, event_id, event["type"], endpoint=endpoint["id"], lane=event_id)
    return len(endpoints)


def retrieve(call: Call, _sent: Obj, event_id: str) -> Obj:
    """Answer `GET /v1/events/{id}`."""
    return _with_pending(call, call.get("event", event_id))


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/events`, also `types[]`, `type` with a wildcard and `delivery_success`."""
    params.only(sent, {*lists.PAGING, "created", "delivery_success", "type", "types"})
    wanted = params.text(sent, "type")
    types = tuple(params.texts(sent, "types"))
    prefix = wanted[:-1] if wanted and wanted.endswith("*") else None
    if wanted and prefix is None:
        types = (wanted,)
    delivered = params.flag(sent, "delivery_success") if "delivery_success" in sent else None
    found = lists.page(
        call,
        "event",
        sent,
        url="/v1/events",
        labels=types,
        label_prefix=prefix,
        delivered=delivered,
    )
    found["data"] = [_with_pending(call, event) for event in found["data"]]
    return found


def _with_pending(call: Call, event: Obj) -> Obj:
    with call.store.locked() as db:
        row: tuple[Any, ...] = db.execute(
            "SELECT count(DISTINCT endpoint) FROM deliveries"
            " WHERE event = ? AND state NOT IN ('delivered', 'superseded')",
            (event["id"],),
        ).fetchone()
    return event | {"pending_webhooks": row[0]}

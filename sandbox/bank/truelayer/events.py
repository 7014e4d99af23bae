"""TrueLayer's webhooks: one body per moment, and the delivery that carries it."""

from __future__ import annotations

import json
from uuid import uuid4

from sandbox.bank.truelayer import shapes
from sandbox.bank.world import ENDPOINT, TRUELAYER, Call
from sandbox.common import posting
from sandbox.common.wire import Obj

EVENT = "tl_event"
TRUE = {"kind": "true"}

# moment → type and the name of its time; the time itself is kept on the payment.
_PAYMENT = {
    "authorised": ("payment_authorized", "authorized_at", "authorised_at"),
    "executed": ("payment_executed", "executed_at", "executed_at"),
    "settled": ("payment_settled", "settled_at", "settled_at"),
    "failed": ("payment_failed", "failed_at", "failed_at"),
    "creditable": ("payment_creditable", "creditable_at", "creditable_at"),
    "stalled": ("payment_settlement_stalled", "settlement_stalled_at", "stalled_at"),
    "disputed": ("payment_disputed", "disputed_at", "disputed_at"),
    "reversed": ("payment_reversed", "reversed_at", "reversed_at"),
}
_MONEY_OUT = {
    "refund_executed": "executed_at",
    "refund_failed": "failed_at",
    "payout_executed": "executed_at",
    "payout_failed": "failed_at",
}


def tell(call: Call, subject: Obj, moment: str) -> None:
    """Send the webhook of a moment, if it has one. Writes: the event, its delivery."""
    if moment in _PAYMENT:
        if moment == "authorised" and not call.settings.tells_authorised:
            return
        _emit(call, *_of_payment(subject, moment), lane=subject["id"])
    elif moment in _MONEY_OUT:
        lane = subject.get("payment") or subject["id"]
        _emit(call, moment, _of_money_out(subject, moment), lane=str(lane))


def _of_payment(payment: Obj, moment: str) -> tuple[str, Obj]:
    kind, name, kept = _PAYMENT[moment]
    body: Obj = {
        "payment_id": payment["id"],
        name: payment[kept],
        "payment_method": shapes.method_of(payment),
        "metadata": payment["metadata"],
    }
    if moment in {"authorised", "settled"} or (moment == "failed" and payment["bank"]):
        body["payment_source"] = shapes.source(payment)
    if moment == "settled":
        body |= {"user_id": payment["user"], "settlement_risk": {"category": "low_risk"}}
    if moment == "failed":
        body |= {
            "failure_stage": shapes.status(payment["stage"]),
            "failure_reason": payment["reason"],
        }
    if moment == "disputed":
        body["disputed_reason"] = "no_authorisation"
    return kind, body


def _of_money_out(found: Obj, moment: str) -> Obj:
    time = _MONEY_OUT[moment]
    body: Obj = {time: found[time], "metadata": found["metadata"]}
    if moment.startswith("refund"):
        body |= {"refund_id": found["id"], "payment_id": found["payment"]}
    else:
        body |= {"payout_id": found["id"], "beneficiary": found["beneficiary"]}
    if moment.endswith("failed"):
        return body | {"failure_reason": found["reason"]}
    return body | {"scheme_id": shapes.scheme(found)}


def _emit(call: Call, kind: str, body: Obj, *, lane: str) -> None:
    if call.store.find(ENDPOINT, TRUELAYER) is None:
        return
    fault = call.world.faults.take_for_event(f"{TRUELAYER}.{kind}")
    if fault is not None and fault.kind == "never_create":
        return
    for _ in range(2 if fault is not None and fault.kind == "second_event_id" else 1):
        event = put(call, kind, body)
        posting.post(call, event["id"], kind, endpoint=TRUELAYER, lane=lane, fault=fault,
                     held=is_held(call, TRUELAYER))  # fmt: skip


def put(call: Call, kind: str, body: Obj, style: Obj = TRUE) -> Obj:
    """Keep an event. `style` says how it is signed; only a true one is signed as TrueLayer would."""
    event_id = str(uuid4())
    full = {"type": kind, "event_version": 1, "event_id": event_id} | body
    event = {"id": event_id, "type": kind, "body": json.dumps(full), "style": style,
             "created": call.ms}  # fmt: skip
    return call.store.put(EVENT, event)


def is_held(call: Call, wire: str) -> bool:
    """Return whether this wire's deliveries are kept back for now."""
    endpoint = call.store.find(ENDPOINT, wire)
    return endpoint is not None and bool(endpoint.get("held"))

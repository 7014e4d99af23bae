"""GoCardless' events: what each moment is called there, and the webhooks that gather them."""

from __future__ import annotations

import json

from sandbox.bank.world import ENDPOINT, GOCARDLESS, PAYMENT, Call
from sandbox.common import posting
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj

EVENT, WEBHOOK = "gc_event", "webhook"
# Source: GoCardless' webhook guide, "up to 250 events in one webhook".
MOST = 250
_WAITING = "waiting"

_REQUEST, _PAYMENT, _REFUND, _PAYOUT = "billing_requests", "payments", "refunds", "payouts"
# moment → resource, action, cause, description
_MOMENTS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "requested": (
        (_REQUEST, "created", "billing_request_created", "A billing request was created."),
    ),
    "flow_created": (
        (_REQUEST, "flow_created", "billing_request_flow_created", "A flow was created."),
    ),
    "visited": (
        (_REQUEST, "flow_visited", "billing_request_flow_visited", "The payer opened the flow."),
    ),
    "left": ((_REQUEST, "flow_exited", "billing_request_flow_exited", "The payer left the flow."),),
    "chosen": (
        (
            *(_REQUEST, "select_institution", "billing_request_institution_selected"),
            "The payer has chosen a bank.",
        ),
        (
            *(_REQUEST, "bank_authorisation_visited", "billing_request_bank_authorisation_visited"),
            "The payer opened the bank's page.",
        ),
    ),
    "denied": (
        (
            *(_REQUEST, "bank_authorisation_denied", "billing_request_bank_authorisation_denied"),
            "The payer refused at the bank.",
        ),
    ),
    "refused": (
        (
            *(_REQUEST, "bank_authorisation_failed", "billing_request_bank_authorisation_failed"),
            "The bank refused the payment.",
        ),
    ),
    "authorised": (
        (
            *(_REQUEST, "bank_authorisation_authorised"),
            "billing_request_bank_authorisation_authorised",
            "The payer has agreed at the bank.",
        ),
        (
            *(_REQUEST, "payer_details_confirmed", "billing_request_payer_details_confirmed"),
            "The payer has confirmed all details.",
        ),
        (
            *(_REQUEST, "fulfilled", "billing_request_fulfilled"),
            "This billing request has been fulfilled, and the resources have been created.",
        ),
        (_PAYMENT, "created", "payment_created", "Payment created by a billing request."),
    ),
    "executed": ((_PAYMENT, "submitted", "payment_submitted", "Payment submitted to the banks."),),
    "settled": (
        (
            *(_PAYMENT, "confirmed", "payment_confirmed"),
            "Enough time has passed since the payment was submitted for the banks to return an error.",
        ),
    ),
    "failed": ((_PAYMENT, "failed", "", "The payment failed at the bank."),),
    "cancelled": (
        (_REQUEST, "cancelled", "billing_request_cancelled", "This billing request was cancelled."),
    ),
    "late_failed": ((_PAYMENT, "failed", "", "The payment failed after it had been confirmed."),),
    "charged_back": (
        (_PAYMENT, "charged_back", "authorisation_disputed", "The payer disputed the payment."),
    ),
    "chargeback_cancelled": (
        (_PAYMENT, "chargeback_cancelled", "chargeback_cancelled", "The chargeback was cancelled."),
    ),
    "paid_out": (
        (_PAYMENT, "paid_out", "payment_paid_out", "The payment is included in a payout."),
    ),
    "late_failure_settled": (
        (
            *(_PAYMENT, "late_failure_settled", "late_failure_settled"),
            "The late failure is included in a payout.",
        ),
    ),
    "chargeback_settled": (
        (
            *(_PAYMENT, "chargeback_settled", "chargeback_settled"),
            "The chargeback is included in a payout.",
        ),
    ),
    "refund_created": ((_REFUND, "created", "refund_created", "The refund has been created."),),
    "refund_executed": ((_REFUND, "paid", "refund_paid", "The refund has been paid."),),
    "refund_failed": ((_REFUND, "failed", "refund_failed", "The refund did not reach its payee."),),
    "refund_returned": (
        (_REFUND, "funds_returned", "refund_funds_returned", "The refund's money came back."),
    ),
    "refund_settled": (
        (_REFUND, "refund_settled", "refund_settled", "The refund is included in a payout."),
    ),
    "payout_executed": ((_PAYOUT, "paid", "payout_paid", "GoCardless has paid this payout."),),
}
# Causes that a bank gives, when nobody scripted another.
_BANK_SAYS = "refer_to_payer"


def tell(call: Call, subject: Obj, moment: str) -> None:
    """Record the events of a moment. Writes: events; a job that gathers them into a webhook."""
    if moment == "refund_failed" and subject["returned"]:
        moment = "refund_returned"
    lines = _MOMENTS.get(moment, ())
    if moment == "failed" and "authorised_at" not in subject:
        lines = ((_REQUEST, "failed", "billing_request_failed", "The billing request failed."),)
    for resource, action, cause, description in lines:
        details = {
            "origin": "gocardless" if cause else "bank",
            "cause": cause or subject.get("reason") or _BANK_SAYS,
            "description": description,
        }
        if resource == _PAYMENT:
            details["scheme"] = "faster_payments" if subject["currency"] == "GBP" else "sepa"
        links = _links(call, subject, resource, action)
        content = {
            "resource_type": resource,
            "action": action,
            "details": details,
            "links": links,
            "resource_metadata": _metadata(subject, resource),
        }
        _record(call, content)


def _links(call: Call, subject: Obj, resource: str, action: str) -> Obj:
    if resource == _REQUEST:
        links = {"billing_request": subject["id"]}
        if action.startswith("flow_") and subject.get("flow"):
            links["billing_request_flow"] = subject["flow"]
        if action == "fulfilled":
            links |= {"payment_request_payment": subject["_parent"],
                      "customer": subject["customer"]}  # fmt: skip
        return links
    if resource == _PAYMENT:
        payout = {"payout": subject["payout"]} if action in _WITH_PAYOUT else {}
        return {"payment": subject["_parent"]} | payout
    if resource == _REFUND:
        of = call.store.find(PAYMENT, subject["payment"]) or {}
        return {"refund": subject["id"], "payment": of["_parent"]}
    return {"payout": subject["id"]}


_WITH_PAYOUT = {"paid_out", "late_failure_settled", "chargeback_settled"}


def _metadata(subject: Obj, resource: str) -> Obj:
    name = "request_metadata" if resource == _REQUEST else "metadata"
    return dict(subject[name])


def _record(call: Call, content: Obj) -> None:
    resource, action = content["resource_type"], content["action"]
    fault = call.world.faults.take_for_event(f"{GOCARDLESS}.{resource}.{action}")
    kind = fault.kind if fault else None
    if kind == "never_create":
        return
    late = kind in {"delay", "reorder"}
    wait = (posting.DELAY_SECONDS if fault is None or fault.seconds is None else fault.seconds)  # fmt: skip
    for _ in range(2 if kind == "second_event_id" else 1):
        event: Obj = {
            "id": f"EV{random_text(12).upper()}",
            "created_at": call.moment,
            "created": call.ms,
            **content,
            "metadata": {},
            "_parent": "withheld" if kind == "never_send" else _WAITING,
            "_group": resource,
            "_label": action,
            "_due_at": call.world.clock.now() + (wait if late else 0.0),
            "_times": 2 if kind == "duplicate" else 1,
        }
        call.store.put(EVENT, event)
    pause = call.settings.batch_seconds + (wait if late else 0.0)
    call.later("gather", GOCARDLESS, seconds=pause)


def shown(event: Obj) -> Obj:
    """Return an event as clients see it."""
    names = ("id", "created_at", "resource_type", "action", "links", "details", "metadata",
             "resource_metadata")  # fmt: skip
    return {name: event[name] for name in names}


def gather(call: Call) -> None:
    """Put the events that wait into webhooks. Writes: webhooks, their deliveries."""
    if call.store.find(ENDPOINT, GOCARDLESS) is None:
        return
    now = call.world.clock.now()
    waiting = [each for each in call.store.of(EVENT, _WAITING) if each["_due_at"] <= now]
    for start in range(0, len(waiting), MOST):
        batch = waiting[start : start + MOST]
        webhook = _send(call, batch)
        for event in batch:
            call.store.put(EVENT, event | {"_parent": webhook["id"]})
    twice = [each for each in waiting if each["_times"] > 1]
    if twice:
        _send(call, twice)


def _send(call: Call, batch: list[Obj], style: str = "true") -> Obj:
    webhook = put(call, [shown(event) for event in batch], style)
    endpoint = call.store.find(ENDPOINT, GOCARDLESS) or {}
    post(call, webhook, held=bool(endpoint.get("held")))
    return webhook


def post(call: Call, webhook: Obj, *, held: bool = False) -> None:
    """Deliver a webhook, for the first time or again. Writes: a delivery."""
    kind = f"{len(json.loads(webhook['request_body'])['events'])} events"
    posting.post(call, webhook["id"], kind, endpoint=GOCARDLESS, lane=GOCARDLESS, held=held)


def put(call: Call, events: list[Obj], style: str = "true") -> Obj:
    """Keep a webhook with these events. `style` is `true`, or `forged` to be signed wrongly."""
    webhook_id = f"WB{random_text(12).upper()}"
    body = {"events": events, "meta": {"webhook_id": webhook_id}}
    endpoint = call.store.find(ENDPOINT, GOCARDLESS) or {"url": ""}
    webhook: Obj = {
        "id": webhook_id,
        "created_at": call.moment,
        "created": call.ms,
        "url": endpoint["url"],
        "is_test": style != "true",
        "request_body": json.dumps(body),
        "request_headers": {},
        "response_body": None,
        "response_body_truncated": False,
        "response_code": None,
        "response_headers": {},
        "response_headers_content_truncated": False,
        "response_headers_count_truncated": False,
        "successful": False,
        "style": style,
        "_group": GOCARDLESS,
    }
    return call.store.put(WEBHOOK, webhook)

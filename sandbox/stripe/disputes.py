"""Disputes: money of a captured charge that its bank takes back until evidence decides; inquiries take none."""

from __future__ import annotations

from typing import Any

from sandbox.stripe import bookings, events, lists, methods, params
from sandbox.stripe.errors import INVALID, ApiError, Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

KIND = "dispute"
# What Stripe charges for a dispute in the United States, and how long a card's holder's bank waits.
FEE = 1_500
ANSWER_SECONDS = 7 * 86_400
TEXTS = (
    *("access_activity_log", "billing_address", "cancellation_policy_disclosure"),
    *("cancellation_rebuttal", "customer_email_address", "customer_name", "customer_purchase_ip"),
    *("duplicate_charge_explanation", "duplicate_charge_id", "product_description"),
    *("refund_policy_disclosure", "refund_refusal_explanation", "service_date"),
    *("shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number"),
    "uncategorized_text",
)
FILES = (
    *("cancellation_policy", "customer_communication", "customer_signature"),
    *("duplicate_charge_documentation", "receipt", "refund_policy", "service_documentation"),
    *("shipping_documentation", "uncategorized_file"),
)
# What decides a dispute of a test card, as evidence in `uncategorized_text`.
# Source: https://docs.stripe.com/testing#disputes, "Evidence"
_ENDS = {"winning_evidence": "won", "losing_evidence": "lost", "escalate_inquiry_evidence": "more"}


def begin(call: Call, charge: Obj, reason: str) -> Obj:
    """Open a dispute of a charge. reason: Stripe's word, or `inquiry` for a bank that only asks so far.

    Writes: the dispute, the charge, a balance transaction. Emits: charge.dispute.created,
    charge.dispute.funds_withdrawn.
    """
    is_asked = reason == "inquiry"
    made = _blank(call, charge, "fraudulent" if is_asked else reason)
    made["status"] = "warning_needs_response" if is_asked else "needs_response"
    made["is_charge_refundable"] = is_asked
    charge |= {"disputed": True, "dispute": made["id"]}
    call.store.put("charge", charge)
    call.store.put(KIND, made)
    events.emit(call, "charge.dispute.created", made)
    if not is_asked:
        _withdraw(call, made)
    return made


def after_payment(call: Call, intent: Obj) -> None:
    """Note that a payment's test card brings trouble, right after it is paid. Writes: jobs."""
    method = call.store.find("payment_method", intent["payment_method"] or "")
    if method is None or method["type"] != "card":
        return
    sample = methods.sample(method)
    if sample.dispute or sample.fraud_record or sample.risk == "elevated":
        seconds = call.world.settings.balance_seconds
        call.later("distrust", intent["latest_charge"], seconds=seconds)


def open_due(call: Call, charge: Obj) -> None:
    """Open the dispute that a charge's test card brings, once."""
    reason = _sample(call, charge)
    if reason is not None and not charge["disputed"]:
        begin(call, charge, reason)


def _sample(call: Call, charge: Obj) -> str | None:
    method = call.store.find("payment_method", charge["payment_method"] or "")
    if method is None or method["type"] != "card":
        return None
    return methods.sample(method).dispute


def retrieve(call: Call, _sent: Obj, dispute_id: str) -> Obj:
    """Answer `GET /v1/disputes/{id}`."""
    return visible(call.get(KIND, dispute_id))


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/disputes`."""
    params.only(sent, {*lists.PAGING, "charge", "created", "payment_intent"})
    charge = params.text(sent, "charge")
    extra = (("$.charge", charge),) if charge else ()
    intent = params.text(sent, "payment_intent")
    return lists.page(call, KIND, sent, url="/v1/disputes", parent=intent, extra=extra)


def update(call: Call, sent: Obj, dispute_id: str) -> Obj:
    """Answer `POST /v1/disputes/{id}`: evidence is staged, or handed to the bank, which decides later.

    Emits: charge.dispute.updated. Source: https://docs.stripe.com/api/disputes/update
    """
    params.only(sent, {"evidence", "metadata", "submit"})
    found = call.get(KIND, dispute_id)
    given = params.table(sent, "evidence")
    if given and not found["status"].endswith("needs_response"):
        message = "This dispute is no longer accepting evidence."
        raise ApiError(400, INVALID, message, code="dispute_evidence_not_accepted")
    found["metadata"] = params.metadata(sent, found["metadata"])
    before = {"evidence": dict(found["evidence"]), "status": found["status"]}
    found["evidence"] = dict(found["evidence"]) | _evidence(call, given)
    details = found["evidence_details"]
    details["has_evidence"] = any(found["evidence"].values())
    if given and params.flag(sent, "submit", default=True):
        details["submission_count"] += 1
        is_asked = found["status"].startswith("warning")
        found["status"] = "warning_under_review" if is_asked else "under_review"
        if found["evidence"]["uncategorized_text"] in _ENDS:
            seconds = call.world.settings.settle_seconds
            call.later("decide_dispute", dispute_id, seconds=seconds)
    call.store.put(KIND, found)
    events.emit(call, "charge.dispute.updated", found, previous=before)
    return visible(found)


def _evidence(call: Call, given: Obj) -> dict[str, Any]:
    params.only(given, (*TEXTS, *FILES))
    found: dict[str, Any] = {name: params.text(given, name, limit=20_000) for name in given}
    for name in FILES:
        if found.get(name):
            call.get("file", found[name], param=f"evidence[{name}]", status=400)
    return found


def close(call: Call, _sent: Obj, dispute_id: str) -> Obj:
    """Answer `POST /v1/disputes/{id}/close`: nothing is contested, so it is lost."""
    found = call.get(KIND, dispute_id)
    if not found["status"].endswith("needs_response"):
        message = "This dispute is already closed."
        raise ApiError(400, INVALID, message, code="dispute_already_closed")
    _end(call, found, "lost")
    return visible(found)


def decide(call: Call, found: Obj) -> None:
    """Have the bank decide by the evidence it was given."""
    if not found["status"].endswith("under_review"):
        return
    is_asked = found["status"].startswith("warning")
    end = _ENDS.get(found["evidence"]["uncategorized_text"] or "", "lost")
    if is_asked and end == "more":
        found |= {"status": "needs_response", "is_charge_refundable": False}
        call.store.put(KIND, found)
        events.emit(call, "charge.dispute.updated", found, previous={"status": "warning"})
        _withdraw(call, found)
        return
    won = end == "won"
    _end(call, found, "warning_closed" if is_asked and won else "won" if won else "lost")


def refunded(call: Call, charge: Obj) -> None:
    """End an inquiry whose payment was given back in full."""
    found = call.store.find(KIND, charge["dispute"] or "")
    if found is not None and found["status"].startswith("warning") and charge["refunded"]:
        _end(call, found, "warning_closed")


def blocks_refund(call: Call, charge: Obj) -> bool:
    """Return whether a charge cannot be refunded because of its dispute."""
    found = call.store.find(KIND, charge["dispute"] or "")
    return found is not None and found["status"] in ("needs_response", "under_review", "lost")


def _end(call: Call, found: Obj, status: str) -> None:
    """Close a dispute. Emits: charge.dispute.closed, charge.dispute.funds_reinstated."""
    if found["status"] == status:
        return
    found["status"] = status
    call.store.put(KIND, found)
    events.emit(call, "charge.dispute.closed", found)
    if status == "won":
        _book(call, found, found["amount"], fee=0)
        events.emit(call, "charge.dispute.funds_reinstated", found)


def _withdraw(call: Call, found: Obj) -> None:
    _book(call, found, -found["amount"], fee=FEE)
    events.emit(call, "charge.dispute.funds_withdrawn", found)


def _book(call: Call, found: Obj, amount: int, *, fee: int) -> None:
    booked = bookings.book_dispute(call, found, amount, fee=fee)
    found["balance_transactions"].append(booked)
    call.store.put(KIND, found)


def _blank(call: Call, charge: Obj, reason: str) -> Obj:
    return {
        "id": new_id("dp_1"),
        "object": "dispute",
        "amount": charge["amount_captured"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys((*TEXTS, *FILES)) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + ANSWER_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }

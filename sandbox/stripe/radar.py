"""Radar: early fraud warnings of issuers and payments under review, as two test cards bring them."""

from __future__ import annotations

from sandbox.stripe import events, lists, methods, params
from sandbox.stripe.errors import INVALID, ApiError, Obj
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

WARNING, REVIEW = "radar.early_fraud_warning", "review"


def look_at(call: Call, charge: Obj) -> None:
    """Distrust a charge as its test card asks for.

    Writes: warnings, reviews. Emits: radar.early_fraud_warning.created, review.opened.
    """
    method = call.store.find("payment_method", charge["payment_method"] or "")
    if method is None or method["type"] != "card":
        return
    sample = methods.sample(method)
    if sample.fraud_record:
        made = _warning(call, charge)
        call.store.put(WARNING, made)
        events.emit(call, "radar.early_fraud_warning.created", made)
    if sample.risk == "elevated":
        opened = _review(call, charge)
        call.store.put(REVIEW, opened)
        charge["review"] = opened["id"]
        call.store.put("charge", charge)
        events.emit(call, "review.opened", opened)


def retrieve_warning(call: Call, _sent: Obj, warning_id: str) -> Obj:
    """Answer `GET /v1/radar/early_fraud_warnings/{id}`."""
    return visible(call.get(WARNING, warning_id))


def list_warnings(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/radar/early_fraud_warnings`."""
    params.only(sent, {*lists.PAGING, "charge", "created", "payment_intent"})
    intent = params.text(sent, "payment_intent")
    url = "/v1/radar/early_fraud_warnings"
    return lists.page(call, WARNING, sent, url=url, parent=intent)


def retrieve_review(call: Call, _sent: Obj, review_id: str) -> Obj:
    """Answer `GET /v1/reviews/{id}`."""
    return visible(call.get(REVIEW, review_id))


def list_reviews(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/reviews`: those that are open."""
    params.only(sent, {*lists.PAGING, "created"})
    return lists.page(call, REVIEW, sent, url="/v1/reviews")


def approve(call: Call, _sent: Obj, review_id: str) -> Obj:
    """Answer `POST /v1/reviews/{id}/approve`. Emits: review.closed."""
    found = call.get(REVIEW, review_id)
    if not found["open"]:
        raise ApiError(400, INVALID, "This review has already been closed.")
    found |= {"open": False, "closed_reason": "approved", "reason": "approved"}
    call.store.put(REVIEW, found)
    events.emit(call, "review.closed", found)
    return visible(found)


def _warning(call: Call, charge: Obj) -> Obj:
    return {
        "id": new_id("issfr_1"),
        "object": WARNING,
        "actionable": True,
        "charge": charge["id"],
        "created": call.now,
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }


def _review(call: Call, charge: Obj) -> Obj:
    return {
        "id": new_id("prv_1"),
        "object": REVIEW,
        "billing_zip": None,
        "charge": charge["id"],
        "closed_reason": None,
        "created": call.now,
        "ip_address": None,
        "ip_address_location": None,
        "livemode": False,
        "open": True,
        "opened_reason": "rule",
        "payment_intent": charge["payment_intent"],
        "reason": "rule",
        "session": None,
    }

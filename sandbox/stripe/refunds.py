"""Refunds: money of a captured charge on its way back, at once, later or not after all."""

from __future__ import annotations

from sandbox.stripe import bookings, disputes, events, lists, methods, money, params
from sandbox.stripe.errors import INVALID, ApiError, Obj, invalid
from sandbox.stripe.ids import new_id, random_digits
from sandbox.stripe.world import Call, visible

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_CREATE = {"amount", "charge", "currency", "metadata", "payment_intent", "reason"}
_SIGNS = {"eur": "€", "gbp": "£", "jpy": "¥", "usd": "$"}
# What a card's issuer says when it sends a refund back.
# Source: https://docs.stripe.com/api/refunds/object#refund_object-failure_reason
FAILURE = "expired_or_canceled_card"


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/refunds`.

    Writes: the refund, its balance transaction, the charge. Emits: refund.created, charge.refunded.
    Source: https://docs.stripe.com/api/refunds/create
    """
    params.only(sent, _CREATE)
    charge = _charge_of(call, sent)
    if disputes.blocks_refund(call, charge):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise ApiError(400, INVALID, message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left <= 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise ApiError(400, INVALID, message, code="charge_already_refunded")
    amount = _amount(sent, charge, left)
    reason = params.choice(sent, "reason", REASONS)
    made = _blank(call, charge, amount)
    made |= {"metadata": params.metadata(sent), "reason": reason}
    sample = _sample_refund(call, charge)
    if sample == "pending":
        made |= {"status": "pending", "pending_reason": "processing"}
    if sample is not None:
        call.later("finish_refund", made["id"], seconds=call.world.settings.settle_seconds)
    made["balance_transaction"] = bookings.book_refund(call, charge, made)
    call.store.put("refund", made)
    _move_charge(call, charge, amount)
    events.emit(call, "refund.created", made)
    events.emit(call, "charge.refunded", charge)
    disputes.refunded(call, charge)
    return visible(made)


def finish(call: Call, made: Obj) -> None:
    """End a refund as its test card will have it: a pending one succeeds, a succeeded one fails.

    Writes: the refund, the charge, a balance transaction. Emits: refund.updated,
    charge.refund.updated, refund.failed.
    Source: https://docs.stripe.com/testing#refunds, https://docs.stripe.com/refunds#failed-refunds
    """
    charge = call.get("charge", made["charge"])
    before = {"status": made["status"]}
    if made["status"] == "pending":
        made |= {"status": "succeeded", "pending_reason": None}
    elif made["status"] == "succeeded" and _sample_refund(call, charge) == "fails":
        _move_charge(call, charge, -made["amount"])
        back = bookings.book_refund(call, charge, made, failed=True)
        made |= {"status": "failed", "failure_reason": FAILURE}
        made["failure_balance_transaction"] = back
    else:
        return
    call.store.put("refund", made)
    events.emit(call, "refund.updated", made, previous=before)
    events.emit(call, "charge.refund.updated", made, previous=before)
    if made["status"] == "failed":
        events.emit(call, "refund.failed", made)


def retrieve(call: Call, _sent: Obj, refund_id: str) -> Obj:
    """Answer `GET /v1/refunds/{id}`."""
    return visible(call.get("refund", refund_id))


def update(call: Call, sent: Obj, refund_id: str) -> Obj:
    """Answer `POST /v1/refunds/{id}`; only metadata can change. Emits: refund.updated."""
    params.only(sent, {"metadata"})
    made = call.get("refund", refund_id)
    before = {"metadata": made["metadata"]}
    made["metadata"] = params.metadata(sent, made["metadata"])
    call.store.put("refund", made)
    events.emit(call, "refund.updated", made, previous=before)
    events.emit(call, "charge.refund.updated", made, previous=before)
    return visible(made)


def cancel(call: Call, _sent: Obj, refund_id: str) -> Obj:
    """Answer `POST /v1/refunds/{id}/cancel`: cards never reach the state in which that is allowed."""
    made = call.get("refund", refund_id)
    message = (
        f"Refund {refund_id} cannot be canceled because it has a status of {made['status']}. Only"
        " refunds with the status requires_action can be canceled."
    )
    raise invalid(message)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/refunds`."""
    params.only(sent, {*lists.PAGING, "charge", "created", "payment_intent"})
    charge = params.text(sent, "charge")
    extra = (("$.charge", charge),) if charge else ()
    intent = params.text(sent, "payment_intent")
    return lists.page(call, "refund", sent, url="/v1/refunds", parent=intent, extra=extra)


def _charge_of(call: Call, sent: Obj) -> Obj:
    """Return the charge to refund, named itself or by its payment intent."""
    named, intent_id = params.text(sent, "charge"), params.text(sent, "payment_intent")
    if intent_id is not None:
        intent = call.get("payment_intent", intent_id, param="payment_intent")
        named = named or intent["latest_charge"]
    elif named is None:
        message = "One of the following params should be provided for this request: "
        raise invalid(message + "payment_intent or charge.")
    charge = call.get("charge", named, param="charge") if named else None
    if charge is None or charge["status"] != "succeeded" or not charge["captured"]:
        subject = f"PaymentIntent ({intent_id})" if intent_id else f"Charge ({named})"
        message = f"This {subject} does not have a successful charge to refund."
        raise invalid(message, "payment_intent" if intent_id else "charge")
    return charge


def _amount(sent: Obj, charge: Obj, left: int) -> int:
    value = params.whole(sent, "amount")
    if value is None:
        return left
    if value < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, "amount", code="parameter_invalid_integer")
    if value > left:
        code = charge["currency"]
        message = (
            f"Refund amount ({_shown(value, code)}) is greater than unrefunded amount on charge"
            f" ({_shown(left, code)})"
        )
        raise invalid(message, "amount")
    return value


def _shown(value: int, code: str) -> str:
    plain = money.shown(value, code)
    sign = _SIGNS.get(code)
    return f"{sign}{plain.rpartition(' ')[0]}" if sign else plain


def _sample_refund(call: Call, charge: Obj) -> str | None:
    """Return what becomes of this card's refunds later; None: nothing more."""
    method = call.store.find("payment_method", charge["payment_method"] or "")
    if method is None or method["type"] != "card":
        return None
    return methods.sample(method).refund


def _move_charge(call: Call, charge: Obj, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
    call.store.put("charge", charge)


def _blank(call: Call, charge: Obj, amount: int) -> Obj:
    card = charge["payment_method_details"]["type"] == "card"
    details: Obj = {"type": "sepa_debit", "sepa_debit": {}}
    if card:
        reference = {
            "reference": random_digits(23),
            "reference_status": "available",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
        details = {"type": "card", "card": reference}
    return {
        "id": new_id("re_3" if card else "pyr_1"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": details,
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "pending_reason": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }

"""Charges: the attempts on a card and what the bank said; moved only by payment intents."""

from __future__ import annotations

from sandbox.stripe import bookings, declines, events, lists, methods, params
from sandbox.stripe.declines import Decline
from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id, random_digits, random_text
from sandbox.stripe.world import Call, visible

AUTHORISATION_SECONDS = 7 * 86_400


def attempt(call: Call, intent: Obj, method: Obj, *, authenticated: bool) -> Obj:
    """Make the successful or pending charge of an intent, not yet captured when manual.

    Writes: the charge.
    """
    charge = _blank(call, intent, method)
    manual = intent["capture_method"] == "manual"
    sample_risk = methods.sample(method).risk if method["type"] == "card" else "normal"
    charge |= {
        "captured": not manual,
        "amount_captured": 0 if manual else intent["amount"],
        "outcome": declines.approval(sample_risk),
        "paid": True,
        "receipt_url": f"{call.world.settings.public_url}/receipts/{charge['id']}",
        "status": "succeeded",
    }
    if method["type"] == "card":
        card = charge["payment_method_details"]["card"]
        card["three_d_secure"] = _three_d_secure() if authenticated else None
        card["capture_before"] = call.now + AUTHORISATION_SECONDS if manual else None
    return call.store.put("charge", charge)


def refuse(call: Call, intent: Obj, method: Obj, decline: Decline) -> Obj:
    """Make the failed charge of an intent. Writes: the charge. Emits: charge.failed."""
    charge = _blank(call, intent, method)
    risk = methods.sample(method).risk if method["type"] == "card" else "normal"
    charge |= {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": declines.outcome(decline, risk),
        "paid": False,
        "status": "failed",
    }
    call.store.put("charge", charge)
    events.emit(call, "charge.failed", charge)
    return charge


def capture(call: Call, charge: Obj, amount: int) -> None:
    """Capture an authorised charge; what is left over goes back to the card at once.

    Writes: the charge, its balance transaction. Emits: charge.captured.
    Source: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method; the remainder shows
    in `amount_refunded`.
    """
    charge |= {
        "captured": True,
        "amount_captured": amount,
        "amount_refunded": charge["amount"] - amount,
        "balance_transaction": bookings.book_charge(call, charge, amount),
    }
    call.store.put("charge", charge)
    events.emit(call, "charge.captured", charge)


def release(call: Call, charge: Obj, *, expired: bool) -> None:
    """Give an authorisation back uncaptured. Emits: charge.expired or charge.refunded."""
    charge |= {"amount_refunded": charge["amount"], "refunded": True}
    call.store.put("charge", charge)
    events.emit(call, "charge.expired" if expired else "charge.refunded", charge)


def book(call: Call, charge: Obj) -> None:
    """Book a captured charge whose balance transaction follows later.

    Writes: the charge, its balance transaction. Emits: charge.updated.
    """
    if charge["balance_transaction"] is not None or charge["status"] != "succeeded":
        return
    charge["balance_transaction"] = bookings.book_charge(call, charge, charge["amount_captured"])
    call.store.put("charge", charge)
    before = {"balance_transaction": None, "receipt_url": charge["receipt_url"]}
    events.emit(call, "charge.updated", charge, previous=before)


def retrieve(call: Call, _sent: Obj, charge_id: str) -> Obj:
    """Answer `GET /v1/charges/{id}`."""
    return visible(call.get("charge", charge_id))


def update(call: Call, sent: Obj, charge_id: str) -> Obj:
    """Answer `POST /v1/charges/{id}`. Emits: charge.updated."""
    params.only(sent, {"description", "metadata", "receipt_email"})
    charge = call.get("charge", charge_id)
    before = {name: charge[name] for name in sent if name in charge}
    for name in ("description", "receipt_email"):
        charge[name] = params.text(sent, name) if name in sent else charge[name]
    charge["metadata"] = params.metadata(sent, charge["metadata"])
    call.store.put("charge", charge)
    events.emit(call, "charge.updated", charge, previous=before)
    return visible(charge)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/charges`."""
    params.only(sent, {*lists.PAGING, "created", "customer", "payment_intent", "transfer_group"})
    return lists.page(
        call,
        "charge",
        sent,
        url="/v1/charges",
        customer=params.text(sent, "customer"),
        parent=params.text(sent, "payment_intent"),
    )


def _three_d_secure() -> Obj:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": random_text(36).lower(),
        "version": "2.2.0",
    }


def _method_details(intent: Obj, method: Obj) -> Obj:
    if method["type"] != "card":
        debit = {n: v for n, v in method["sepa_debit"].items() if n != "generated_from"}
        return {"sepa_debit": debit | {"mandate": new_id("mandate_1")}, "type": "sepa_debit"}
    card = method["card"]
    taken = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    unavailable = {"status": "unavailable"}
    return {
        "card": {
            "amount_authorized": intent["amount"],
            "authorization_code": random_digits(6),
            **{name: card[name] for name in taken},
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": unavailable,
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": unavailable,
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": random_text(15),
            "overcapture": {"maximum_amount_capturable": intent["amount"], **unavailable},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    }


def _blank(call: Call, intent: Obj, method: Obj) -> Obj:
    descriptor = "PAYDESK SANDBOX"
    suffix = intent["statement_descriptor_suffix"]
    return {
        "id": new_id("ch_3" if method["type"] == "card" else "py_3"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": f"{descriptor}* {suffix}" if suffix else descriptor,
        "captured": False,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "destination": None,
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "order": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(intent, method),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": suffix,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }

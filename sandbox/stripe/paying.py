"""Paying a checkout session: from the buyer's entries to an intent and its outcome; no HTML."""

from __future__ import annotations

from sandbox.stripe import confirm, customers, events, intents, methods, params, sessions, setups
from sandbox.stripe.errors import ApiError, Obj
from sandbox.stripe.world import Call


def pay(call: Call, session: Obj, entries: Obj, *, return_url: str) -> Obj:
    """Pay an open session with what the buyer entered; returns the intent as it then stands.

    `entries` are `payment_method_data` as the API takes them. A second try after a decline uses the
    session's intent again.
    Writes: session, intent, payment method, customer. Raises: ApiError 402 when refused.
    """
    method = methods.build(call, entries, within="payment_method_data")
    _remember_buyer(call, session, method)
    terms = confirm.Terms(return_url=return_url)
    if session["mode"] == "setup":
        return _set_up(call, session, method, terms)
    intent = _intent(call, session)
    intent["payment_method"] = method["id"]
    session["_delayed"] = method["type"] != "card"
    call.store.put(sessions.KIND, session)
    return confirm.run(call, intent, terms)


def problem_of(call: Call, session: Obj) -> str | None:
    """Return why the session's last attempt failed, as a buyer reads it."""
    error = None
    if session["payment_intent"]:
        error = call.get("payment_intent", session["payment_intent"])["last_payment_error"]
    elif session["setup_intent"]:
        error = call.get(setups.KIND, session["setup_intent"])["last_setup_error"]
    return None if error is None else str(error["message"])


def complete_setup(call: Call, session: Obj) -> None:
    """Complete a session whose card was saved. Emits: checkout.session.completed."""
    intent = call.get(setups.KIND, session["setup_intent"])
    if session["status"] == "open" and intent["status"] == "succeeded":
        sessions.complete(call, session, paid=False)


def _intent(call: Call, session: Obj) -> Obj:
    if session["payment_intent"]:
        return call.get("payment_intent", session["payment_intent"])
    intent = intents.blank(call, amount=session["amount_total"], currency=session["currency"])
    asked = session["_intent"]
    intent |= {
        "automatic_payment_methods": None,
        "customer": session["customer"],
        "description": params.text(asked, "description"),
        "metadata": params.metadata(asked),
        "payment_method_configuration_details": None,
        "payment_method_types": session["payment_method_types"],
        "receipt_email": params.text(asked, "receipt_email"),
        "setup_future_usage": params.text(asked, "setup_future_usage"),
        "statement_descriptor_suffix": params.text(asked, "statement_descriptor_suffix"),
        "_session": session["id"],
    }
    intent["capture_method"] = params.text(asked, "capture_method") or intent["capture_method"]
    call.store.put("payment_intent", intent)
    events.emit(call, "payment_intent.created", intent)
    session["payment_intent"] = intent["id"]
    return intent


def _set_up(call: Call, session: Obj, method: Obj, terms: confirm.Terms) -> Obj:
    if session["setup_intent"]:
        intent = call.get(setups.KIND, session["setup_intent"])
    else:
        intent = setups.blank(call)
        intent |= {"customer": session["customer"], "metadata": session["_setup"]["metadata"]}
        call.store.put(setups.KIND, intent)
        events.emit(call, "setup_intent.created", intent)
        session["setup_intent"] = intent["id"]
    intent["payment_method"] = method["id"]
    call.store.put(sessions.KIND, session)
    setups.run(call, intent, terms)
    complete_setup(call, session)
    return intent


def _remember_buyer(call: Call, session: Obj, method: Obj) -> None:
    """Note who pays; make a customer when the session asks for one."""
    billing = method["billing_details"]
    former = session["customer_details"] or {}
    session["customer_details"] = former | {
        "address": billing["address"],
        "email": billing["email"] or former.get("email"),
        "name": billing["name"],
        "phone": billing["phone"],
        "tax_exempt": "none",
        "tax_ids": [],
    }
    if session["customer"] is None and session["customer_creation"] == "always":
        made = {n: billing[n] for n in ("email", "name", "phone") if billing[n]}
        session["customer"] = customers.build(call, made)["id"]


def refused(error: ApiError) -> str:
    """Return the sentence that a buyer reads."""
    return str(error.body["error"]["message"])

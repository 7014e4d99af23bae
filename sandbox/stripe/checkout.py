"""Checkout sessions as resources: create, read, list, expire; paying is in `paying`."""

from __future__ import annotations

from sandbox.stripe import line_items, lists, params, sessions
from sandbox.stripe.errors import Obj, invalid, missing, wrong_state
from sandbox.stripe.ids import new_id
from sandbox.stripe.intents import CAPTURE_METHODS
from sandbox.stripe.methods import KINDS
from sandbox.stripe.world import Call, visible

MODES = ("payment", "setup")
UI_MODES = ("hosted_page", "embedded_page", "elements", "form")
DEFAULT_SECONDS = 24 * 3_600
SHORTEST_SECONDS = 30 * 60
_IGNORED = {
    "adaptive_pricing", "after_expiration", "allow_promotion_codes", "automatic_tax",
    "branding_settings", "consent_collection", "custom_fields", "custom_text", "customer_update",
    "invoice_creation", "name_collection", "payment_method_collection", "permissions",
    "payment_method_configuration", "payment_method_data", "payment_method_options",
    "phone_number_collection", "saved_payment_method_options", "shipping_address_collection",
    "tax_id_collection", "wallet_options", "excluded_payment_method_types", "managed_payments",
    "allowed_payment_method_types", "origin_context", "integration_identifier",
}  # fmt: skip
_KNOWN = _IGNORED | {
    "billing_address_collection", "cancel_url", "client_reference_id", "currency", "customer",
    "customer_creation", "customer_email", "expires_at", "line_items", "locale", "metadata", "mode",
    "payment_intent_data", "payment_method_types", "redirect_on_completion", "return_url",
    "setup_intent_data", "submit_type", "success_url", "ui_mode",
}  # fmt: skip
_INTENT_DATA = {
    "capture_method", "description", "metadata", "receipt_email", "setup_future_usage", "shipping",
    "statement_descriptor", "statement_descriptor_suffix", "transfer_group",
}  # fmt: skip
# Always there, seldom filled.
_UNSET = (
    "after_expiration", "allow_promotion_codes", "amount_subtotal", "amount_total",
    "billing_address_collection", "cancel_url", "client_reference_id", "client_secret",
    "consent", "consent_collection", "currency", "currency_conversion", "customer",
    "customer_account", "customer_creation", "customer_details", "customer_email", "invoice",
    "invoice_creation", "locale", "origin_context", "payment_intent", "payment_link",
    "payment_method_configuration_details", "permissions", "presentment_details",
    "recovered_from", "saved_payment_method_options", "setup_intent",
    "shipping_address_collection", "shipping_cost", "submit_type", "subscription",
    "success_url", "total_details", "wallet_options",
)  # fmt: skip


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/checkout/sessions`. Writes: the session and its line items."""
    params.only(sent, _KNOWN)
    mode = params.choice(sent, "mode", MODES)
    if mode is None:
        raise missing("mode")
    session = _blank(call, mode)
    _addresses(session, sent)
    _customer(call, session, sent)
    _money(session, sent)
    _methods(session, sent)
    session |= {
        "client_reference_id": params.text(sent, "client_reference_id", limit=200),
        "expires_at": _expiry(call, sent),
        "locale": params.text(sent, "locale"),
        "metadata": params.metadata(sent),
        "submit_type": params.text(sent, "submit_type"),
    }
    session["_intent"] = _intent_data(sent, "payment_intent_data")
    session["_setup"] = {"metadata": params.metadata(params.table(sent, "setup_intent_data"))}
    call.store.put(sessions.KIND, session)
    call.later(
        "expire_session", session["id"], seconds=session["expires_at"] - call.world.clock.now()
    )
    return shown(session, sent)


def retrieve(call: Call, sent: Obj, session_id: str) -> Obj:
    """Answer `GET /v1/checkout/sessions/{id}`."""
    return shown(call.get(sessions.KIND, session_id), sent)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/checkout/sessions`."""
    params.only(sent, {*lists.PAGING, "created", "customer", "payment_intent", "status",
                       "customer_details", "payment_link", "subscription"})  # fmt: skip
    status = params.choice(sent, "status", ("open", "complete", "expired"))
    email = params.text(params.table(sent, "customer_details"), "email")
    return lists.page(
        call,
        sessions.KIND,
        sent,
        url="/v1/checkout/sessions",
        customer=params.text(sent, "customer"),
        parent=params.text(sent, "payment_intent"),
        labels=(status,) if status else (),
        extra=(("$.customer_details.email", email),) if email else (),
    )


def update(call: Call, sent: Obj, session_id: str) -> Obj:
    """Answer `POST /v1/checkout/sessions/{id}`."""
    params.only(sent, {"metadata"})
    session = call.get(sessions.KIND, session_id)
    session["metadata"] = params.metadata(sent, session["metadata"])
    return shown(call.store.put(sessions.KIND, session), sent)


def expire(call: Call, sent: Obj, session_id: str) -> Obj:
    """Answer `POST /v1/checkout/sessions/{id}/expire`. Emits: checkout.session.expired."""
    params.only(sent, ())
    session = call.get(sessions.KIND, session_id)
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}."
        )
        raise wrong_state(message, "checkout_session_unexpected_state", kind="checkout_session",
                          subject=visible(session))  # fmt: skip
    sessions.expire(call, session)
    return shown(session, sent)


def list_items(call: Call, sent: Obj, session_id: str) -> Obj:
    """Answer `GET /v1/checkout/sessions/{id}/line_items`."""
    params.only(sent, lists.PAGING)
    session = call.get(sessions.KIND, session_id)
    return line_items.as_list(session["_items"], session_id)


def shown(session: Obj, sent: Obj) -> Obj:
    """Return a session; its line items only when the caller expands them."""
    answer = visible(session)
    wanted = params.texts(sent, "expand")
    if any(path.split(".")[0] == "line_items" for path in wanted):
        answer["line_items"] = line_items.as_list(session["_items"], session["id"])
    return answer


def _addresses(session: Obj, sent: Obj) -> None:
    mode = params.choice(sent, "ui_mode", UI_MODES) or "hosted_page"
    success, back = params.text(sent, "success_url"), params.text(sent, "return_url")
    if mode == "hosted_page" and success is None:
        raise missing("success_url")
    if mode != "hosted_page" and (success or params.text(sent, "cancel_url")):
        raise invalid(f"`success_url` and `cancel_url` cannot be used when `ui_mode` is {mode}.")
    for name in ("success_url", "cancel_url", "return_url"):
        url = params.text(sent, name)
        if url is not None and not url.startswith(("http://", "https://")):
            message = "Not a valid URL: an explicit scheme (such as https) must be provided."
            raise invalid(message, name, code="url_invalid")
    session |= {
        "ui_mode": mode,
        "success_url": success,
        "cancel_url": params.text(sent, "cancel_url"),
        "return_url": back,
    }
    if mode != "hosted_page":
        session["client_secret"] = new_id(f"{session['id']}_secret", 32)
        session["url"] = None


def _customer(call: Call, session: Obj, sent: Obj) -> None:
    customer, email = params.text(sent, "customer"), params.text(sent, "customer_email")
    if customer and email:
        raise invalid("You may only specify one of these parameters: customer, customer_email.")
    creation = params.choice(sent, "customer_creation", ("always", "if_required"))
    if customer:
        known = call.get("customer", customer, param="customer", status=400)
        session |= {"customer": customer, "customer_creation": None}
        email = known["email"]
    else:
        session |= {"customer_creation": creation or "if_required", "customer_email": email}
    if email:
        session["customer_details"] = _details(email)


def _money(session: Obj, sent: Obj) -> None:
    if session["mode"] == "setup":
        code = params.required_text(sent, "currency").lower() if "currency" in sent else None
        session |= {"amount_subtotal": None, "amount_total": None, "currency": code, "_items": []}
        return
    bought, currency = line_items.build(params.items(sent, "line_items"))
    total = sum(item["amount_total"] for item in bought)
    session |= {
        "amount_subtotal": total,
        "amount_total": total,
        "currency": currency,
        "_items": bought,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }


def _methods(session: Obj, sent: Obj) -> None:
    types = params.texts(sent, "payment_method_types")
    unknown = [kind for kind in types if kind not in KINDS]
    if unknown:
        message = f"The payment method type provided: {unknown[0]} is invalid in this sandbox."
        raise invalid(message, "payment_method_types")
    if not types:
        types = ["card", "sepa_debit"] if session["currency"] == "eur" else ["card"]
    session["payment_method_types"] = types
    # A mail address or three-way choice the page does not offer is accepted and left alone.
    address = params.choice(sent, "billing_address_collection", ("auto", "required"))
    session["billing_address_collection"] = address


def _expiry(call: Call, sent: Obj) -> int:
    at = params.whole(sent, "expires_at")
    if at is None:
        return call.now + DEFAULT_SECONDS
    if not call.now + SHORTEST_SECONDS - 60 <= at <= call.now + DEFAULT_SECONDS + 60:
        message = "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours "
        raise invalid(message + "from Checkout Session creation.", "expires_at")
    return at


def _intent_data(sent: Obj, name: str) -> Obj:
    given = params.table(sent, name)
    params.only(given, _INTENT_DATA)
    params.choice(given, "capture_method", CAPTURE_METHODS)
    params.metadata(given)
    return given


def _details(email: str) -> Obj:
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _blank(call: Call, mode: str) -> Obj:
    session_id = new_id("cs_test", 58)
    return {
        "id": session_id,
        "object": sessions.KIND,
        **dict.fromkeys(_UNSET),
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "collected_information": {
            "business_name": None,
            "individual_name": None,
            "shipping_details": None,
        },
        "created": call.now,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "discounts": [],
        "expires_at": 0,
        "livemode": False,
        "metadata": {},
        "mode": mode,
        "payment_method_collection": "always" if mode == "setup" else "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
        "url": f"{call.world.settings.public_url}/c/pay/{session_id}",
    }

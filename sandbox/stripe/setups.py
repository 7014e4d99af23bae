"""Setup intents: a card checked and saved without a charge; no money."""

from __future__ import annotations

from sandbox.stripe import challenges, confirm, events, lists, methods, params
from sandbox.stripe.cards import asks_authentication
from sandbox.stripe.declines import DECLINES, refusal
from sandbox.stripe.errors import Obj, card_error, doc_url, no_such, wrong_state
from sandbox.stripe.ids import client_secret, new_id
from sandbox.stripe.world import Call, visible

KIND = "setup_intent"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_SETTINGS = {
    "customer", "description", "metadata", "payment_method", "payment_method_data",
    "payment_method_types", "payment_method_options", "flow_directions", "attach_to_self",
    "payment_method_configuration", "allowed_payment_method_types", "excluded_payment_method_types",
}  # fmt: skip
_CONFIRM = {
    "payment_method", "payment_method_data", "payment_method_options", "return_url",
    "use_stripe_sdk", "mandate_data", "confirmation_token", "allowed_payment_method_types",
}  # fmt: skip
_CREATE = _SETTINGS | _CONFIRM | {
    "automatic_payment_methods", "confirm", "on_behalf_of", "single_use", "usage",
    "customer_account",
}  # fmt: skip
_PRIVATE = ("metadata", "customer", "application", "on_behalf_of", "latest_attempt", "mandate")


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/setup_intents`. Emits: setup_intent.created and what confirming brings."""
    params.only(sent, _CREATE)
    intent = blank(call)
    types = params.texts(sent, "payment_method_types")
    if types:
        intent |= {"payment_method_types": types, "automatic_payment_methods": None}
    usage = params.choice(sent, "usage", ("on_session", "off_session"))
    intent["usage"] = usage or "off_session"
    _apply(call, intent, sent)
    call.store.put(KIND, intent)
    events.emit(call, "setup_intent.created", intent)
    if params.flag(sent, "confirm"):
        return visible(run(call, intent, confirm.terms_of(call, sent)))
    return visible(intent)


def retrieve(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `GET /v1/setup_intents/{id}`; a browser needs the client secret."""
    return _shown(call, _of_caller(call, sent, intent_id))


def update(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/setup_intents/{id}`. Writes: the intent; Stripe sends no event for it."""
    params.only(sent, _SETTINGS)
    intent = call.get(KIND, intent_id)
    _assert_open(intent, "update")
    _apply(call, intent, sent)
    return visible(call.store.put(KIND, intent))


def confirm_intent(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/setup_intents/{id}/confirm`, from a server or a browser."""
    params.only(sent, _CONFIRM | confirm.FROM_BROWSER)
    intent = _of_caller(call, sent, intent_id)
    _assert_open(intent, "confirm")
    _apply(call, intent, {name: sent[name] for name in sent if name in _SETTINGS})
    return _shown(call, run(call, intent, confirm.terms_of(call, sent)))


def cancel(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/setup_intents/{id}/cancel`. Emits: setup_intent.canceled."""
    params.only(sent, {"cancellation_reason"})
    reason = params.choice(
        sent, "cancellation_reason", ("abandoned", "requested_by_customer", "duplicate")
    )
    intent = call.get(KIND, intent_id)
    _assert_open(intent, "cancel")
    intent |= {"cancellation_reason": reason, "next_action": None}
    _move(call, intent, "canceled", "setup_intent.canceled")
    return visible(intent)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/setup_intents`."""
    params.only(sent, {*lists.PAGING, "created", "customer", "payment_method"})
    method = params.text(sent, "payment_method")
    extra = (("$.payment_method", method),) if method else ()
    customer = params.text(sent, "customer")
    return lists.page(call, KIND, sent, url="/v1/setup_intents", customer=customer, extra=extra)


def authenticate(call: Call, intent: Obj, *, passed: bool) -> Obj | None:
    """Take the result of a 3DS challenge; returns the refusal, if any.

    Writes: intent, payment method. Emits: setup_intent.succeeded|setup_failed.
    """
    method = call.get("payment_method", intent["payment_method"])
    if passed and not methods.sample(method).authentication_error:
        return _finish(call, intent, method)
    code = "setup_intent_authentication_failure"
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment "
        "method and try again."
    )
    error = {"code": code, "doc_url": doc_url(code), "message": message,
             "payment_method": visible(method), "type": "invalid_request_error"}  # fmt: skip
    return _fail(call, intent, error)


def run(call: Call, intent: Obj, terms: confirm.Terms) -> Obj:
    """Confirm: ask for 3DS, or check and save the card; returns the intent as it then stands.

    Writes: intent, payment method. Emits: as the outcome. Raises: ApiError 402 when refused.
    """
    if intent["payment_method"] is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method. "
        message += "Update the SetupIntent with a payment method and then confirm it again."
        raise _unexpected(message, intent)
    method = call.get("payment_method", intent["payment_method"])
    sample = methods.sample(method) if method["type"] == "card" else None
    if sample and asks_authentication(
        sample, off_session=False, set_up=False, requested=False
    ) and sample.authentication != "on_session":  # fmt: skip
        intent["next_action"] = challenges.open_for(
            call, intent, return_url=terms.return_url, use_stripe_sdk=terms.use_stripe_sdk
        )
        _move(call, intent, "requires_action", "setup_intent.requires_action")
        return intent
    error = _finish(call, intent, method)
    if error is not None:
        extra = {n: v for n, v in error.items() if n not in ("message", "type", "code")}
        extra[KIND] = visible(intent)
        raise card_error(error["message"], error["code"], extra=extra, keep=True)
    return intent


def _finish(call: Call, intent: Obj, method: Obj) -> Obj | None:
    """Check the card and save it, or refuse it and return the refusal."""
    decline = methods.sample(method).decline if method["type"] == "card" else None
    # This card saves well and is refused only when charged.
    if decline is not None and method["_sample"] != "4000000000000341":
        error = refusal(DECLINES[decline], charge_id=None, method=visible(method))
        return _fail(call, intent, error)
    method["_set_up"] = intent["usage"] == "off_session"
    call.store.put("payment_method", method)
    if intent["customer"]:
        methods.save_to(call, method, intent["customer"])
    intent |= {"next_action": None, "last_setup_error": None, "mandate": None}
    intent["latest_attempt"] = new_id("setatt_1")
    _move(call, intent, "succeeded", "setup_intent.succeeded")
    return None


def _fail(call: Call, intent: Obj, error: Obj) -> Obj:
    intent |= {"last_setup_error": error, "next_action": None, "payment_method": None}
    intent["latest_attempt"] = new_id("setatt_1")
    _move(call, intent, "requires_payment_method", "setup_intent.setup_failed")
    return error


def _move(call: Call, intent: Obj, status: str, event: str) -> None:
    intent["status"] = status
    call.store.put(KIND, intent)
    events.emit(call, event, intent)


def _apply(call: Call, intent: Obj, sent: Obj) -> None:
    customer = params.text(sent, "customer")
    if customer:
        call.get("customer", customer, param="customer", status=400)
        intent["customer"] = customer
    if "description" in sent:
        intent["description"] = params.text(sent, "description")
    intent["metadata"] = params.metadata(sent, intent["metadata"])
    method = confirm.method_from(call, sent)
    if method is not None:
        methods.assert_usable(method, intent["customer"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}


def _of_caller(call: Call, sent: Obj, intent_id: str) -> Obj:
    intent = call.get(KIND, intent_id)
    secret = params.text(sent, "client_secret")
    if (call.browser or secret is not None) and secret != intent["client_secret"]:
        raise no_such("setupintent", intent_id, param="intent")
    return intent


def _shown(call: Call, intent: Obj) -> Obj:
    shown = visible(intent)
    if call.browser:
        shown = {name: value for name, value in shown.items() if name not in _PRIVATE}
    return shown


def _assert_open(intent: Obj, act: str) -> None:
    if intent["status"] not in CONFIRMABLE:
        message = (
            f"You cannot {act} this SetupIntent because it has a status of {intent['status']}."
        )
        raise _unexpected(message, intent)


def _unexpected(message: str, intent: Obj) -> Exception:
    return wrong_state(message, "setup_intent_unexpected_state", kind=KIND, subject=visible(intent))


def blank(call: Call) -> Obj:
    """Return a setup intent with every field at its start value."""
    intent_id = new_id("seti_1")
    return {
        "id": intent_id,
        "object": KIND,
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": client_secret(intent_id),
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card", "sepa_debit"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
    }

"""Payment intents as resources: create, read, update, list; their money moves in `confirm`."""

from __future__ import annotations

from sandbox.stripe import confirm, events, lists, methods, money, params
from sandbox.stripe.errors import Obj, invalid, no_such, wrong_state
from sandbox.stripe.ids import client_secret, new_id
from sandbox.stripe.methods import KINDS
from sandbox.stripe.world import Call, visible

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
_SHARED = {
    "amount", "amount_details", "currency", "customer", "customer_account", "description",
    "metadata", "payment_method", "payment_method_data", "payment_method_options",
    "payment_method_types", "allowed_payment_method_types", "excluded_payment_method_types",
    "receipt_email", "setup_future_usage", "shipping", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_data", "transfer_group", "application_fee_amount",
    "payment_method_configuration", "payment_details", "hooks", "capture_method",
}  # fmt: skip
_CREATE = _SHARED | confirm.KNOWN | {
    "automatic_payment_methods", "confirm", "confirmation_method", "on_behalf_of",
}  # fmt: skip
# What Stripe shows to a browser that holds the client secret.
_PUBLIC = (
    "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at",
    "cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created",
    "currency", "description", "last_payment_error", "livemode", "next_action", "payment_method",
    "payment_method_types", "processing", "receipt_email", "setup_future_usage", "shipping",
    "source", "status",
)  # fmt: skip


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/payment_intents`. Emits: payment_intent.created and what confirming brings."""
    params.only(sent, _CREATE)
    currency = money.currency(sent)
    intent = blank(call, amount=money.amount(sent, currency), currency=currency)
    _settings(sent, intent)
    _apply(call, intent, sent)
    terms = confirm.terms_of(call, sent)
    if not params.flag(sent, "confirm"):
        _refuse_unconfirmed(sent)
    return visible(open_intent(call, intent, terms if params.flag(sent, "confirm") else None))


def open_intent(call: Call, intent: Obj, terms: confirm.Terms | None) -> Obj:
    """Record a new intent and, with terms, confirm it.

    Writes: the intent. Emits: payment_intent.created. Raises: ApiError 402 as `confirm.run`.
    """
    if intent["payment_method"] and intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    call.store.put("payment_intent", intent)
    events.emit(call, "payment_intent.created", intent)
    if terms is None:
        return intent
    confirm.check(call, intent, terms)
    return confirm.run(call, intent, terms)


def retrieve(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `GET /v1/payment_intents/{id}`; a browser needs the client secret."""
    intent = of_caller(call, sent, intent_id)
    return shown(call, intent)


def update(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/payment_intents/{id}`. Writes: the intent; Stripe sends no event for it."""
    params.only(sent, _SHARED)
    intent = call.get("payment_intent", intent_id)
    frozen = {"amount", "currency", "customer", "payment_method", "payment_method_data"} & set(sent)
    if frozen and intent["status"] not in confirm.CONFIRMABLE:
        message = (
            f"This PaymentIntent's {min(frozen)} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {min(frozen)} of a PaymentIntent with "
            "one of the following statuses: requires_payment_method, requires_confirmation, "
            "requires_action."
        )
        code = "payment_intent_unexpected_state"
        raise wrong_state(message, code, kind="payment_intent", subject=visible(intent))
    if "currency" in sent:
        intent["currency"] = money.currency(sent)
    if "amount" in sent:
        intent["amount"] = money.amount(sent, intent["currency"])
    _apply(call, intent, sent)
    if "payment_method" in sent or "payment_method_data" in sent:
        has = "requires_confirmation" if intent["payment_method"] else "requires_payment_method"
        intent |= {"status": has, "next_action": None}
    call.store.put("payment_intent", intent)
    return visible(intent)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/payment_intents`."""
    params.only(sent, {*lists.PAGING, "created", "customer", "customer_account"})
    customer = params.text(sent, "customer")
    url = "/v1/payment_intents"
    return lists.page(call, "payment_intent", sent, url=url, customer=customer)


def confirm_intent(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/payment_intents/{id}/confirm`, from a server or a browser."""
    params.only(sent, confirm.KNOWN | confirm.FROM_BROWSER)
    intent = of_caller(call, sent, intent_id)
    terms = confirm.terms_of(call, sent)
    _apply(call, intent, {name: sent[name] for name in sent if name in _SHARED})
    confirm.check(call, intent, terms)
    return shown(call, confirm.run(call, intent, terms))


def of_caller(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Return the intent, to a browser only with its client secret."""
    intent = call.get("payment_intent", intent_id, param="intent")
    secret = params.text(sent, "client_secret")
    if secret is None and not call.browser:
        return intent
    if secret != intent["client_secret"]:
        raise no_such("payment_intent", intent_id, param="intent")
    return intent


def shown(call: Call, intent: Obj) -> Obj:
    """Return the intent as this caller may see it."""
    if call.browser:
        return {name: intent[name] for name in _PUBLIC}
    return visible(intent)


def _refuse_unconfirmed(sent: Obj) -> None:
    for name in ("off_session", "return_url", "error_on_requires_action", "mandate_data"):
        if name in sent:
            message = f"The parameter `{name}` cannot be passed when creating a PaymentIntent"
            raise invalid(f"{message} unless `confirm` is set to true.", name)


def _settings(sent: Obj, intent: Obj) -> None:
    """Apply what only creation may choose."""
    automatic = params.table(sent, "automatic_payment_methods")
    types = params.texts(sent, "payment_method_types")
    unknown = [kind for kind in types if kind not in KINDS]
    if unknown:
        message = f"The payment method type provided: {unknown[0]} is invalid in this sandbox, "
        raise invalid(message + f"which offers {', '.join(KINDS)}.", "payment_method_types")
    if types and params.flag(automatic, "enabled"):
        message = (
            "You may only specify one of these parameters: automatic_payment_methods, "
            "payment_method_types."
        )
        raise invalid(message)
    if types:
        intent |= {"payment_method_types": types, "automatic_payment_methods": None}
        intent["payment_method_configuration_details"] = None
    else:
        redirects = params.choice(automatic, "allow_redirects", ("always", "never")) or "always"
        intent["automatic_payment_methods"] = {"allow_redirects": redirects, "enabled": True}
    confirmation = params.choice(sent, "confirmation_method", ("automatic", "manual"))
    intent["confirmation_method"] = confirmation or "automatic"


def _apply(call: Call, intent: Obj, sent: Obj) -> None:
    """Apply what creation, update and confirmation share."""
    customer = params.text(sent, "customer")
    if customer:
        call.get("customer", customer, param="customer", status=400)
        intent["customer"] = customer
    for name in ("description", "statement_descriptor", "statement_descriptor_suffix",
                 "transfer_group", "receipt_email"):  # fmt: skip
        if name in sent:
            limit = 22 if name.startswith("statement") else 1000
            intent[name] = params.text(sent, name, limit=limit)
    if "shipping" in sent:
        intent["shipping"] = params.table(sent, "shipping") or None
    intent["metadata"] = params.metadata(sent, intent["metadata"])
    usage = params.choice(sent, "setup_future_usage", ("on_session", "off_session"))
    intent["setup_future_usage"] = usage or intent["setup_future_usage"]
    capture = params.choice(sent, "capture_method", CAPTURE_METHODS)
    intent["capture_method"] = capture or intent["capture_method"]
    _apply_options(intent, params.table(sent, "payment_method_options"))
    method = confirm.method_from(call, sent)
    if method is not None:
        methods.assert_usable(method, intent["customer"])
        if method["type"] not in intent["payment_method_types"]:
            message = (
                "The PaymentMethod provided has a type that is not in this PaymentIntent's "
                f"payment_method_types: {method['type']}"
            )
            raise invalid(message, "payment_method")
        intent["payment_method"] = method["id"]


def _apply_options(intent: Obj, sent: Obj) -> None:
    asked = params.table(sent, "card")
    if not asked:
        return
    card = intent["payment_method_options"]["card"]
    threed = params.choice(asked, "request_three_d_secure", ("any", "automatic", "challenge"))
    card["request_three_d_secure"] = threed or card["request_three_d_secure"]
    if params.choice(asked, "capture_method", ("manual",)):
        card["capture_method"] = intent["capture_method"] = "manual"


def blank(call: Call, *, amount: int, currency: str) -> Obj:
    """Return a payment intent with every field at its start value."""
    intent_id = new_id("pi_3")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": client_secret(intent_id),
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_1SandboxDefault", "parent": None},
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card", "sepa_debit"] if currency == "eur" else ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }

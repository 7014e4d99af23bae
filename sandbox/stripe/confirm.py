"""The life of a payment intent: confirm, 3DS, charge, settle, capture, cancel; the only mover."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.stripe import (
    bookings,
    challenges,
    charges,
    disputes,
    events,
    methods,
    money,
    params,
    sessions,
)
from sandbox.stripe.cards import asks_authentication
from sandbox.stripe.declines import DECLINES, refusal
from sandbox.stripe.errors import ApiError, Obj, card_error, doc_url, invalid, wrong_state
from sandbox.stripe.world import Call, visible

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture", "processing")
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
UNEXPECTED = "payment_intent_unexpected_state"
KNOWN = {
    "payment_method", "payment_method_data", "payment_method_options", "return_url", "off_session",
    "error_on_requires_action", "use_stripe_sdk", "mandate_data", "mandate", "receipt_email",
    "setup_future_usage", "shipping", "capture_method", "confirmation_token", "radar_options",
    "amount_to_confirm", "amount_details", "payment_details", "payment_method_types",
    "allowed_payment_method_types", "excluded_payment_method_types", "hooks",
}  # fmt: skip
FROM_BROWSER = {
    "client_secret", "key", "expected_payment_method_type", "client_context", "_stripe_version",
    "client_attribution_metadata", "return_url",
}  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """How the caller wants a confirmation done."""

    off_session: bool = False
    use_stripe_sdk: bool = False
    error_on_requires_action: bool = False
    return_url: str | None = None


def terms_of(call: Call, sent: Obj) -> Terms:
    """Read the terms of a confirmation."""
    off_session = sent.get("off_session")
    return Terms(
        off_session=off_session in ("true", "one_off", "recurring"),
        use_stripe_sdk=params.flag(sent, "use_stripe_sdk", default=call.browser),
        error_on_requires_action=params.flag(sent, "error_on_requires_action"),
        return_url=params.text(sent, "return_url"),
    )


def method_from(call: Call, sent: Obj) -> Obj | None:
    """Return the payment method that a request names or describes. Writes: a described one."""
    name = params.text(sent, "payment_method")
    if name is not None:
        return methods.resolve(call, name)
    described = params.table(sent, "payment_method_data")
    if not described:
        return None
    return methods.build(call, described, within="payment_method_data")


def check(call: Call, intent: Obj, terms: Terms) -> None:
    """Refuse a confirmation that cannot begin. Raises: ApiError 400."""
    if intent["status"] not in CONFIRMABLE:
        message = "You cannot confirm this PaymentIntent because it has already succeeded after "
        message += "being previously confirmed."
        if intent["status"] != "succeeded":
            message = (
                "You cannot confirm this PaymentIntent because it has a status of "
                f"{intent['status']}. Only a PaymentIntent with one of the following statuses may "
                "be confirmed: requires_confirmation, requires_action."
            )
        raise _unexpected(message, intent)
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken."
        )
        raise _unexpected(message, intent)
    automatic = intent["automatic_payment_methods"] or {}
    redirects = automatic.get("allow_redirects") == "always"
    if redirects and not terms.return_url and not terms.use_stripe_sdk and not call.browser:
        message = (
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents."
        )
        raise invalid(message, "return_url")


def run(call: Call, intent: Obj, terms: Terms) -> Obj:
    """Confirm: ask for 3DS, charge, or start a debit; returns the intent as it then stands.

    Writes: intent, charge, payment method. Emits: as the outcome. Raises: ApiError 402 when the
    card is refused; its effects stay.
    """
    method = call.get("payment_method", intent["payment_method"], status=400)
    intent["last_payment_error"] = None
    if method["type"] != "card":
        return _start_debit(call, intent, method)
    options = intent["payment_method_options"]["card"]
    asked = asks_authentication(
        methods.sample(method),
        off_session=terms.off_session,
        set_up=bool(method.get("_set_up")),
        requested=options["request_three_d_secure"] in ("any", "challenge"),
    )
    if asked and not (terms.off_session or terms.error_on_requires_action):
        return _ask_authentication(call, intent, terms)
    failure: Obj | None
    if asked:
        failure = _refuse(call, intent, method, "authentication_required")
    else:
        failure = charge(call, intent, method, authenticated=False)
    if failure is not None:
        raise _as_answer(call, intent, failure)
    return intent


def charge(call: Call, intent: Obj, method: Obj, *, authenticated: bool) -> Obj | None:
    """Charge the card; returns the refusal, or None when the bank said yes.

    Writes: intent, charge. Emits: charge.succeeded|failed, payment_intent.succeeded |
    amount_capturable_updated | payment_failed.
    """
    decline = methods.sample(method).decline
    if decline is not None:
        return _refuse(call, intent, method, decline)
    made = charges.attempt(call, intent, method, authenticated=authenticated)
    if made["captured"] and intent["capture_method"] == "automatic":
        made["balance_transaction"] = bookings.book_charge(call, made, made["amount"])
        call.store.put("charge", made)
    intent |= {"latest_charge": made["id"], "next_action": None, "last_payment_error": None}
    events.emit(call, "charge.succeeded", made)
    _keep_method(call, intent, method)
    if intent["capture_method"] == "manual":
        call.later("expire_authorisation", intent["id"], seconds=charges.AUTHORISATION_SECONDS)
        intent["amount_capturable"] = intent["amount"]
        _move(call, intent, "requires_capture", "payment_intent.amount_capturable_updated")
    else:
        _succeed(call, intent, intent["amount"])
        if made["balance_transaction"] is None:
            call.later("book", made["id"], seconds=call.world.settings.balance_seconds)
    return None


def authenticate(call: Call, intent: Obj, *, passed: bool) -> Obj | None:
    """Take the result of a 3DS challenge and go on; returns the refusal, if any.

    Writes: intent, charge. Emits: as `charge`, or payment_intent.payment_failed.
    """
    method = call.get("payment_method", intent["payment_method"])
    if methods.sample(method).authentication_error:
        passed = False
    if not passed:
        return _fail_authentication(call, intent, method)
    if intent["confirmation_method"] == "manual":
        intent["next_action"] = None
        _move(call, intent, "requires_confirmation", None)
        return None
    return charge(call, intent, method, authenticated=True)


def settle_debit(call: Call, intent: Obj) -> None:
    """Finish a pending debit as its test account will have it.

    Writes: intent, charge. Emits: charge.succeeded|failed, payment_intent.succeeded|payment_failed.
    """
    if intent["status"] != "processing":
        return
    method = call.get("payment_method", intent["payment_method"])
    made = call.get("charge", intent["latest_charge"])
    intent["processing"] = None
    if method["_iban"] == "fail":
        message = "The customer's account has insufficient funds to cover this payment."
        made |= {"status": "failed", "failure_code": "insufficient_funds", "paid": False,
                 "captured": False, "amount_captured": 0, "failure_message": message}  # fmt: skip
        call.store.put("charge", made)
        events.emit(call, "charge.failed", made)
        error = {"code": "insufficient_funds", "message": message, "charge": made["id"],
                 "payment_method": visible(method), "type": "card_error"}  # fmt: skip
        intent |= {"last_payment_error": error, "payment_method": None}
        _move(call, intent, "requires_payment_method", "payment_intent.payment_failed")
        return
    made |= {"status": "succeeded", "paid": True}
    made["balance_transaction"] = bookings.book_charge(call, made, made["amount"])
    call.store.put("charge", made)
    events.emit(call, "charge.succeeded", made)
    _succeed(call, intent, intent["amount"])


def capture(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/payment_intents/{id}/capture`, also of a part.

    Writes: intent, charge. Emits: charge.captured, payment_intent.succeeded.
    """
    params.only(sent, {
        "amount_to_capture", "metadata", "statement_descriptor", "statement_descriptor_suffix",
        "application_fee_amount", "final_capture", "transfer_data", "amount_details",
        "payment_details", "hooks",
    })  # fmt: skip
    intent = call.get("payment_intent", intent_id, param="intent")
    if intent["status"] != "requires_capture":
        message = (
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
            "captured: requires_capture."
        )
        raise _unexpected(message, intent)
    asked = params.whole(sent, "amount_to_capture")
    amount = intent["amount_capturable"] if asked is None else asked
    if amount > intent["amount_capturable"]:
        message = (
            f"The amount_to_capture ({amount}) is greater than the amount_capturable "
            f"({intent['amount_capturable']}) of this PaymentIntent."
        )
        raise invalid(message, "amount_to_capture", code="amount_too_large")
    money.assert_chargeable(amount, intent["currency"], "amount_to_capture")
    intent["metadata"] = params.metadata(sent, intent["metadata"])
    charges.capture(call, call.get("charge", intent["latest_charge"]), amount)
    intent["amount_capturable"] = 0
    _succeed(call, intent, amount)
    return visible(intent)


def cancel(call: Call, sent: Obj, intent_id: str) -> Obj:
    """Answer `POST /v1/payment_intents/{id}/cancel`."""
    params.only(sent, {"cancellation_reason"})
    reason = params.choice(sent, "cancellation_reason", REASONS)
    intent = call.get("payment_intent", intent_id, param="intent")
    if intent["status"] not in CANCELABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. "
            "Only a PaymentIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_capture, requires_confirmation, requires_action, "
            "processing."
        )
        raise _unexpected(message, intent)
    return visible(end(call, intent, reason))


def end(call: Call, intent: Obj, reason: str | None, *, expired: bool = False) -> Obj:
    """Cancel an intent and give back what was held.

    Writes: intent, charge. Emits: charge.refunded|expired, payment_intent.canceled.
    """
    if intent["status"] == "requires_capture":
        charges.release(call, call.get("charge", intent["latest_charge"]), expired=expired)
    intent |= {
        "amount_capturable": 0,
        "canceled_at": call.now,
        "cancellation_reason": reason,
        "next_action": None,
        "processing": None,
    }
    _move(call, intent, "canceled", "payment_intent.canceled")
    return intent


def _move(call: Call, intent: Obj, status: str, event: str | None) -> None:
    intent["status"] = status
    call.store.put("payment_intent", intent)
    if event is not None:
        events.emit(call, event, intent)
    sessions.follow(call, intent)


def _succeed(call: Call, intent: Obj, received: int) -> None:
    intent |= {"amount_received": received, "next_action": None, "last_payment_error": None}
    _move(call, intent, "succeeded", "payment_intent.succeeded")
    disputes.after_payment(call, intent)


def _keep_method(call: Call, intent: Obj, method: Obj) -> None:
    """Save the method to the customer when the intent is set up for future use."""
    if intent["setup_future_usage"] is None or intent["customer"] is None:
        return
    if intent["setup_future_usage"] == "off_session":
        method["_set_up"] = True
        call.store.put("payment_method", method)
    methods.save_to(call, method, intent["customer"])


def _refuse(call: Call, intent: Obj, method: Obj, reason: str) -> Obj:
    decline = DECLINES[reason]
    failed = charges.refuse(call, intent, method, decline)
    intent["latest_charge"] = failed["id"]
    error = refusal(decline, charge_id=failed["id"], method=visible(method))
    return _fail(call, intent, error)


def _fail_authentication(call: Call, intent: Obj, method: Obj) -> Obj:
    code = "payment_intent_authentication_failure"
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment "
        "method and try again."
    )
    error = {"code": code, "doc_url": doc_url(code), "message": message,
             "payment_method": visible(method), "type": "invalid_request_error"}  # fmt: skip
    return _fail(call, intent, error)


def _fail(call: Call, intent: Obj, error: Obj) -> Obj:
    intent |= {"last_payment_error": error, "next_action": None, "payment_method": None}
    _move(call, intent, "requires_payment_method", "payment_intent.payment_failed")
    return error


def _ask_authentication(call: Call, intent: Obj, terms: Terms) -> Obj:
    intent["next_action"] = challenges.open_for(
        call, intent, return_url=terms.return_url, use_stripe_sdk=terms.use_stripe_sdk
    )
    _move(call, intent, "requires_action", "payment_intent.requires_action")
    return intent


def _start_debit(call: Call, intent: Obj, method: Obj) -> Obj:
    made = charges.attempt(call, intent, method, authenticated=False)
    made |= {"status": "pending", "captured": True, "amount_captured": made["amount"]}
    call.store.put("charge", made)
    intent |= {"latest_charge": made["id"], "next_action": None}
    events.emit(call, "charge.pending", made)
    _keep_method(call, intent, method)
    _move(call, intent, "processing", "payment_intent.processing")
    slow = 3.0 if method["_iban"] == "succeed_slowly" else 1.0
    call.later("settle", intent["id"], seconds=slow * call.world.settings.settle_seconds)
    return intent


def _as_answer(call: Call, intent: Obj, error: Obj) -> ApiError:
    """Return the 402 that carries a refusal and the intent it left behind."""
    extra = {n: v for n, v in error.items() if n not in ("message", "type", "code", "doc_url")}
    subject = dict(visible(intent))
    if call.browser:
        subject.pop("metadata", None)
    extra["payment_intent"] = subject
    return card_error(error["message"], error["code"], extra=extra, keep=True)


def _unexpected(message: str, intent: Obj) -> ApiError:
    return wrong_state(message, UNEXPECTED, kind="payment_intent", subject=visible(intent))

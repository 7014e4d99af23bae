"""Payment methods: test cards and SEPA debits, attached to customers or not; charges nothing."""

from __future__ import annotations

import hashlib
import re

from sandbox.stripe import cards, debits, events, lists, params
from sandbox.stripe.cards import SampleCard
from sandbox.stripe.declines import DECLINES, NON_TEST_CARD
from sandbox.stripe.errors import INVALID, ApiError, Obj, card_error, invalid, missing
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call, visible

KINDS = ("card", "sepa_debit")
DEFAULT_EXPIRY = (12, 2034)
_CREATE = {
    "type", "card", "sepa_debit", "billing_details", "metadata", "allow_redisplay", "customer",
    "payment_method", "radar_options",
}  # fmt: skip
_BROWSER = {
    "key", "payment_user_agent", "guid", "muid", "sid", "referrer", "time_on_page",
    "client_attribution_metadata", "_stripe_version",
}  # fmt: skip


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/payment_methods`."""
    params.only(sent, _CREATE | _BROWSER)
    return visible(build(call, sent))


def build(call: Call, sent: Obj, *, within: str = "") -> Obj:
    """Make a payment method from its parameters; `within` prefixes parameter names in refusals.

    Writes: the payment method.
    """
    kind = params.choice(sent, "type", KINDS)
    if kind is None:
        raise missing(f"{within}[type]" if within else "type")
    method = _blank(call, kind, sent)
    if kind == "card":
        sample, details = _card(call, params.table(sent, "card"), within)
        method |= {"card": details, "_sample": sample.number}
    else:
        iban = params.required_text(params.table(sent, "sepa_debit"), "iban")
        method |= {"sepa_debit": debits.details(iban), "_iban": debits.plan(iban)}
    return call.store.put("payment_method", method)


def resolve(call: Call, name: str, *, param: str = "payment_method") -> Obj:
    """Return a payment method by id; a `pm_card_…` name makes a fresh one of that test card."""
    if name.startswith("pm_card_"):
        sample = cards.BY_TOKEN.get(name.removeprefix("pm_card_"))
        if sample is not None:
            return _from_sample(call, sample)
    return call.get("payment_method", name, param=param, status=400)


def sample(method: Obj) -> SampleCard:
    """Return how a card behaves."""
    return cards.sample_of(method["_sample"])


def retrieve(call: Call, _sent: Obj, method_id: str) -> Obj:
    """Answer `GET /v1/payment_methods/{id}`."""
    return visible(call.get("payment_method", method_id))


def update(call: Call, sent: Obj, method_id: str) -> Obj:
    """Answer `POST /v1/payment_methods/{id}`. Emits: payment_method.updated."""
    params.only(sent, {"billing_details", "card", "metadata", "allow_redisplay"})
    method = call.get("payment_method", method_id)
    if method["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    before: Obj = {n: method[n] for n in ("billing_details", "metadata") if n in sent}
    method["metadata"] = params.metadata(sent, method["metadata"])
    if "billing_details" in sent:
        method["billing_details"] = billing(sent, method["billing_details"])
    call.store.put("payment_method", method)
    events.emit(call, "payment_method.updated", method, previous=before)
    return visible(method)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/payment_methods`."""
    params.only(sent, {*lists.PAGING, "customer", "type", "allow_redisplay"})
    customer = params.text(sent, "customer")
    kind = params.text(sent, "type")
    if customer:
        call.get("customer", customer, param="customer", status=400)
    return lists.page(
        call,
        "payment_method",
        sent,
        url="/v1/payment_methods",
        customer=customer or "",
        labels=(kind,) if kind else (),
    )


def listing_of_customer(call: Call, sent: Obj, customer_id: str) -> Obj:
    """Answer `GET /v1/customers/{id}/payment_methods`."""
    params.only(sent, {*lists.PAGING, "type", "allow_redisplay"})
    call.get("customer", customer_id)
    kind = params.text(sent, "type")
    return lists.page(
        call,
        "payment_method",
        sent,
        url=f"/v1/customers/{customer_id}/payment_methods",
        customer=customer_id,
        labels=(kind,) if kind else (),
    )


def attach(call: Call, sent: Obj, method_id: str) -> Obj:
    """Answer `POST /v1/payment_methods/{id}/attach`."""
    params.only(sent, {"customer"})
    customer = params.required_text(sent, "customer")
    call.get("customer", customer, param="customer", status=400)
    method = resolve(call, method_id, param="payment_method")
    if method["customer"] not in (None, customer):
        message = "The payment method you provided has already been attached to a customer."
        raise invalid(message, code="payment_method_unexpected_state")
    if method["type"] == "card" and sample(method).decline == NON_TEST_CARD:
        raise foreign_card()
    return visible(save_to(call, method, customer))


def detach(call: Call, sent: Obj, method_id: str) -> Obj:
    """Answer `POST /v1/payment_methods/{id}/detach`. Emits: payment_method.detached."""
    params.only(sent, ())
    method = call.get("payment_method", method_id)
    if method["customer"] is None:
        message = (
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
        raise invalid(message, "payment_method")
    before = {"customer": method["customer"]}
    method |= {"customer": None, "_detached": True}
    call.store.put("payment_method", method)
    events.emit(call, "payment_method.detached", method, previous=before)
    return visible(method)


def save_to(call: Call, method: Obj, customer: str) -> Obj:
    """Attach a method to a customer unless it is already. Emits: payment_method.attached."""
    if method["customer"] == customer:
        return method
    method["customer"] = customer
    call.store.put("payment_method", method)
    events.emit(call, "payment_method.attached", method)
    return method


def assert_usable(method: Obj, customer: str | None) -> None:
    """Refuse a method of another customer, or one that was detached."""
    if method.get("_detached"):
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again."
        )
        raise invalid(message, "payment_method")
    owner = method["customer"]
    if owner is not None and owner != customer:
        message = (
            f"The payment method {method['id']} belongs to the Customer {owner}. Please include "
            "the Customer in the `customer` parameter on the PaymentIntent."
        )
        raise invalid(message, "payment_method")


def foreign_card() -> ApiError:
    """Return the refusal of a number that is no test card."""
    decline = DECLINES[NON_TEST_CARD]
    extra = {"decline_code": decline.decline_code}
    return card_error(decline.message, decline.code, param="number", extra=extra, keep=False)


def billing(sent: Obj, current: Obj | None = None) -> Obj:
    """Return billing details with every field present."""
    given = params.table(sent, "billing_details")
    params.only(given, {"address", "email", "name", "phone", "tax_id"})
    base = current or {"email": None, "name": None, "phone": None, "tax_id": None}
    address = params.table(given, "address")
    fields = ("city", "country", "line1", "line2", "postal_code", "state")
    former = base.get("address") or {}
    return {
        "address": {name: params.text(address, name) or former.get(name) for name in fields},
        **{n: params.text(given, n) or base[n] for n in ("email", "name", "phone", "tax_id")},
    }


def _blank(call: Call, kind: str, sent: Obj) -> Obj:
    return {
        "id": new_id("pm_1"),
        "object": "payment_method",
        "allow_redisplay": params.text(sent, "allow_redisplay") or "unspecified",
        "billing_details": billing(sent),
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": params.metadata(sent),
        "type": kind,
    }


def _from_sample(call: Call, sample: SampleCard) -> Obj:
    method = _blank(call, "card", {})
    method |= {"card": _details(sample, *DEFAULT_EXPIRY, "pass"), "_sample": sample.number}
    return call.store.put("payment_method", method)


def _card(call: Call, sent: Obj, within: str) -> tuple[SampleCard, Obj]:
    params.only(sent, {"number", "exp_month", "exp_year", "cvc", "token", "networks"})
    token = params.text(sent, "token")
    if token is not None:
        sample = cards.BY_TOKEN.get(token.removeprefix("tok_"))
        if sample is None:
            raise ApiError(
                400, INVALID, f"No such token: '{token}'", code="resource_missing",
                param=f"{within}card[token]",
            )  # fmt: skip
        return sample, _details(sample, *DEFAULT_EXPIRY, "unchecked")
    number = re.sub(r"[\s-]", "", params.required_text(sent, "number"))
    month, year = params.whole(sent, "exp_month"), params.whole(sent, "exp_year")
    _check_card(call, number, month, year, params.text(sent, "cvc"))
    sample = cards.sample_of(number)
    checked = "unchecked" if params.text(sent, "cvc") is None else sample.cvc_check
    return sample, _details(sample, month or 0, _four_digits(year), checked)


def _check_card(
    call: Call, number: str, month: int | None, year: int | None, cvc: str | None
) -> None:
    """Refuse what Stripe refuses before any bank is asked."""
    if not re.fullmatch(r"[0-9]{12,19}", number):
        raise _bad_card(
            "invalid_number", "The card number is not a valid credit card number.", "number"
        )
    if not cards.passes_luhn(number):
        raise _bad_card("incorrect_number", "Your card number is incorrect.", "number")
    if month is None or not 1 <= month <= 12:
        message = "Your card's expiration month is invalid."
        raise _bad_card("invalid_expiry_month", message, "exp_month")
    today = debits.utc_date(call.now)
    if year is None or not today.year <= _four_digits(year) <= today.year + 50:
        message = "Your card's expiration year is invalid."
        raise _bad_card("invalid_expiry_year", message, "exp_year")
    if (_four_digits(year), month) < (today.year, today.month):
        message = "Your card's expiration month is invalid."
        raise _bad_card("invalid_expiry_month", message, "exp_month")
    if cvc is not None and not re.fullmatch(r"[0-9]{3,4}", cvc):
        raise _bad_card("invalid_cvc", "Your card's security code is invalid.", "cvc")


def _bad_card(code: str, message: str, param: str) -> ApiError:
    return card_error(message, code, param=param, keep=False)


def _four_digits(year: int | None) -> int:
    return 0 if year is None else year + 2000 if year < 100 else year


def _details(sample: SampleCard, month: int, year: int, cvc_check: str) -> Obj:
    mark = hashlib.sha256(f"{sample.number} {sample.brand}".encode()).hexdigest()[:16]
    return {
        "brand": sample.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": cvc_check,
        },
        "country": sample.country,
        "display_brand": sample.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": mark,
        "funding": sample.funding,
        "generated_from": None,
        "last4": sample.last4,
        "networks": {"available": [sample.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": sample.brand in ("visa", "mastercard", "amex")},
        "wallet": None,
    }

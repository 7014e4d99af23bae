from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, Client, StandIn, body_of

API_VERSION = "2026-10-28.endive"


def test_card_payment_succeeds_and_tells_it_in_three_signed_events(
    client: Client, receiver: Receiver
) -> None:
    intent = client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_visa", "metadata": {"order": "ord_1"},
         "expand": ["latest_charge.balance_transaction"]}
    )  # fmt: skip
    assert (intent.status, intent.amount_received, intent.amount_capturable) == (
        "succeeded",
        2500,
        0,
    )
    charge = intent.latest_charge
    assert charge.payment_method_details.card.brand == "visa"
    assert charge.payment_method_details.card.last4 == "4242"
    assert (charge.paid, charge.captured) == (True, True)
    assert charge.receipt_url
    receiver.wait_for("charge.updated")
    told = receiver.types(intent.id)
    assert told == [
        "payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated",
    ]  # fmt: skip
    succeeded = receiver.wait_for("payment_intent.succeeded")
    assert succeeded["api_version"] == stripe.api_version == API_VERSION
    assert succeeded["data"]["object"]["metadata"] == {"order": "ord_1"}
    assert succeeded["request"]["id"] == intent.last_response.request_id
    assert succeeded["livemode"] is False
    updated = receiver.wait_for("charge.updated")
    assert updated["data"]["previous_attributes"]["balance_transaction"] is None
    assert updated["data"]["object"]["balance_transaction"].startswith("txn_")
    assert updated["request"] == {"id": None, "idempotency_key": None}


def test_intent_passes_through_its_states_one_by_one(client: Client) -> None:
    intents = client.v1.payment_intents
    intent = intents.create(
        {"amount": 900, "currency": "usd", "payment_method_types": ["card"],
         "receipt_email": "bo@example.com", "description": "first"}
    )  # fmt: skip
    assert intent.status == "requires_payment_method"
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    intent = intents.update(intent.id, {"payment_method": "pm_card_mastercard", "amount": 950})
    assert intent.status == "requires_confirmation"
    intent = intents.confirm(intent.id)
    assert (intent.status, intent.amount_received) == ("succeeded", 950)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        intents.confirm(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert body_of(refused).payment_intent.status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_declined_card_raises_and_leaves_the_intent_payable(
    client: Client, receiver: Receiver, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({**PAID, "payment_method": method})
    error = body_of(refused)
    assert (refused.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    assert error.payment_method.id.startswith("pm_")
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert intent.status == "requires_payment_method"
    assert intent.payment_method is None
    assert intent.last_payment_error.code == code
    assert client.v1.charges.retrieve(error.charge).status == "failed"
    receiver.wait_for("payment_intent.payment_failed")
    assert receiver.types(intent.id)[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


def test_manual_capture_holds_then_captures_a_part(client: Client, receiver: Receiver) -> None:
    intents = client.v1.payment_intents
    held = intents.create({**PAID, "payment_method": "pm_card_visa", "capture_method": "manual"})
    assert (held.status, held.amount_capturable, held.amount_received) == (
        "requires_capture",
        2500,
        0,
    )
    with pytest.raises(stripe.InvalidRequestError) as refused:
        intents.capture(held.id, {"amount_to_capture": 2501})
    assert refused.value.param == "amount_to_capture"
    taken = intents.capture(held.id, {"amount_to_capture": 2000})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 2000, 0)
    charge = client.v1.charges.retrieve(str(taken.latest_charge))
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (2500, 2000, 500)
    receiver.wait_for("payment_intent.succeeded")
    assert receiver.types(held.id) == [
        "payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated",
        "charge.captured", "payment_intent.succeeded",
    ]  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError):
        intents.capture(held.id)


def test_cancel_releases_what_was_held(client: Client, receiver: Receiver) -> None:
    intents = client.v1.payment_intents
    held = intents.create({**PAID, "payment_method": "pm_card_visa", "capture_method": "manual"})
    gone = intents.cancel(held.id, {"cancellation_reason": "requested_by_customer"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "requested_by_customer")
    assert client.v1.charges.retrieve(str(gone.latest_charge)).refunded
    receiver.wait_for("payment_intent.canceled")
    with pytest.raises(stripe.InvalidRequestError):
        intents.cancel(held.id)


def test_authorisation_expires_after_seven_days(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    held = client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_visa", "capture_method": "manual"}
    )
    standin.control("POST", "clock", {"advance_seconds": 7 * 86_400 + 1})
    receiver.wait_for("payment_intent.canceled")
    assert "charge.expired" in receiver.types(held.id)


def test_bank_debit_is_processing_until_the_bank_answers(
    client: Client, receiver: Receiver
) -> None:
    def debit(iban: str) -> Any:
        return client.v1.payment_intents.create(
            {
                "amount": 5000, "currency": "eur", "confirm": True,
                "payment_method_types": ["sepa_debit"],
                "payment_method_data": {
                    "type": "sepa_debit", "sepa_debit": {"iban": iban},
                    "billing_details": {"name": "Bo", "email": "bo@example.com"},
                },
            }
        )  # fmt: skip

    good, bad = debit("DE89370400440532013000"), debit("DE62370400440532013001")
    assert (good.status, bad.status) == ("processing", "processing")
    receiver.wait_for("payment_intent.succeeded")
    receiver.wait_for("payment_intent.payment_failed")
    assert client.v1.payment_intents.retrieve(good.id).amount_received == 5000
    assert client.v1.payment_intents.retrieve(bad.id).status == "requires_payment_method"


def test_lists_page_newest_first_with_cursors(client: Client) -> None:
    intents = client.v1.payment_intents
    made = [intents.create({"amount": 100 + n, "currency": "eur"}).id for n in range(5)]
    first = intents.list({"limit": 2})
    assert [intent.id for intent in first.data] == [made[4], made[3]]
    assert first.has_more
    second = intents.list({"limit": 2, "starting_after": made[3]})
    assert [intent.id for intent in second.data] == [made[2], made[1]]
    back = intents.list({"limit": 2, "ending_before": made[0]})
    assert [intent.id for intent in back.data] == [made[2], made[1]]
    assert [i.id for i in intents.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    future = intents.list({"created": {"gte": int(first.data[0].created) + 100}})
    assert future.data == []


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"amount": 10, "currency": "eur"}, "amount", "amount_too_small"),
        ({"amount": 100, "currency": "zzz"}, "currency", None),
        ({"currency": "eur"}, "amount", "parameter_missing"),
        ({"amount": "ten", "currency": "eur"}, "amount", "parameter_invalid_integer"),
        ({"amount": 100, "currency": "eur", "colour": "red"}, "colour", "parameter_unknown"),
        ({"amount": 100, "currency": "eur", "customer": "cus_no"}, "customer", "resource_missing"),
        ({"amount": 100, "currency": "eur", "capture_method": "x"}, "capture_method", None),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    client: Client, wrong: dict[str, object], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(wrong)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (
        400,
        param,
        code,
    )


def test_confirming_with_redirect_methods_asks_for_a_return_url(client: Client) -> None:
    automatic = {
        "amount": 500,
        "currency": "eur",
        "confirm": True,
        "payment_method": "pm_card_visa",
    }
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.create(automatic)
    assert client.v1.payment_intents.list().data == []
    paid = client.v1.payment_intents.create(
        {**automatic, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )
    assert paid.status == "succeeded"


def test_wrong_key_is_401_and_unknown_object_404(client: Client, standin: StandIn) -> None:
    stranger = stripe.StripeClient("sk_live_nope", base_addresses={"api": standin.url})
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.payment_intents.list()
    browser = stripe.StripeClient("pk_test_x", base_addresses={"api": standin.url})
    with pytest.raises(stripe.AuthenticationError) as refused:
        browser.v1.payment_intents.list()
    assert body_of(refused).code == "secret_key_required"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")

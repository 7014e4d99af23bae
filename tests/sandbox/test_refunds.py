"""Refunds at the stand-in: what Stripe answers, tells, books and refuses, in the SDK's own hands."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, Client, StandIn, body_of


def paid(client: Client, card: str = "pm_card_visa", **more: object) -> Any:
    return client.v1.payment_intents.create(
        {**PAID, "payment_method": card, "capture_method": "automatic", **more}
    )


def test_refund_succeeds_at_once_and_is_told_twice_and_booked(
    client: Client, receiver: Receiver
) -> None:
    intent = paid(client)
    made = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 1000, "metadata": {"refund_id": "ref_1"},
         "expand": ["balance_transaction", "charge"]}
    )  # fmt: skip
    assert (made.status, made.amount, made.currency) == ("succeeded", 1000, "eur")
    assert made.payment_intent == intent.id
    assert (made.charge.amount_refunded, made.charge.refunded) == (1000, False)
    booked = made.balance_transaction
    assert (booked.amount, booked.fee, booked.net, booked.type) == (-1000, 0, -1000, "refund")
    told = receiver.wait_for("refund.created")["data"]["object"]
    assert (told["id"], told["metadata"]) == (made.id, {"refund_id": "ref_1"})
    assert receiver.wait_for("charge.refunded")["data"]["object"]["amount_refunded"] == 1000


def test_refund_carries_every_field_the_sdk_counts_on(client: Client) -> None:
    made = client.v1.refunds.create({"payment_intent": paid(client).id})
    needed = {
        name
        for name, hint in stripe.Refund.__annotations__.items()
        if not any(word in str(hint) for word in ("Optional", "ClassVar", "None"))
    }
    assert needed - set(made.to_dict()) == set()
    assert made.amount == 2500


def test_refunds_are_read_listed_and_labelled_but_not_cancelled(client: Client) -> None:
    intent, other = paid(client), paid(client)
    names = [
        client.v1.refunds.create({"payment_intent": intent.id, "amount": amount}).id
        for amount in (100, 200)
    ]
    client.v1.refunds.create({"charge": other.latest_charge})
    assert client.v1.refunds.retrieve(names[0]).amount == 100
    own = client.v1.refunds.list({"payment_intent": intent.id})
    assert [found.id for found in own.data] == names[::-1]
    by_charge = client.v1.refunds.list({"charge": other.latest_charge})
    assert [found.amount for found in by_charge.data] == [2500]
    changed = client.v1.refunds.update(names[0], {"metadata": {"note": "kept"}})
    assert changed.metadata.to_dict() == {"note": "kept"}
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        client.v1.refunds.cancel(names[0])


def test_no_more_is_refunded_than_was_captured(client: Client) -> None:
    intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 2000})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 501})
    said = "Refund amount (€5.01) is greater than unrefunded amount on charge (€5.00)"
    assert (body_of(refused).message, body_of(refused).param) == (said, "amount")
    client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert again.value.code == "charge_already_refunded"
    assert str(again.value.user_message).endswith("has already been refunded.")


def test_what_was_not_captured_is_not_refunded(client: Client) -> None:
    held = client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_visa", "capture_method": "manual"}
    )
    with pytest.raises(stripe.InvalidRequestError, match="successful charge to refund"):
        client.v1.refunds.create({"payment_intent": held.id})
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.refunds.create({"payment_intent": "pi_gone"})
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent or charge"):
        client.v1.refunds.create({"amount": 1})


def test_only_the_captured_part_of_a_hold_is_refunded(client: Client) -> None:
    held = client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_visa", "capture_method": "manual"}
    )
    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 900})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": held.id, "amount": 901})
    assert client.v1.refunds.create({"payment_intent": held.id}).amount == 900


def test_pending_card_is_refunded_later(client: Client, receiver: Receiver) -> None:
    intent = paid(client, "pm_card_pendingRefund")
    made = client.v1.refunds.create({"payment_intent": intent.id, "amount": 700})
    assert (made.status, made.pending_reason) == ("pending", "processing")
    told = receiver.wait_for("refund.updated")
    assert told["data"]["object"]["status"] == "succeeded"
    assert told["data"]["previous_attributes"] == {"status": "pending"}
    assert client.v1.refunds.retrieve(made.id).status == "succeeded"


def test_failing_card_is_refunded_and_then_is_not(client: Client, receiver: Receiver) -> None:
    intent = paid(client, "pm_card_refundFail")
    made = client.v1.refunds.create({"payment_intent": intent.id})
    assert made.status == "succeeded"
    told = receiver.wait_for("refund.failed")["data"]["object"]
    assert (told["status"], told["failure_reason"]) == ("failed", "expired_or_canceled_card")
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    back = client.v1.balance_transactions.retrieve(told["failure_balance_transaction"])
    assert (back.amount, back.type) == (2500, "refund_failure")


def test_lost_answer_is_replayed_under_its_key_and_refunds_once(
    client: Client, standin: StandIn
) -> None:
    intent = paid(client)
    standin.fault(op="refunds.create", kind="timeout_after_effect")
    asked = {"payment_intent": intent.id, "amount": 500}
    with pytest.raises(stripe.APIConnectionError):
        client.v1.refunds.create(asked, {"idempotency_key": "op_1-1", "max_network_retries": 0})
    again = client.v1.refunds.create(asked, {"idempotency_key": "op_1-1"})
    truth = standin.control("GET", "ledger")[intent.id]["refunds"]
    assert [(line["id"], line["amount"]) for line in truth] == [(again.id, 500)]
    with pytest.raises(stripe.IdempotencyError):
        client.v1.refunds.create(asked | {"amount": 600}, {"idempotency_key": "op_1-1"})

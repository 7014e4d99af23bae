"""Disputes at the stand-in: what Stripe tells, books, decides and refuses, in the SDK's own hands."""

from __future__ import annotations

import io
from typing import Any

import pytest
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, SECRET_KEY, Client, StandIn

PDF = b"%PDF-1.4 proof of delivery"


def paid(client: Client, card: str) -> Any:
    return client.v1.payment_intents.create(
        {**PAID, "payment_method": card, "capture_method": "automatic"}
    )


def disputed(client: Client, receiver: Receiver, card: str = "pm_card_createDispute") -> Any:
    intent = paid(client, card)
    told = receiver.wait_for("charge.dispute.created")["data"]["object"]
    assert told["payment_intent"] == intent.id
    return client.v1.disputes.retrieve(told["id"])


def test_test_card_is_disputed_and_its_money_withdrawn_with_a_fee(
    client: Client, receiver: Receiver
) -> None:
    found = disputed(client, receiver)
    assert (found.status, found.amount, found.reason) == ("needs_response", 2500, "fraudulent")
    told = receiver.wait_for("charge.dispute.funds_withdrawn")["data"]["object"]
    [booked] = told["balance_transactions"]
    assert (booked["amount"], booked["fee"], booked["net"]) == (-2500, 1500, -4000)
    charge = client.v1.charges.retrieve(found.charge)
    assert (charge.disputed, charge.dispute) == (True, found.id)
    listed = client.v1.disputes.list({"payment_intent": found.payment_intent})
    assert [each.id for each in listed.data] == [found.id]


def test_dispute_carries_every_field_the_sdk_counts_on(client: Client, receiver: Receiver) -> None:
    made = disputed(client, receiver)
    needed = {
        name
        for name, hint in stripe.Dispute.__annotations__.items()
        if not any(word in str(hint) for word in ("Optional", "ClassVar", "None"))
    }
    assert needed - set(made.to_dict()) == set()


@pytest.mark.parametrize(
    ("text", "end"), [("winning_evidence", "won"), ("losing_evidence", "lost")]
)
def test_evidence_decides_as_in_test_mode(
    client: Client, receiver: Receiver, standin: StandIn, text: str, end: str
) -> None:
    booked = [-2500, 2500] if end == "won" else [-2500]
    found = disputed(client, receiver)
    staged = client.v1.disputes.update(
        found.id, {"evidence": {"uncategorized_text": text}, "submit": False}
    )
    assert (staged.status, staged.evidence_details.submission_count) == ("needs_response", 0)
    sent = client.v1.disputes.update(found.id, {"evidence": {"uncategorized_text": text}})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    told = receiver.wait_for("charge.dispute.closed")["data"]["object"]
    assert (told["id"], told["status"]) == (found.id, end)
    if end == "won":
        receiver.wait_for("charge.dispute.funds_reinstated")
    [truth] = standin.control("GET", "ledger")[found.payment_intent]["disputes"]
    assert (truth["status"], truth["booked"]) == (end, booked)
    with pytest.raises(stripe.InvalidRequestError) as late:
        client.v1.disputes.update(found.id, {"evidence": {"uncategorized_text": "more"}})
    assert late.value.code == "dispute_evidence_not_accepted"


def test_file_is_uploaded_and_named_in_the_evidence(
    client: Client, receiver: Receiver, standin: StandIn
) -> None:
    found = disputed(client, receiver)
    # Stripe takes files at an address of their own; the stand-in takes both at one.
    client = stripe.StripeClient(
        SECRET_KEY,
        base_addresses={"api": standin.url, "files": standin.url},
        http_client=stripe.RequestsClient(),
    )
    body = io.BytesIO(PDF)
    body.name = "proof.pdf"
    made = client.v1.files.create({"purpose": "dispute_evidence", "file": body})
    assert (made.filename, made.size, made.type) == ("proof.pdf", len(PDF), "pdf")
    sent = client.v1.disputes.update(found.id, {"evidence": {"uncategorized_file": made.id}})
    assert sent.evidence.uncategorized_file == made.id
    text = io.BytesIO(b"just text")
    text.name = "proof.pdf"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.files.create({"purpose": "dispute_evidence", "file": text})


def test_inquiry_takes_nothing_and_ends_with_a_full_refund(
    client: Client, receiver: Receiver
) -> None:
    found = disputed(client, receiver, "pm_card_createDisputeInquiry")
    assert (found.status, found.balance_transactions) == ("warning_needs_response", [])
    client.v1.refunds.create({"payment_intent": found.payment_intent})
    told = receiver.wait_for("charge.dispute.closed")["data"]["object"]
    assert told["status"] == "warning_closed"


def test_disputed_charge_is_not_refunded_and_closing_loses_it(
    client: Client, receiver: Receiver
) -> None:
    found = disputed(client, receiver)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": found.payment_intent})
    assert refused.value.code == "charge_disputed"
    assert client.v1.disputes.close(found.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(found.id)


def test_radar_warns_and_reviews_after_its_test_cards(client: Client, receiver: Receiver) -> None:
    warned = paid(client, "pm_card_createIssuerFraudRecord")
    told = receiver.wait_for("radar.early_fraud_warning.created")["data"]["object"]
    assert (told["payment_intent"], told["actionable"]) == (warned.id, True)
    reviewed = paid(client, "pm_card_riskLevelElevated")
    opened = receiver.wait_for("review.opened")["data"]["object"]
    assert (opened["payment_intent"], opened["open"]) == (reviewed.id, True)
    assert client.v1.reviews.approve(opened["id"]).closed_reason == "approved"
    closed = receiver.wait_for("review.closed")["data"]["object"]
    assert (closed["id"], closed["open"]) == (opened["id"], False)

"""The desk says of a payment from a bank account what is true of it, on every page that speaks of it."""

from __future__ import annotations

from typing import Any

import pytest

from core.fold import AWAITING_BANK, AWAITING_PAYER
from core.states import PaymentSub
from dashboard import dispute_words, states, timelines, words
from domain import database, desk_queries, health
from models.disputes import Dispute
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, rows, text
from tests.domain.from_bank import hear, pays_from_bank, reads_of_a_card, take_back


@pytest.fixture
def linked(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.bo)
    pays_from_bank(payment["paymentId"])
    return payment


def page_of(desk: Desk, who: Personas, payment: dict[str, Any]) -> str:
    return text(desk.browser(who.sue).page(f"/payments/{payment['paymentId']}"))


def test_the_page_of_a_payment_follows_it_through_the_bank(
    desk: Desk, who: Personas, linked: dict[str, Any]
) -> None:
    payment_id = linked["paymentId"]
    hear(payment_id, AWAITING_PAYER)
    said = page_of(desk, who, linked)
    assert "Needs the buyer" in said
    assert "Waiting for the payer to agree at their bank" in said
    assert "Method A link to the payer's own bank" in said
    assert reads_of_a_card(said) == []
    hear(payment_id, AWAITING_BANK)
    said = page_of(desk, who, linked)
    assert "Paid, not final" in said
    assert "Waiting for the payer's bank to send it" in said
    assert "Your bank is sending your payment." in said
    assert reads_of_a_card(said) == []
    hear(payment_id, "succeeded", 2_500)
    said = page_of(desk, who, linked)
    assert "Up to 25.00 EUR back to the bank account." in said
    assert reads_of_a_card(said) == []
    take_back(payment_id, 2_500)
    said = page_of(desk, who, linked)
    assert "The transfer failed or was taken back" in said
    assert reads_of_a_card(said) == []


def test_the_refund_form_says_where_the_money_goes_and_how_long_it_takes(
    desk: Desk, who: Personas, linked: dict[str, Any]
) -> None:
    hear(linked["paymentId"], "succeeded", 2_500)
    fin = desk.browser(who.fin, fresh=True)
    path = f"/payments/{linked['paymentId']}/refund"
    said = text(fin.page(path))
    assert "Money goes back to the bank account that paid." in said
    assert "to the payer's bank account; it usually arrives within 3 working days" in said
    assert reads_of_a_card(said) == []


def test_the_refund_form_of_a_card_reads_as_it_always_did(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    said = text(desk.browser(who.fin, fresh=True).page(f"/payments/{payment['paymentId']}/refund"))
    assert "Money goes back to the card that paid." in said
    assert "; banks take 5 to 10 days" in said


def test_the_lists_and_home_say_what_is_awaited(
    desk: Desk, who: Personas, till: Till, linked: dict[str, Any]
) -> None:
    other = till.payment(who.bo)
    pays_from_bank(other["paymentId"])
    hear(linked["paymentId"], AWAITING_PAYER)
    hear(other["paymentId"], "attempt_failed", code="provider_rejected")
    fin = desk.browser(who.fin)
    listed = rows(fin.page("/payments"))
    assert len(listed) == 2
    assert reads_of_a_card(" ".join(listed)) == []
    assert "They are to agree to it at their own bank" in fin.page("/payments")
    said = text(fin.page("/"))
    assert "Oak table: waits for the payer at their bank" in said
    assert "Oak table: failed at the bank" in said


def test_a_payer_cannot_stop_what_their_bank_has(
    desk: Desk, who: Personas, linked: dict[str, Any]
) -> None:
    hear(linked["paymentId"], AWAITING_BANK)
    said = text(desk.browser(who.bo).page(f"/payments/{linked['paymentId']}"))
    assert "Your bank has your order to pay already; it cannot be stopped here." in said
    assert reads_of_a_card(said) == []


@pytest.mark.parametrize(
    ("rail", "words_"),
    [("card", "Waiting for 3D Secure"), ("bank", "Waiting for the payer to agree at their bank")],
)
def test_what_is_awaited_is_said_per_rail(rail: str, words_: str) -> None:
    assert states.sub_words(PaymentSub.REQUIRES_ACTION, rail) == words_
    assert states.sub_words(PaymentSub.REQUIRES_CAPTURE, rail) == "Waiting for capture"
    assert states.sub_words(PaymentSub.NONE, rail) is None


def test_what_was_tried_last_is_said_per_rail() -> None:
    known = {"status": "pending", "sub_state": "requires_payment_method", "provider_code": "x"}
    assert states.of_payment(Payment(rail="card", **known)).note == "The last card was declined"
    bank = states.of_payment(Payment(rail="bank", **known))
    assert bank.note == "The last try at their bank failed"


def test_a_dispute_names_who_disputes(till: Till) -> None:
    row = Dispute(provider=till.rail.name, reason="fraudulent")
    card = dispute_words.reason_of(row)
    assert card.says == "The cardholder says they did not make this payment."
    assert "address, 3D Secure, delivery" in card.send
    bank = dispute_words.reason_of(Dispute(provider="truelayer", reason="fraudulent"))
    assert bank.says == "The payer says they did not make this payment."
    assert "address, that they agreed at their bank, delivery" in bank.send
    assert words.rail_of("gone") == ""


def test_words_of_one_moment_keep_their_order_on_every_rail() -> None:
    assert _ranks("Created", "Waiting for a card", "Card declined", "3D Secure needed") == [
        0,
        1,
        2,
        3,
    ]
    told = ("Waiting for the payer to agree at their bank", "A try at the payer's bank failed")
    assert _ranks(*told, "Their bank has it", "Succeeded") == [1, 2, 4, 6]


def _ranks(*told: str) -> list[int]:
    at = "2026-11-22"
    return [
        timelines._rank(timelines.Card(at, None, "provider", "api_read", "dot", text_))  # type: ignore[arg-type]
        for text_ in told
    ]


def test_each_provider_of_a_rail_has_a_health_of_its_own(till: Till) -> None:
    with database.reading() as session:
        by_name = health.provider_states(session)
        assert list(by_name.values()) == health.rail_states(session)
        found = {each.name: each for each in desk_queries.provider_health(session)}
    assert by_name[till.rail.name]["rail"] == "card"
    assert found[till.rail.name].said == "Stripe answers."
    assert (found["truelayer"].is_configured, found["truelayer"].state) == (False, "off")

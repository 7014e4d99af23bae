"""Who pays from a bank account, and whoever helps them, reads what is true of it; never of a card."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from sqlalchemy import select

from core.errors import Conflict
from core.fold import AWAITING_BANK, AWAITING_PAYER
from core.money import Money, asset
from domain import database
from domain.actors import Actor
from domain.books import wallets
from domain.effects.receipt import about
from domain.mail import letters
from domain.mail.mails import Letter
from domain.payments import bank_refusals, payments, situations, support, timeline
from domain.payments.decline_advice import Advice
from domain.reconciliation import said
from domain.refunds import refunds
from models.events import EventLog
from models.orders import Order
from models.payments import Payment
from providers.truelayer import words
from tests.domain.from_bank import hear, pays_from_bank, reads_of_a_card, take_back
from tests.domain.holds import cancel
from tests.domain.world import World


@pytest.fixture
def linked(world: World) -> Payment:
    payment = world.payment()
    pays_from_bank(payment.id)
    return payment


def advice(payment: Payment) -> Advice:
    with database.reading() as session:
        return support.support_block(session, session.get_one(Payment, payment.id)).advice


def story(payment: Payment, fin: Actor) -> list[str]:
    with database.reading() as session:
        own = session.get_one(Payment, payment.id)
        return [item.text for item in timeline.payment_timeline(session, own, actor=fin)]


def test_every_rail_has_advice_for_every_situation() -> None:
    card = situations.of("card")
    for rail in ("bank", "crypto"):
        assert situations.of(rail).keys() == card.keys()
        for situation, each in situations.of(rail).items():
            assert all(astuple(each)), situation
            assert reads_of_a_card(" ".join(astuple(each))) == [], situation
    for code, each in bank_refusals.ADVICE.items():
        assert reads_of_a_card(" ".join(astuple(each))) == [], code


def test_a_rail_to_come_knows_of_no_bank() -> None:
    read = [" ".join(astuple(each)).lower() for each in situations.of("crypto").values()]
    assert [each for each in read if "bank" in each] == []


def test_a_card_is_advised_as_it_always_was() -> None:
    card = situations.of("card")
    assert card["unknown"].tell_customer == (
        "We are confirming your payment with the card network. Please do not pay again yet."
    )
    assert card["refunded"].what_happened == (
        "All that was received was given back to the card that paid."
    )
    assert card["refunding"].tell_customer == (
        "We are working on your refund. Once it is sent, banks usually take 5 to 10 days to show it."
    )
    assert card["late_refunded"].tell_customer == (
        "Your payment reached us after it had expired and was refunded. Banks usually take 5 to 10 days"
        " to show it."
    )


def test_support_follows_a_payment_to_the_bank_and_home(world: World, linked: Payment) -> None:
    bank = situations.of("bank")
    assert advice(linked) == bank["waiting"]
    hear(linked.id, AWAITING_PAYER)
    assert world.read(linked).sub_state == "requires_action"
    assert advice(linked) == bank["action"]
    assert "has not agreed" in advice(linked).what_happened
    hear(linked.id, AWAITING_BANK)
    assert world.read(linked).sub_state == "awaiting_bank"
    assert "their bank has the order to pay" in advice(linked).what_happened
    hear(linked.id, "succeeded", 2_500)
    assert advice(linked) == bank["completed"]


def test_what_the_bank_was_told_to_send_cannot_be_called_back(
    world: World, linked: Payment
) -> None:
    hear(linked.id, AWAITING_PAYER)
    hear(linked.id, AWAITING_BANK)
    for who, sentence in ((world.fin, "nobody can call it back"), (world.bo, "cannot be stopped")):
        with pytest.raises(Conflict, match=sentence) as refused:
            cancel(linked, who)
        assert refused.value.code == "INVALID_TRANSITION"
    assert world.rail.asked.count("cancel") == 0
    hear(linked.id, "attempt_failed")
    assert cancel(linked, world.fin) is not None


def test_a_transfer_that_was_taken_back_is_told_as_that(world: World, linked: Payment) -> None:
    hear(linked.id, "succeeded", 2_500)
    take_back(linked.id, 2_500)
    assert world.read(linked).status == "failed"
    told = advice(linked)
    assert told == situations.of("bank")["reversed"]
    assert "claimed it back" in told.what_happened
    assert "Do not refund it" in told.next_step


def test_a_refusal_of_the_bank_is_read_in_the_words_of_banks(world: World, linked: Payment) -> None:
    hear(linked.id, AWAITING_PAYER)
    hear(linked.id, "attempt_failed", code="insufficient_funds")
    assert world.read(linked).status == "pending"
    told = advice(linked)
    assert told == bank_refusals.ADVICE["insufficient_funds"]
    assert "pay from another account" in told.tell_customer
    hear(linked.id, "failed", code="provider_rejected")
    told = advice(linked)
    assert told.tell_customer == bank_refusals.BANK
    assert told.next_step == situations.of("bank")["failed"].next_step


def test_a_reason_that_nobody_knows_says_what_holds_for_all(world: World, linked: Payment) -> None:
    # Of a card, this very word has words of its own.
    hear(linked.id, "failed", code="stolen_card")
    assert advice(linked) == situations.of("bank")["failed"]
    other = world.payment()
    pays_from_bank(other.id, rail="crypto")
    hear(other.id, "attempt_failed", code="insufficient_funds")
    assert advice(other) == situations.of("crypto")["declined"]


def test_each_reason_of_a_provider_of_banks_has_advice_of_its_own() -> None:
    # What went wrong between us and the provider is nothing the payer could mend.
    ours = {
        "invalid_request",
        "invalid_beneficiary_account",
        "invalid_mandate_state",
        "mandate_revoked",
    }
    assert set(words.REASONS) - set(bank_refusals.ADVICE) == ours


@pytest.mark.parametrize("code", ["blocked", "verification_declined"])
def test_who_pays_from_a_watched_account_learns_no_more_than_of_any_refusal(
    linked: Payment, code: str
) -> None:
    hear(linked.id, "failed", code=code)
    told = advice(linked)
    assert told.tell_customer == bank_refusals.BANK
    assert "fraud" not in told.tell_customer
    with database.reading() as session:
        own = session.get_one(Payment, linked.id)
        outline = support.outline(own, suspended=Money(0, asset("EUR")))
    assert "fraud" not in outline


def test_the_timeline_tells_of_the_bank(world: World, linked: Payment) -> None:
    hear(linked.id, AWAITING_PAYER)
    hear(linked.id, "attempt_failed", code="provider_error")
    hear(linked.id, AWAITING_BANK)
    hear(linked.id, "succeeded", 2_500)
    take_back(linked.id, 2_500)
    told = story(linked, world.fin)
    for each in (
        "Waiting for the payer to agree at their bank",
        "A try at the payer's bank failed (provider_error)",
        "Their bank has it (awaiting_bank)",
        "Waiting for the payer's bank to send it",
        "The transfer arrived (transfer_1)",
        "The transfer failed or was taken back (transfer_1)",
    ):
        assert each in told, each
    # What is asked of the fake is asked of a provider of cards.
    read = [text for text in told if not text.startswith("Asked the provider")]
    assert reads_of_a_card("\n".join(read)) == []


def test_an_order_that_two_rails_pay_tells_of_each_in_its_words(world: World) -> None:
    order = world.order(12_500, 2_500)
    _, deposit = world.begin(order)
    world.deliver_and_apply(world.event("payment_intent.payment_failed", deposit))
    world.deliver_and_apply(world.paid(deposit))
    _, balance = world.begin(order, "balance")
    pays_from_bank(balance.id)
    hear(balance.id, AWAITING_BANK)
    with database.reading() as session:
        own = session.get_one(Order, order.id)
        told = [item.text for item in timeline.order_timeline(session, own, actor=world.fin)]
    assert "Card declined" in " ".join(told)
    assert "Their bank has it (awaiting_bank)" in told
    assert "Waiting for the payer's bank to send it" in told


def test_a_refund_goes_back_to_the_account_that_paid(world: World, linked: Payment) -> None:
    assert refunds.destination_of(world.read(linked)) == "the payer's bank account"
    hear(linked.id, "succeeded", 2_500)
    with database.transaction() as session:
        payment = session.get_one(Payment, linked.id)
        amount = Money(2_500, asset("EUR"))
        refund = refunds.ask(
            session, payment, amount, actor=world.fin, reason="Broken", source="user:usr_fin"
        )
        asked = refunds.content(session, refund, payment)
    assert asked.destination == "the payer's bank account"
    assert "to the payer's bank account: of 25.00 received" in asked.text
    assert "3 working days" in advice(linked).tell_customer


def test_a_card_is_named_as_it_always_was(world: World) -> None:
    payment = world.payment()
    pays_from_bank(payment.id, rail="card", method="intent")
    assert refunds.destination_of(world.read(payment)) == "the payer's card"
    pays_from_bank(payment.id, rail="card", card_brand="visa", card_last4="4242")
    assert refunds.destination_of(world.read(payment)) == "the payer's Visa card ending 4242"


def letters_about(payment: Payment) -> list[Letter]:
    amount = Money(2_500, asset("EUR"))
    with database.reading() as session:
        known = about(session, session.get_one(Payment, payment.id))
        made = (letters.receipt, letters.refund, letters.refund_failed)
        return [make(known, amount) for make in made]


def test_letters_speak_of_the_payers_bank_account(linked: Payment) -> None:
    pays_from_bank(linked.id, receipt_url="https://bank.test/r/1")
    receipt, refund, failed = letters_about(linked)
    assert "Receipt of the bank payment: https://bank.test/r/1" in receipt.body
    assert "Bank transfers usually arrive within 3 working days." in refund.body
    assert "did not reach your bank account." in failed.body
    for letter in (receipt, refund, failed):
        assert "Paid from: your bank account" in letter.body.splitlines()
        assert reads_of_a_card(letter.body) == []


def test_letters_about_a_card_read_as_they_always_did(linked: Payment) -> None:
    more = {"card_brand": "visa", "card_last4": "4242", "receipt_url": "https://card.test/r/1"}
    pays_from_bank(linked.id, rail="card", method="intent", **more)
    receipt, refund, failed = letters_about(linked)
    assert "Receipt of the card processor: https://card.test/r/1" in receipt.body
    assert "Banks usually take 5 to 10 days to show it." in refund.body
    assert "did not reach your card." in failed.body
    for letter in (receipt, refund, failed):
        assert "Card: Visa ending in 4242" in letter.body.splitlines()


def test_programs_are_told_what_is_asked_of_the_payer(world: World, linked: Payment) -> None:
    hear(linked.id, AWAITING_PAYER)
    card = world.payment()
    world.deliver_and_apply(
        world.event("payment_intent.requires_action", card, status="requires_action")
    )
    with database.reading() as session:
        found = session.scalars(
            select(EventLog)
            .where(EventLog.type == "payment.requires_action")
            .order_by(EventLog.at, EventLog.id)
        )
        told = {event.payment_id: event.body["kind"] for event in found}
    assert told == {linked.id: "bank", card.id: "3ds"}


def test_a_wallet_knows_by_what_it_was_filled(world: World, linked: Payment) -> None:
    pays_from_bank(linked.id, purpose="top_up", order_id=None)
    hear(linked.id, "succeeded", 2_500)
    with database.reading() as session:
        found, _ = wallets.list_entries(
            session, str(linked.buyer_id), actor=world.fin, page=payments.Page(limit=5)
        )
    assert [(entry.kind, entry.rail) for entry in found] == [("wallet_credit", "bank")]


def test_a_comparison_says_where_a_payment_stands_at_a_bank() -> None:
    assert said.in_words("authorized", rail="card") == "held on the card"
    for kind in (AWAITING_PAYER, AWAITING_BANK, "authorized", "attempt_failed", "succeeded"):
        assert reads_of_a_card(said.in_words(kind, rail="bank")) == [], kind
    assert said.in_words(AWAITING_BANK, Money(2_500, asset("EUR")), rail="bank") == (
        "on its way, 25.00 EUR"
    )

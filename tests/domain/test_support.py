"""Support's words fit where a payment stands, and never tell a thief that a card was reported."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from core.money import Money, asset
from domain import database
from domain.payments import decline_advice, support
from models.inbound import InboundEvent
from models.payments import Payment
from sandbox.stripe.declines import DECLINES
from tests.domain import disputing, test_late_failures
from tests.domain.world import World


def block(payment: Payment) -> support.SupportBlock:
    with database.reading() as session:
        return support.support_block(session, session.get_one(Payment, payment.id))


def declined(world: World, code: str) -> Payment:
    payment = world.payment()
    error = {"code": "card_declined", "decline_code": code, "message": "No.", "type": "card_error"}
    world.deliver_and_apply(
        world.event("payment_intent.payment_failed", payment, last_payment_error=error)
    )
    return world.read(payment)


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "pickup_card", "fraudulent"])
def test_who_holds_a_reported_card_learns_no_more_than_of_any_decline(
    world: World, code: str
) -> None:
    payment = declined(world, code)
    said = block(payment)
    assert said.stripe_code == code
    assert said.advice.tell_customer == decline_advice.ISSUER
    assert said.advice.next_step.startswith("Tell the customer no more")
    outline = support.outline(payment, suspended=Money(0, asset("EUR")))
    assert "lost" not in outline
    assert "fraud" not in outline


def test_each_decline_of_the_stand_in_has_advice_of_its_own() -> None:
    assert [code for code in DECLINES if decline_advice.advice_for(code) is None] == []


def test_an_unknown_code_falls_back_to_what_holds_for_every_decline(world: World) -> None:
    said = block(declined(world, "a_code_of_tomorrow"))
    assert said.stripe_code == "a_code_of_tomorrow"
    assert said.advice.tell_customer == decline_advice.ISSUER


def test_what_waits_because_a_message_broke_says_where_to_look(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    with database.transaction() as session:
        session.execute(update(InboundEvent).values(state="dead"))
    assert "replayed" in block(payment).advice.next_step
    world.deliver_and_apply(world.paid(payment))
    assert block(payment).advice.what_happened == "The payment is confirmed and booked."


def test_words_of_a_dispute_follow_it_to_its_end(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    words = disputing.lost(payment)
    disputing.apply(payment, words[:3])
    said = block(payment).advice
    assert "not decided yet" in said.what_happened
    assert "Never refund" in said.next_step
    disputing.apply(payment, words[3:])
    assert "kept the money" in block(payment).advice.what_happened


def test_who_won_a_dispute_reads_as_paid(world: World) -> None:
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment))
    disputing.apply(payment, disputing.won(payment))
    assert block(payment).advice.what_happened == "The payment is confirmed and booked."


def test_money_that_came_or_went_after_the_end_is_never_called_not_charged(world: World) -> None:
    late = world.payment()
    world.deliver_and_apply(world.event("payment_intent.canceled", late, status="canceled"))
    assert "not charged" in block(late).advice.tell_customer
    world.deliver_and_apply(world.paid(late))
    assert "not charged" not in block(late).advice.tell_customer
    assert "safe with us" in block(late).advice.tell_customer
    debited = world.payment()
    told = test_late_failures.bodies(world, debited)
    for name in ("processing", "charge.succeeded", "succeeded", "charge.failed"):
        world.deliver_and_apply(told[name])
    assert world.read(debited).status == "failed"
    said = block(debited).advice
    assert "taken back" in said.tell_customer
    assert "not charged" not in said.tell_customer


def test_the_block_names_no_person(world: World) -> None:
    payment = world.payment()
    said = str(block(payment))
    assert payment.id in said
    assert "@" not in said
    assert str(payment.buyer_id) not in said

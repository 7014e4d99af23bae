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


def test_the_block_names_no_person(world: World) -> None:
    payment = world.payment()
    said = str(block(payment))
    assert payment.id in said
    assert "@" not in said
    assert str(payment.buyer_id) not in said

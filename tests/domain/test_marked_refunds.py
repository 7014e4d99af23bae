"""Money that only people vouch for is not given back: the provider may never have had it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.errors import Conflict
from core.money import Money
from domain import database
from domain.actors import Actor
from domain.payments import marking, receipts
from domain.payments.marking import Wanted
from domain.payments.support import support_block
from domain.refunds import refundable, refunds
from domain.transitions import Why
from models.control import Approval
from models.payments import Payment
from models.refunds import Refund
from tests.domain import refunding
from tests.domain.refunding import EUR, ask, assert_proved, one, send_all
from tests.domain.world import World

IN_SUSPENSE = (
    "25.00 EUR of it was marked as received by hand and waits in suspense until Stripe itself says"
    " that it has it."
)


def mark(world: World, payment: Payment) -> Payment:
    """Mark a payment as completed, as two people agreed, under its own name at the provider."""
    wanted = Wanted("completed", str(payment.provider_reference))
    with database.transaction() as session:
        locked = refunds.lock_payment(session, payment.id)
        marking.mark(session, locked, wanted, why=Why(world.fin, "approval:apr_1", "at the bank"))
    return world.read(payment)


def refusal(payment: Payment, minor: int, who: Actor) -> Conflict:
    with pytest.raises(Conflict) as refused:
        ask(payment, minor, who)
    assert (refused.value.code, refused.value.http_status) == ("AMOUNT_EXCEEDED", 409)
    return refused.value


def left(payment: Payment) -> Money:
    with database.reading() as session:
        own = session.get_one(Payment, payment.id)
        return refundable.left(own, suspended=receipts.in_suspense(session, own))


def asked() -> int:
    with database.reading() as session:
        return len(session.scalars(select(Refund)).all())


def happened(payment: Payment) -> tuple[str, str]:
    with database.reading() as session:
        advice = support_block(session, session.get_one(Payment, payment.id)).advice
    return advice.what_happened, advice.next_step


def test_what_was_marked_is_refunded_once_the_provider_itself_says_it_has_it(
    world: World, sue: Actor
) -> None:
    payment = mark(world, world.payment())
    for minor in (1, 2_500):
        refused = refusal(payment, minor, sue)
        assert refused.message == (
            f"At most 0.00 EUR of this payment can still be refunded. {IN_SUSPENSE}"
        )
        assert refused.details["refundable"] == {"amount": "0.00", "currency": "EUR"}
    assert (left(payment).minor, asked(), world.read(payment).refunding_minor) == (0, 0, 0)
    send_all()
    assert "refund" not in world.rail.asked
    world.deliver_and_apply(world.paid(payment))
    assert left(payment) == Money(2_500, EUR)
    refund = ask(payment, 2_500, sue)
    send_all()
    assert (one(refund).state, world.read(payment).status) == ("succeeded", "refunded")
    assert_proved()


def test_where_the_provider_has_less_than_was_marked_the_rest_stays(
    world: World, sue: Actor
) -> None:
    payment = mark(world, world.payment())
    world.deliver_and_apply(world.paid(payment, 2_400))
    assert world.read(payment).received_minor == 2_500
    ask(payment, 1_000, sue)
    refused = refusal(payment, 1_401, sue)
    assert refused.details["refundable"] == {"amount": "14.00", "currency": "EUR"}
    assert "1.00 EUR of it was marked" in refused.message
    ask(payment, 1_400, sue)
    assert refusal(payment, 1, sue).details["refundable"] == {"amount": "0.00", "currency": "EUR"}
    send_all()
    assert (world.read(payment).refunded_minor, left(payment).minor) == (2_400, 0)
    assert_proved()


def test_what_the_provider_ended_without_money_is_not_refunded(world: World, sue: Actor) -> None:
    payment = mark(world, world.payment())
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    assert world.read(payment).status == "completed"
    refusal(payment, 2_500, sue)


def test_second_person_cannot_send_what_lies_in_suspense(
    world: World, fin: Actor, flo: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = mark(world, world.payment(deposit=100_000, total=200_000))
    # As one that was asked for before marked money was held back.
    monkeypatch.setattr(receipts, "in_suspense", lambda *_: Money(0, EUR))
    refund = ask(payment, 90_000, fin)
    monkeypatch.undo()
    with pytest.raises(Conflict) as refused:
        refunding.agree(refund, flo)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert refused.value.details["refundable"] == {"amount": "0.00", "currency": "EUR"}
    assert "1000.00 EUR of it was marked as received by hand" in refused.value.message
    with database.reading() as session:
        assert session.get_one(Approval, refund.approval_id).state == "pending"
    assert (one(refund).state, one(refund).operation_id) == ("pending_approval", None)
    send_all()
    assert "refund" not in world.rail.asked
    world.deliver_and_apply(world.paid(payment))
    assert refunding.agree(refund, flo).row.state == "executed"
    send_all()
    assert one(refund).state == "succeeded"
    assert_proved()


def test_support_says_that_a_mark_awaits_the_provider_until_it_has_spoken(world: World) -> None:
    payment = mark(world, world.payment())
    what, next_step = happened(payment)
    assert what == "It was marked as received by hand and awaits the provider's own word."
    assert "Ask the provider now" in next_step
    world.deliver_and_apply(world.paid(payment))
    assert happened(payment) == ("The payment is confirmed and booked.", "Nothing to do.")

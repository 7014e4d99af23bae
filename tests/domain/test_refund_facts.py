"""What providers say of refunds leads to one state, in any order, and to a person where nobody asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from core import clock
from domain import database
from domain.actors import Actor, system
from domain.inbox import replays
from domain.jobs import janitor, worker
from domain.reconciliation import reconciling
from models.orders import Order
from models.payments import Payment
from models.refunds import Refund
from tests.domain.refunding import (
    agree,
    ask,
    assert_proved,
    balances,
    cases,
    one,
    paid,
    send_all,
    told,
)
from tests.domain.world import World


def test_refund_made_at_the_provider_is_adopted_and_shown_to_a_person(world: World) -> None:
    payment = paid(world)
    name = world.rail.give_back(str(payment.provider_reference), 1_000)
    event = world.deliver_and_apply(world.refund_event("refund.created", name))
    assert (event.state, event.verdict) == ("processed", "refund pending → succeeded")
    with database.reading() as session:
        refund = session.scalars(select(Refund)).one()
    assert (refund.requested_kind, refund.provider_reference) == ("provider", name)
    assert world.read(payment).refunded_minor == 1_000
    assert balances(payment) == (-1_500, 1_500, 0)
    assert cases() == ["RECON_DIFFERENCE"]
    assert_proved()


def test_charge_that_tells_a_total_makes_us_ask_for_its_refunds(world: World) -> None:
    payment = paid(world)
    world.rail.give_back(str(payment.provider_reference), 1_000)
    charge = {"id": "ch_1", "payment_intent": payment.provider_reference, "amount_refunded": 1_000}
    event = world.deliver_and_apply(world._signed_body("charge.refunded", charge, None))
    assert event.state == "processed"
    assert world.read(payment).refunded_minor == 1_000


def test_refund_heard_of_before_the_payment_makes_us_ask_for_the_payment(world: World) -> None:
    payment = world.payment()
    success = world.paid(payment)
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    assert world.read(payment).status == "refunded"
    world.deliver_and_apply(success)
    now = world.read(payment)
    assert (now.status, now.received_minor, now.refunded_minor) == ("refunded", 2_500, 2_500)
    assert_proved()


def test_outside_refund_leaves_our_own_request_no_room(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    name = world.rail.give_back(str(payment.provider_reference), 100_000)
    world.deliver_and_apply(world.refund_event("refund.created", name))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.refunding_minor) == ("refunded", 100_000, 0)
    assert agree(refund, flo).said is not None
    assert one(refund).state == "cancelled"
    assert_proved()


def test_refund_that_fails_later_is_reversed_and_everything_stands_as_before(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 2_500, sue)
    send_all()
    assert world.read(payment).status == "refunded"
    name = str(one(refund).provider_reference)
    failed = world.refund_event(
        "refund.failed", name, status="failed", failure_reason="expired_or_canceled_card"
    )
    world.deliver_and_apply(failed)
    done = one(refund)
    assert (done.state, done.failure_reason) == ("failed", "expired_or_canceled_card")
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.refunded_minor) == ("completed", "funded", 0)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.request_status) == ("deposit_paid", "processing")
    assert balances(payment) == (-2_500, 2_500, 0)
    assert cases() == ["REFUND_FAILED"]
    assert told("payment.refunded") == 2
    again = ask(payment, 2_500, sue)
    send_all()
    assert one(again).state == "succeeded"
    assert world.read(payment).status == "refunded"
    assert_proved()


def test_order_that_holds_other_money_is_not_refunded_and_one_that_is_paid_again_is_whole(
    world: World, sue: Actor
) -> None:
    order = world.order()
    _, deposit = world.begin(order)
    world.deliver_and_apply(world.paid(deposit))
    _, balance = world.begin(order, "balance")
    ask(deposit, 2_500, sue)
    send_all()
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "refunded"
    world.deliver_and_apply(world.paid(balance))
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "paid"
    assert_proved()


LIFECYCLES = {
    "succeeds": ["pending", "succeeded"],
    "fails": ["pending", "failed"],
    "fails after success": ["pending", "succeeded", "failed"],
}


def _orders(events: list[bytes]) -> Iterator[list[bytes]]:
    """Every order of arrival, with each event twice, and with each one but the last dropped."""
    for order in itertools.permutations(events):
        yield [*order, *order]
    for left_out in range(len(events) - 1):
        yield [event for place, event in enumerate(events) if place != left_out]


@pytest.mark.parametrize("life", LIFECYCLES)
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "outside"])
def test_facts_of_a_refund_lead_to_one_state_in_any_order(
    world: World, sue: Actor, life: str, is_ours: bool
) -> None:
    ends = set()
    at = clock.unix()
    for number in range(20):
        payment = paid(world)
        world.rail.refund_status = "pending"
        if is_ours:
            ask(payment, 2_500, sue)
            send_all()
            name = next(
                each
                for each, found in world.rail.refunds.items()
                if found["payment_intent"] == payment.provider_reference
            )
        else:
            name = world.rail.give_back(str(payment.provider_reference), 2_500)
        kinds = {"pending": "refund.created", "succeeded": "refund.updated"}
        events = [
            world.refund_event(kinds.get(status, "refund.failed"), name, at=at + no, status=status)
            for no, status in enumerate(LIFECYCLES[life])
        ]
        ways = list(_orders(events))
        if number >= len(ways):
            break
        for event in ways[number]:
            world.deliver(event)
            worker.work_until_idle()
        now = world.read(payment)
        with database.reading() as session:
            refund = session.scalars(select(Refund).where(Refund.payment_id == payment.id)).one()
            order = session.get_one(Order, payment.order_id)
            state = (refund.state, now.status, now.escrow_state, order.status, order.request_status)
        ends.add((*state, now.refunded_minor, now.refunding_minor, *balances(payment)[:1]))
    assert len(ends) == 1
    assert_proved()


def test_reconciling_finds_refunds_of_which_no_event_told(world: World, sue: Actor) -> None:
    payment, other = paid(world), paid(world)
    world.rail.refund_status = "pending"
    ask(payment, 500, sue)
    send_all()
    [name] = world.rail.refunds
    world.rail.refunds[name]["status"] = "succeeded"
    world.rail.refund_status = "succeeded"
    world.rail.give_back(str(other.provider_reference), 700)
    found = reconciling.reconcile(
        world.rail,  # type: ignore[arg-type]  # the fake in Stripe's place
        since=clock.after(-3600),
        actor=system("test"),
    )
    assert (found.refunds, found.refunds_healed, found.problems) == (2, 2, [])
    assert world.read(payment).refunded_minor == 500
    assert world.read(other).refunded_minor == 700
    again = reconciling.reconcile(
        world.rail,  # type: ignore[arg-type]  # the fake in Stripe's place
        since=clock.after(-3600),
        actor=system("test"),
    )
    assert (again.refunds, again.refunds_healed) == (2, 0)
    assert_proved()


def test_janitor_asks_about_a_refund_until_it_is_over(world: World, sue: Actor) -> None:
    payment = paid(world)
    world.rail.refund_status = "pending"
    refund = ask(payment, 500, sue)
    send_all()
    assert one(refund).state == "pending"
    for status, state in (("pending", "pending"), ("succeeded", "succeeded")):
        [name] = world.rail.refunds
        world.rail.refunds[name]["status"] = status
        with database.transaction() as session:
            session.get_one(Payment, payment.id).check_due_at = clock.now()
        assert janitor.check_payment()
        assert one(refund).state == state
    assert_proved()


def test_preview_of_a_refunds_event_shows_what_applying_it_then_does(
    world: World, fin: Actor
) -> None:
    payment = paid(world)
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    received = world.deliver(world.refund_event("refund.created", name))
    shown = replays.preview(received.inbound_id, actor=fin)
    assert shown.verdict == "would_apply"
    assert {"refund.created", "refund.succeeded", "payment.refunded"} <= set(shown.events)
    assert [row["amountMinor"] for row in shown.postings] == [2_500, 2_500]
    assert world.read(payment).refunded_minor == 0
    done = replays.replay(received.inbound_id, actor=fin, reason="Now", preview_hash=shown.hash)
    assert done.preview.hash == shown.hash
    assert world.read(payment).status == "refunded"
    assert replays.preview(received.inbound_id, actor=fin).verdict == "no_op"
    assert_proved()

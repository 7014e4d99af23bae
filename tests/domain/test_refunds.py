"""A refund is asked for by who may, agreed to as the table says, and never more than was received."""

from __future__ import annotations

import contextlib
import threading

import pytest

from core.errors import (
    AppError,
    Conflict,
    Forbidden,
    IllegalTransition,
)
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.books import ledger
from domain.control import approvals
from domain.jobs import overdue
from domain.refunds import refunds
from models.control import Approval
from models.orders import Order
from models.payments import Payment
from tests.domain.refunding import (
    agree,
    ask,
    assert_proved,
    balances,
    cases,
    one,
    paid,
    person,
    send_all,
    told,
)
from tests.domain.world import World


def test_small_refund_of_one_person_goes_to_the_provider_and_into_the_books(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 2_000, sue)
    assert (refund.state, refund.approval_id) == ("pending", None)
    assert world.read(payment).refunding_minor == 2_000
    assert "refund" not in world.rail.asked
    send_all()
    done = one(refund)
    assert (done.state, done.provider_reference) == ("succeeded", next(iter(world.rail.refunds)))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.refunding_minor) == ("completed", 2_000, 0)
    assert balances(payment) == (-500, 500, 0)
    assert (told("refund.created"), told("refund.succeeded"), told("payment.refunded")) == (1, 1, 1)
    assert_proved()


def test_refund_of_everything_ends_payment_escrow_and_order(world: World, sue: Actor) -> None:
    payment = paid(world)
    ask(payment, 500, sue)
    ask(payment, 2_000, sue)
    send_all()
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.refunded_minor) == ("refunded", "refunded", 2_500)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.request_status) == ("refunded", "refunded")
    assert (told("payment.refunded"), told("order.refunded")) == (2, 1)
    assert balances(payment) == (0, 0, 0)
    assert_proved()


def test_large_refund_waits_for_a_second_person_and_is_sent_once_they_agree(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    assert refund.state == "pending_approval"
    assert refund.operation_id is None
    send_all()
    assert "refund" not in world.rail.asked
    with pytest.raises(AppError):
        agree(refund, fin)
    assert agree(refund, flo).row.state == "executed"
    assert one(refund).state == "pending"
    send_all()
    assert one(refund).state == "succeeded"
    assert (told("refund.requested"), told("refund.created")) == (1, 1)
    assert_proved()


def test_support_asks_up_to_the_threshold_and_nobody_over_the_api_moves_money_alone(
    world: World, sue: Actor, fin: Actor
) -> None:
    payment = paid(world, 100_000)
    with pytest.raises(Forbidden, match="above what your role"):
        ask(payment, 50_001, sue)
    stale = person("sue", Role.SUPPORT, stepped_up_at=None)
    with pytest.raises(Forbidden) as refused:
        ask(payment, 100, stale)
    assert refused.value.code == "STEP_UP_REQUIRED"
    token = person("fin", Role.FINANCE, session_id="jti_1")
    assert ask(payment, 100, token).state == "pending_approval"
    with pytest.raises(Forbidden):
        ask(payment, 100, person("sue", Role.SUPPORT, session_id="jti_2"))
    with pytest.raises(Forbidden):
        ask(payment, 100, person("ed", Role.ENGINEER))
    with pytest.raises(Forbidden):
        ask(payment, 100, world.bo)
    assert world.read(payment).refunding_minor == 100
    assert ask(payment, 50_000, fin).state == "pending"


def test_nobody_moves_alone_in_parts_what_takes_two_at_once(
    world: World, sue: Actor, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 200_000)
    assert ask(payment, 30_000, sue).state == "pending"
    send_all()
    with pytest.raises(Forbidden, match="sent alone before"):
        ask(payment, 20_001, sue)
    # Whoever asks next, and whatever waits for a second person meanwhile.
    waiting = ask(payment, 20_001, fin)
    assert waiting.state == "pending_approval"
    rest = ask(payment, 20_000, fin)
    assert rest.state == "pending"
    assert ask(payment, 1, flo).state == "pending_approval"
    # What was taken back went nowhere.
    with database.transaction() as session:
        refunds.cancel(session, rest.id, actor=fin, reason="No", source="test")
    assert ask(payment, 20_000, flo).state == "pending"
    # What two agreed to leaves the one person's share as it is.
    large = ask(payment, 60_000, fin)
    assert agree(large, flo).said is None
    assert ask(payment, 1, fin).state == "pending_approval"
    assert ask(paid(world, 100_000), 50_000, sue).state == "pending"
    send_all()
    assert_proved()


def test_of_many_small_refunds_at_once_one_person_sends_no_more_than_one_may(
    world: World, fin: Actor
) -> None:
    payment = paid(world, 500_000)
    made: list[str] = []
    together = threading.Barrier(8)

    def run() -> None:
        together.wait()
        made.append(ask(payment, 30_000, fin).state)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == ["pending", *["pending_approval"] * 7]


def test_refused_and_expired_requests_free_what_they_had_set_aside(
    world: World, fin: Actor, flo: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    with database.transaction() as session:
        approvals.refuse(session, str(refund.approval_id), actor=flo, reason="No receipt")
    assert one(refund).state == "cancelled"
    # What an approval is bound to never changes, its end neither; so it is born at its end.
    monkeypatch.setattr(approvals, "APPROVAL_SECONDS", 0)
    late = ask(payment, 100_000, fin)
    monkeypatch.undo()
    overdue.end_overdue()
    assert one(late).state == "cancelled"
    assert world.read(payment).refunding_minor == 0
    assert ask(payment, 100_000, fin).state == "pending_approval"
    assert_proved()


def test_request_is_void_once_other_money_of_the_payment_went_back(
    world: World, fin: Actor, flo: Actor, sue: Actor
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 60_000, fin)
    ask(payment, 20_000, sue)
    decision = agree(refund, flo)
    assert decision.said is not None
    assert one(refund).state == "cancelled"
    assert world.read(payment).refunding_minor == 20_000


def test_request_stands_when_only_the_card_was_learned_or_another_waits(
    world: World, fin: Actor, flo: Actor
) -> None:
    payment = paid(world, 200_000)
    refund = ask(payment, 60_000, fin)
    ask(payment, 70_000, flo)
    with database.transaction() as session:
        session.get_one(Payment, payment.id).card_last4 = "4242"
    assert agree(refund, flo).said is None
    assert one(refund).state == "pending"


def test_disputed_payment_is_not_refunded_as_well(world: World, sue: Actor) -> None:
    payment = paid(world)
    record = world.rail.dispute(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.dispute_event("created", str(record["id"])))
    assert cases() == ["DISPUTE"]
    with pytest.raises(IllegalTransition):
        ask(payment, 100, sue)


def test_payment_that_has_not_arrived_or_is_all_back_has_nothing_to_refund(
    world: World, sue: Actor
) -> None:
    with pytest.raises(IllegalTransition):
        ask(world.payment(), 100, sue)
    payment = paid(world)
    with pytest.raises(Conflict) as refused:
        ask(payment, 2_501, sue)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert refused.value.details["refundable"] == {"amount": "25.00", "currency": "EUR"}
    ask(payment, 2_500, sue)
    send_all()
    with pytest.raises(Conflict) as again:
        ask(payment, 1, sue)
    assert again.value.code == "AMOUNT_EXCEEDED"


def test_money_that_came_after_the_end_is_given_back_from_where_it_lies(
    world: World, sue: Actor
) -> None:
    payment = world.payment()
    record = world.rail.intents[str(payment.provider_reference)]
    cancelled = world.event("payment_intent.canceled", payment, status="canceled")
    world.deliver_and_apply(cancelled)
    world.deliver_and_apply(world.paid(payment))
    assert record["status"] == "succeeded"
    ask(payment, 2_500, sue)
    send_all()
    now = world.read(payment)
    assert (now.status, now.refunded_minor) == ("cancelled", 2_500)
    with database.reading() as session:
        assert ledger.balance(session, f"payment:{payment.id}:unapplied", "EUR/2") == 0
    assert_proved()


def test_same_reference_gives_the_same_refund(world: World, sue: Actor) -> None:
    payment = paid(world)
    first = ask(payment, 100, sue, reference="ticket-1")
    assert ask(payment, 100, sue, reference="ticket-1").id == first.id
    with pytest.raises(Conflict):
        ask(payment, 200, sue, reference="ticket-1")
    assert world.read(payment).refunding_minor == 100


def test_sixteen_who_ask_at_once_never_get_more_than_was_received(world: World, sue: Actor) -> None:
    payment = paid(world)
    made: list[int] = []
    refused: list[str] = []
    together = threading.Barrier(16)

    def run(minor: int) -> None:
        together.wait()
        try:
            made.append(ask(payment, minor, sue).amount_minor)
        except AppError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=run, args=(300 + 10 * no,)) for no in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(refused) == 16
    assert set(refused) == {"AMOUNT_EXCEEDED"}
    now = world.read(payment)
    assert (
        sum(made)
        == now.refunding_minor
        <= 2_500
        < sum(made)
        + min(minor for minor in (300 + 10 * no for no in range(16)) if minor not in made)
    )
    send_all()
    assert world.read(payment).refunded_minor == sum(made)
    assert_proved()


def test_refund_is_taken_back_until_it_is_sent(world: World, sue: Actor, fin: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    with database.transaction() as session:
        refunds.cancel(session, refund.id, actor=fin, reason="Wrong order", source="test")
    assert one(refund).state == "cancelled"
    assert world.read(payment).refunding_minor == 0
    send_all()
    assert "refund" not in world.rail.asked
    sent = ask(payment, 500, sue)
    send_all()
    with pytest.raises(IllegalTransition), database.transaction() as session:
        refunds.cancel(session, sent.id, actor=fin, reason="Too late", source="test")
    assert_proved()


def test_request_is_taken_back_with_its_approval(world: World, fin: Actor, flo: Actor) -> None:
    payment = paid(world, 200_000)
    for who in (fin, flo):
        refund = ask(payment, 60_000, fin)
        with database.transaction() as session:
            refunds.cancel(session, refund.id, actor=who, reason="No", source="test")
        with database.reading() as session:
            assert session.get_one(Approval, refund.approval_id).state == "cancelled"
        assert one(refund).state == "cancelled"
    stranger = person("sol", Role.SUPPORT)
    other = ask(payment, 60_000, fin)
    with pytest.raises(Forbidden), database.transaction() as session:
        refunds.cancel(session, other.id, actor=stranger, reason="No", source="test")
    assert world.read(payment).refunding_minor == 60_000


def test_sending_and_taking_back_at_once_leaves_one_of_them(world: World, sue: Actor) -> None:
    payment = paid(world)
    for _ in range(8):
        refund = ask(payment, 100, sue)
        both = threading.Barrier(2)

        def send(barrier: threading.Barrier = both) -> None:
            barrier.wait()
            send_all()

        def take_back(barrier: threading.Barrier = both, refund_id: str = refund.id) -> None:
            barrier.wait()
            with contextlib.suppress(AppError), database.transaction() as session:
                refunds.cancel(session, refund_id, actor=sue, reason="No", source="test")

        threads = [threading.Thread(target=send), threading.Thread(target=take_back)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        send_all()
        assert one(refund).state in ("succeeded", "cancelled")
    back = sum(int(str(found["amount"])) for found in world.rail.refunds.values())
    assert world.read(payment).refunded_minor == back
    assert_proved()

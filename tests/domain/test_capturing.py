"""A hold is captured once, all of it or a part on purpose, by whichever word of the provider comes first."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import (
    AppError,
    Conflict,
    IllegalTransition,
    NotFound,
    PaymentDeclined,
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
)
from domain import database
from domain.actors import Actor
from domain.payments import captures
from models.audit import AuditRow
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from tests.domain.holds import cancel, capture, held, look_again, lost
from tests.domain.refunding import assert_proved, balances, cases, told
from tests.domain.world import World


def captures_of(payment: Payment) -> list[captures.Capture]:
    with database.reading() as session:
        return captures.list_captures(session, payment.id)


def charge(payment: Payment, **more: object) -> dict[str, object]:
    """Make the charge of a payment as Stripe writes it."""
    return {
        "id": f"ch_{payment.id[-8:]}",
        "object": "charge",
        "status": "succeeded",
        "currency": "eur",
        "amount": payment.amount_minor,
        "payment_intent": payment.provider_reference,
        "metadata": {"payment_id": payment.id},
    } | more


def test_capture_takes_what_is_held_and_settles_like_any_success(world: World, fin: Actor) -> None:
    payment = held(world)
    assert (payment.status, payment.sub_state, payment.capturable_minor) == (
        *("processing", "requires_capture"),
        2_500,
    )
    operation = capture(payment, None, fin, reason="Goods were sent")
    assert (operation.state, operation.request["amountMinor"]) == ("succeeded", 2_500)
    now = world.read(payment)
    assert (now.status, now.received_minor, now.capturable_minor) == ("completed", 2_500, 0)
    assert (balances(payment), cases()) == ((-2_500, 2_500, 0), [])
    assert (told("payment.authorized"), told("payment.succeeded")) == (1, 1)
    with database.reading() as session:
        said = session.scalars(select(AuditRow).where(AuditRow.action == "payment.capture")).one()
        assert (said.actor, said.reason) == ("usr_fin", "Goods were sent")
        assert session.get_one(Order, payment.order_id).status == "deposit_paid"
    world.deliver_and_apply(world.paid(payment))
    assert told("payment.succeeded") == 1
    assert_proved()


def test_part_taken_on_purpose_is_no_underpaid_case_and_says_what_was_let_go(
    world: World, fin: Actor
) -> None:
    payment = held(world)
    capture(payment, 2_000, fin)
    now = world.read(payment)
    assert (now.status, now.received_minor, now.capturable_minor) == ("completed", 2_000, 0)
    assert (balances(payment), cases()) == ((-2_000, 2_000, 0), [])
    (taken,) = captures_of(payment)
    assert (taken.sentence, taken.actor) == (
        "captured 20.00 of 25.00 EUR, 5.00 EUR let go",
        "usr_fin",
    )
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.paid_minor) == ("awaiting_deposit", 2_000)
    assert world.begin(order)[1].amount_minor == 500
    assert_proved()


def test_verdict_of_the_event_that_comes_before_the_answer_says_so_too(
    world: World, fin: Actor
) -> None:
    payment = held(world)
    world.rail.script = [lost(ProviderUnknown())]
    assert capture(payment, 2_000, fin).state == "unknown"
    assert world.read(payment).sub_state == "requires_capture"
    row = world.deliver_and_apply(world.event("payment_intent.succeeded", payment))
    assert row.verdict == (
        "payment processing → completed; captured 20.00 of 25.00 EUR, 5.00 EUR let go as asked"
    )
    look_again()
    assert ([each.state for each in captures_of(payment)], cases()) == (["succeeded"], [])
    assert (world.rail.asked.count("capture"), balances(payment)[1]) == (1, 2_000)
    assert_proved()


def test_part_that_nobody_here_asked_for_is_underpaid(world: World) -> None:
    payment = held(world)
    world.deliver_and_apply(world.paid(payment, 2_000))
    assert cases() == ["UNDERPAID"]


def test_rest_that_is_let_go_is_no_refund_of_what_was_taken(world: World, fin: Actor) -> None:
    payment = held(world)
    capture(payment, 2_000, fin)
    released = world.rail.give_back(str(payment.provider_reference), 500)
    world.deliver_and_apply(
        world.refund_event("refund.created", released, balance_transaction=None)
    )
    world.deliver_and_apply(world._signed_body("charge.refunded", charge(payment), None))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, cases()) == ("completed", 0, [])
    assert_proved()
    # The same amount with a booking of its own is money that left.
    world.rail.refunds.pop(released)
    taken = world.rail.give_back(str(payment.provider_reference), 500)
    world.deliver_and_apply(
        world.refund_event("refund.created", taken, balance_transaction="txn_1")
    )
    assert (world.read(payment).refunded_minor, cases()) == (500, ["RECON_DIFFERENCE"])
    assert_proved()


def test_captured_charge_settles_by_itself_and_the_intent_adds_nothing(world: World) -> None:
    payment = held(world)
    record = world.rail.intents[str(payment.provider_reference)]
    record.update(status="succeeded", amount_received=2_500, amount_capturable=0)
    said = charge(payment, captured=True, amount_captured=2_500)
    world.deliver_and_apply(world._signed_body("charge.captured", said, None))
    assert world.read(payment).status == "completed"
    row = world.deliver_and_apply(world.paid(payment))
    assert row.state == "no_effect"
    assert (balances(payment), told("payment.succeeded")) == ((-2_500, 2_500, 0), 1)
    assert_proved()


def test_more_than_is_held_or_nothing_held_is_refused(world: World, fin: Actor, sue: Actor) -> None:
    payment = held(world)
    with pytest.raises(Conflict) as refused:
        capture(payment, 2_501, fin)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert refused.value.details == {"capturable": {"amount": "25.00", "currency": "EUR"}}
    with pytest.raises(NotFound):
        capture(payment, None, world.eve)
    capture(payment, 1, fin)
    for done in (payment, world.payment()):
        with pytest.raises(IllegalTransition):
            capture(done, None, fin)
    assert world.rail.asked.count("capture") == 1


def test_sixteen_who_capture_at_once_take_the_hold_once(world: World, fin: Actor) -> None:
    payment = held(world)
    together = threading.Barrier(16)
    results: list[str] = []

    def run(minor: int) -> None:
        together.wait()
        try:
            results.append(capture(payment, minor, fin).state)
        except AppError as error:
            results.append(error.code)

    threads = [threading.Thread(target=run, args=(1_000 + no,)) for no in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("succeeded") == 1
    assert set(results) <= {"succeeded", "INVALID_TRANSITION", "LOST_RACE"}
    assert world.rail.asked.count("capture") == len(captures_of(payment)) == 1
    now = world.read(payment)
    assert (now.status, now.received_minor) == ("completed", balances(payment)[1])
    assert_proved()


def test_same_capture_asked_again_without_an_answer_goes_on_under_its_first_key(
    world: World, fin: Actor
) -> None:
    payment = held(world)
    world.rail.script = [lost(ProviderUnknown())]
    first = capture(payment, 2_000, fin)
    with pytest.raises(Conflict) as other:
        capture(payment, 2_500, fin)
    assert other.value.details["operationId"] == first.id
    with pytest.raises(Conflict) as ended:
        cancel(payment, fin)
    assert ended.value.code == "INVALID_TRANSITION"
    again = capture(payment, 2_000, fin)
    assert (again.id, again.state) == (first.id, "succeeded")
    assert len(captures_of(payment)) == 1
    assert_proved()


def test_capture_is_refused_while_a_cancel_has_no_outcome(world: World, fin: Actor) -> None:
    payment = held(world)
    world.rail.script = [ProviderUnknown()]
    assert (waiting := cancel(payment, fin)) is not None
    assert waiting.state == "unknown"
    with pytest.raises(Conflict) as refused:
        capture(payment, None, fin)
    assert refused.value.message.startswith("It is being cancelled")
    assert "capture" not in world.rail.asked


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (PaymentDeclined(provider=ProviderReference("pi_x", "expired_card")), "failed"),
        (ProviderRefused("It has lapsed."), "failed"),
        (ProviderUnavailable(), "prepared"),
    ],
)
def test_capture_that_failed_leaves_the_hold_and_may_be_asked_again(
    world: World, fin: Actor, answer: AppError, state: str
) -> None:
    payment = held(world)
    world.rail.script = [answer]
    assert capture(payment, None, fin).state == state
    now = world.read(payment)
    assert (now.status, now.sub_state, now.received_minor) == ("processing", "requires_capture", 0)
    assert now.check_due_at is not None
    assert capture(payment, None, fin).state == "succeeded"
    assert len(captures_of(payment)) == (1 if state == "prepared" else 2)
    assert_proved()


def test_hold_ends_when_its_charge_says_or_in_a_week(world: World, fin: Actor) -> None:
    payment = held(world)
    presumed = payment.hold_ends_at
    assert presumed is not None
    assert timedelta(days=6, hours=23) < presumed - clock.now() <= timedelta(days=7)
    assert not captures.ends_soon(payment)
    until = clock.unix() + 3_600
    card = {"card": {"brand": "visa", "last4": "4242", "capture_before": until}}
    said = charge(payment, payment_method_details=card)
    world.deliver_and_apply(world._signed_body("charge.succeeded", said, None))
    now = world.read(payment)
    assert now.hold_ends_at == clock.from_unix(until)
    assert captures.ends_soon(now)
    capture(payment, None, fin)
    world.deliver_and_apply(world._signed_body("charge.updated", said, None))
    assert world.read(payment).hold_ends_at is None


@pytest.mark.parametrize("first", ["charge.expired", "payment_intent.canceled"])
def test_hold_that_lapses_ends_the_payment_whichever_event_comes_first(
    world: World, first: str
) -> None:
    payment = held(world)
    record = world.rail.intents[str(payment.provider_reference)]
    record.update(status="canceled", cancellation_reason="automatic", amount_capturable=0)
    bodies = {
        "charge.expired": world._signed_body("charge.expired", charge(payment), None),
        "payment_intent.canceled": world.event("payment_intent.canceled", payment),
    }
    world.deliver_and_apply(bodies.pop(first))
    for body in bodies.values():
        world.deliver_and_apply(body)
    now = world.read(payment)
    assert (now.status, now.failure_reason, now.capturable_minor) == ("cancelled", "automatic", 0)
    assert (told("payment.cancelled"), balances(payment)) == (1, (0, 0, 0))
    with pytest.raises(IllegalTransition):
        capture(payment, None, world.fin)
    assert_proved()


def test_transfer_of_a_part_is_a_case_and_books_nothing(world: World) -> None:
    payment = world.payment()
    told_by = {"type": "display_bank_transfer_instructions"}
    shown = {"display_bank_transfer_instructions": {"amount_remaining": 700}}
    world.deliver_and_apply(
        world.event(
            "payment_intent.partially_funded",
            payment,
            status="requires_action",
            next_action=told_by | shown,
        )
    )
    now = world.read(payment)
    assert (now.status, now.received_minor, cases()) == ("pending", 0, ["UNDERPAID"])
    assert balances(payment) == (0, 0, 0)
    with database.reading() as session:
        operation = session.scalars(select(Operation)).one()
        assert operation.kind == "create_intent"
    assert_proved()

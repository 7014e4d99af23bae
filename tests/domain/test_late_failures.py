"""A debit that fails after it was final: what it had booked is taken back once, in whatever order it is told."""

from __future__ import annotations

import itertools

import pytest

from core import clock
from core.errors import AppError
from domain import database
from domain.actors import Actor
from domain.books import ledger
from domain.jobs import worker
from domain.orders import release_holds
from domain.payments import reattempting
from models.orders import Order
from models.payments import Payment
from providers.stripe import reading
from tests.domain.refunding import ask, assert_proved, balances, cases, send_all, told
from tests.domain.world import World


def debit(payment: Payment, name: str = "py_1", **more: object) -> dict[str, object]:
    """Make the charge of a bank debit as Stripe writes it."""
    return {
        "id": f"{name}{payment.id[-6:]}",
        "object": "charge",
        "status": "succeeded",
        "currency": "eur",
        "amount": payment.amount_minor,
        "payment_intent": payment.provider_reference,
        "payment_method_details": {"type": "sepa_debit", "sepa_debit": {"last4": "3000"}},
        "metadata": {"payment_id": payment.id},
    } | more


def bodies(world: World, payment: Payment) -> dict[str, bytes]:
    """Write what is told of a debit that is paid and then fails, each by its name."""
    name = str(debit(payment)["id"])
    at = clock.unix() - 600
    failed = {"status": "failed", "failure_code": "account_closed", "failure_message": "Closed."}
    return {
        "processing": world.event(
            "payment_intent.processing", payment, at=at, status="processing", latest_charge=name
        ),
        "charge.succeeded": world._signed_body("charge.succeeded", debit(payment), at + 1),
        "succeeded": world.paid(payment, at=at + 2),
        "charge.failed": world._signed_body("charge.failed", debit(payment, **failed), at + 9),
    }


def stands(world: World, payment: Payment) -> dict[str, object]:
    now = world.read(payment)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        return {
            "payment": (now.status, now.failure_reason, now.sub_state, now.escrow_state),
            "amounts": (now.received_minor, now.reversed_minor, now.refunded_minor),
            "order": (order.status, order.paid_minor, bool(order.release_hold)),
            "books": balances(payment),
            "cases": cases(),
            "told": (told("payment.succeeded"), told("payment.reversed"), told("payment.failed")),
        }


GONE = {
    "payment": ("failed", "late_failure", "none", "unfunded"),
    "amounts": (2_500, 2_500, 0),
    "order": ("deposit_paid", 0, True),
    "books": (0, 0, 0),
    "cases": ["LATE_FAILURE"],
    "told": (1, 1, 0),
}


def test_every_order_in_which_it_is_told_ends_the_same(world: World) -> None:
    for number, order in enumerate(itertools.permutations(range(4))):
        payment = world.payment()
        written = bodies(world, payment)
        names = [list(written)[place] for place in order]
        for name in names:
            world.deliver(written[name])
            if number % 2:
                # Else all of them are applied together, as they are under load.
                worker.work_until_idle()
        world.deliver(written[names[number % 4]])
        worker.work_until_idle()
        now = stands(world, payment)
        shared = ("payment", "amounts", "order", "books")
        assert {key: now[key] for key in shared} == {key: GONE[key] for key in shared}, names
    assert (told("payment.succeeded"), told("payment.reversed")) == (24, 24)
    assert cases() == ["LATE_FAILURE"] * 24
    assert_proved()


@pytest.mark.parametrize("dropped", ["processing", "charge.succeeded"])
def test_one_that_is_never_told_changes_nothing(world: World, dropped: str) -> None:
    payment = world.payment()
    for name, body in bodies(world, payment).items():
        if name != dropped:
            world.deliver_and_apply(body)
    assert stands(world, payment) == GONE
    assert_proved()


def test_debit_that_only_failed_takes_nothing_back_of_one_that_was_paid(world: World) -> None:
    payment = world.payment()
    failed = debit(payment, "py_0", status="failed", failure_code="insufficient_funds")
    said = bodies(world, payment)
    world.deliver_and_apply(said["charge.succeeded"])
    world.deliver_and_apply(said["succeeded"])
    world.deliver_and_apply(world._signed_body("charge.failed", failed, None))
    now = world.read(payment)
    assert (now.status, now.reversed_minor, cases()) == ("completed", 0, [])
    card = debit(payment) | {"id": "ch_9", "status": "failed"}
    world.deliver_and_apply(world._signed_body("charge.failed", card, None))
    assert (world.read(payment).reversed_minor, cases()) == (0, [])
    assert_proved()


def test_what_was_given_back_before_is_a_loss_and_nothing_more_is_given_back(
    world: World, sue: Actor
) -> None:
    payment = world.payment()
    said = bodies(world, payment)
    for name in ("processing", "charge.succeeded", "succeeded"):
        world.deliver_and_apply(said[name])
    ask(world.read(payment), 500, sue)
    send_all()
    world.deliver_and_apply(said["charge.failed"])
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.reversed_minor) == ("failed", 500, 2_500)
    assert balances(payment) == (0, -500, 0)
    with database.reading() as session:
        assert ledger.balance(session, "reversals:lost", "EUR/2") == 500
        (reason,) = release_holds.reasons(session, str(payment.order_id))
        assert reason == "25.00 EUR of it was taken back after it was final."
    with pytest.raises(AppError) as refused:
        ask(now, 1, sue)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert_proved()


def test_order_may_be_paid_again_by_an_attempt_that_supersedes_it(world: World) -> None:
    payment = world.payment()
    for body in bodies(world, payment).values():
        world.deliver_and_apply(body)
    with database.transaction() as session:
        begun = reattempting.begin(session, payment.id, actor=world.bo, source="test")
        assert (begun.payment.supersedes_id, begun.payment.amount_minor) == (payment.id, 2_500)
    assert world.read(payment).superseded_by_id is not None


def test_late_money_of_an_ended_attempt_is_taken_back_from_where_it_lies(world: World) -> None:
    payment = world.payment()
    said = bodies(world, payment)
    world.deliver_and_apply(
        world.event("payment_intent.canceled", payment, status="canceled", at=clock.unix() - 900)
    )
    for name in ("succeeded", "charge.failed"):
        world.deliver_and_apply(said[name])
    now = world.read(payment)
    assert (now.status, now.reversed_minor, cases()) == (
        *("cancelled", 2_500),
        ["LATE_FAILURE", "PAID_LATE"],
    )
    with database.reading() as session:
        assert ledger.balance(session, f"payment:{payment.id}:unapplied", "EUR/2") == 0
    assert_proved()


def test_intent_that_is_asked_for_tells_of_it_too() -> None:
    subject = {
        "id": "pi_1",
        "status": "succeeded",
        "amount": 2_500,
        "amount_received": 2_500,
        "currency": "eur",
        "latest_charge": {"id": "py_1", "status": "failed", "amount": 2_500, "currency": "eur"},
    }
    said = reading.read_intent(subject, said_at=clock.now())  # type: ignore[arg-type]
    assert [each.fact.kind for each in said.facts] == ["succeeded", "charge_paid", "charge_failed"]

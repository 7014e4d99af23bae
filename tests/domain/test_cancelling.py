"""A cancel whose answer is lost: whatever the provider made of it is found out, and late money is no surprise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import Conflict, ProviderUnknown
from domain import database
from domain.actors import Actor
from domain.jobs import janitor
from models.operations import Operation
from models.payments import Payment
from tests.domain.holds import cancel, capture, held, look_again, look_at, lost
from tests.domain.refunding import assert_proved, balances, cases, told
from tests.domain.world import World


def cancels(payment: Payment) -> list[str]:
    with database.reading() as session:
        statement = select(Operation.state).where(
            Operation.payment_id == payment.id, Operation.kind == "cancel"
        )
        return list(session.scalars(statement.order_by(Operation.created_at)))


def test_hold_is_given_up_and_nothing_is_booked(world: World, fin: Actor) -> None:
    payment = held(world)
    assert (done := cancel(payment, fin)) is not None
    now = world.read(payment)
    assert (done.state, now.status, now.capturable_minor) == ("succeeded", "cancelled", 0)
    assert (now.hold_ends_at, balances(payment), cases()) == (None, (0, 0, 0), [])
    assert cancel(payment, fin) is None
    assert told("payment.cancelled") == 1
    assert_proved()


@pytest.mark.parametrize("is_held", [False, True])
def test_lost_cancel_that_was_done_is_found_out_without_asking_for_it_again(
    world: World, fin: Actor, is_held: bool
) -> None:
    payment = held(world) if is_held else world.payment()
    world.rail.script = [lost(ProviderUnknown())]
    assert (waiting := cancel(payment, fin)) is not None
    assert waiting.state == "unknown"
    assert world.read(payment).status == ("processing" if is_held else "pending")
    look_again()
    assert (world.read(payment).status, cancels(payment)) == ("cancelled", ["succeeded"])
    assert world.rail.asked.count("cancel") == 1
    assert_proved()


def test_payer_who_was_faster_than_a_lost_cancel_has_paid(world: World, fin: Actor) -> None:
    payment = world.payment()
    world.rail.script = [ProviderUnknown()]
    cancel(payment, fin)
    assert world.read(payment).sub_state == "unknown_outcome"
    world.deliver_and_apply(world.paid(payment))
    now = world.read(payment)
    assert (now.status, now.sub_state, now.received_minor) == ("completed", "none", 2_500)
    look_again()
    assert (world.read(payment).status, cancels(payment)) == ("completed", ["failed"])
    assert (balances(payment), cases()) == ((-2_500, 2_500, 0), [])
    assert_proved()


def test_payer_who_paid_in_the_moment_of_the_cancel_has_paid_late(world: World, fin: Actor) -> None:
    payment = world.payment()
    cancel(payment, fin)
    world.deliver_and_apply(world.paid(payment))
    now = world.read(payment)
    assert (now.status, now.received_minor, cases()) == ("cancelled", 2_500, ["PAID_LATE"])
    assert_proved()


def test_second_press_while_the_first_has_no_outcome_makes_no_second_cancel(
    world: World, fin: Actor
) -> None:
    payment = world.payment()
    # The first is refused, so a second one is made; both its answers are lost, and it is asked again.
    world.rail.intents[str(payment.provider_reference)]["status"] = "succeeded"
    assert cancel(payment, fin).state == "failed"  # type: ignore[union-attr]
    world.rail.intents[str(payment.provider_reference)]["status"] = "requires_payment_method"
    world.rail.script = [ProviderUnknown(), ProviderUnknown()]
    first, second = cancel(payment, fin), cancel(payment, fin)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert cancels(payment) == ["failed", "unknown"]


def test_refused_cancel_gives_the_payer_their_page_back(world: World, fin: Actor) -> None:
    payment = world.payment()
    world.rail.script = [ProviderUnknown()]
    cancel(payment, fin)
    assert world.read(payment).sub_state == "unknown_outcome"
    record = world.rail.intents[str(payment.provider_reference)]
    record["status"] = "succeeded"
    look_again()
    now = world.read(payment)
    assert (now.status, now.sub_state) == ("pending", "requires_payment_method")
    assert now.check_due_at is not None
    assert now.check_due_at <= clock.now()
    record["amount_received"] = 2_500
    look_at(payment)
    assert world.read(payment).status == "completed"
    assert_proved()


def test_capture_that_was_done_shows_after_its_key_is_forgotten(world: World, fin: Actor) -> None:
    payment = held(world)
    world.rail.script = [lost(ProviderUnknown())]
    capture(payment, 2_000, fin)
    world.rail.captured.clear()
    with database.transaction() as session:
        row = session.scalars(select(Operation).where(Operation.kind == "capture")).one()
        row.created_at = clock.now() - timedelta(days=2)
    look_again()
    now = world.read(payment)
    assert (now.status, now.received_minor, cases()) == ("completed", 2_000, [])
    assert world.rail.asked.count("capture") == 1
    assert_proved()


def test_hold_that_waits_for_us_is_not_called_stuck(world: World) -> None:
    payment = held(world)
    with database.transaction() as session:
        session.get_one(Payment, payment.id).updated_at = clock.now() - timedelta(days=4)
    janitor._tell_stuck(world.read(payment))
    assert cases() == []


def test_attempt_whose_time_is_being_ended_is_not_cancelled_beside_it(
    world: World, fin: Actor
) -> None:
    payment = world.payment()
    world.rail.script = [ProviderUnknown()]
    janitor.expire(payment)
    with pytest.raises(Conflict) as refused:
        cancel(payment, fin)
    assert refused.value.message.startswith("It is being ended")
    look_again()
    assert world.read(payment).failure_reason == "expired"
    assert_proved()

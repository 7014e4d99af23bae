"""A refund is sent once, whatever is lost on the way, and never while a freeze holds it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import select

from core import clock
from core.errors import (
    Frozen,
    ProviderRefused,
    ProviderUnknown,
)
from core.states import Freeze as FreezeState
from core.states import Operation as OperationState
from domain import database
from domain.actors import Actor
from domain.control import freezes
from domain.transitions import Why
from models.control import Freeze
from models.operations import Operation
from tests.domain.refunding import (
    agree,
    ask,
    assert_proved,
    cases,
    freeze,
    make_due,
    one,
    paid,
    send_all,
    told,
)
from tests.domain.world import World


def test_a_hundred_lost_answers_make_no_second_refund(world: World, sue: Actor) -> None:
    payment = paid(world, 20_000)
    asked = [ask(payment, 100 + no, sue) for no in range(100)]
    lost = ProviderUnknown()
    lost.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [lost] * 100
    send_all()
    assert {one(refund).state for refund in asked} == {"unknown"}
    assert world.read(payment).status == "completed"
    make_due()
    send_all()
    assert {one(refund).state for refund in asked} == {"succeeded"}
    amounts = sorted(int(str(found["amount"])) for found in world.rail.refunds.values())
    assert amounts == sorted(refund.amount_minor for refund in asked)
    assert world.rail.asked.count("refund") == 100
    assert_proved()


def test_call_that_never_arrived_is_made_again_under_the_same_key(world: World, sue: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderUnknown()]
    send_all()
    assert one(refund).state == "unknown"
    make_due()
    send_all()
    assert one(refund).state == "succeeded"
    assert len(world.rail.refunds) == len(world.rail.refund_keys) == 1
    assert world.rail.asked.count("refund") == 2


def test_after_the_key_has_expired_only_absence_seen_twice_ends_a_refund(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderUnknown()]
    send_all()
    make_due(sent_at=clock.after(-24 * 3600))
    send_all()
    assert one(refund).state == "unknown"
    make_due()
    send_all()
    assert (one(refund).state, one(refund).failure_reason) == ("failed", "never_created")
    assert world.rail.asked.count("refund") == 1
    assert world.read(payment).refunding_minor == 0
    assert cases() == ["REFUND_FAILED"]
    assert_proved()


def test_refusal_of_the_provider_ends_the_refund_with_a_case(world: World, sue: Actor) -> None:
    payment = paid(world)
    refund = ask(payment, 500, sue)
    world.rail.script = [ProviderRefused("The balance does not suffice.")]
    send_all()
    assert one(refund).state == "failed"
    assert world.read(payment).refunding_minor == 0
    assert cases() == ["REFUND_FAILED"]
    assert told("refund.failed") == 1
    assert_proved()


@pytest.mark.parametrize("scope", ["all", "rail", "merchant", "order"])
def test_freeze_between_agreement_and_sending_holds_it_and_its_end_lets_it_go(
    world: World, fin: Actor, flo: Actor, scope: str
) -> None:
    payment = paid(world, 100_000)
    refund = ask(payment, 90_000, fin)
    agree(refund, flo)
    names = {"all": "", "rail": "card", "merchant": payment.merchant_id, "order": payment.order_id}
    freeze_id = freeze(scope, str(names[scope]))
    send_all()
    assert one(refund).state == "pending"
    assert "refund" not in world.rail.asked
    with pytest.raises(Frozen):
        ask(payment, 100, fin)
    with database.transaction() as session:
        row = freezes.lock(session, freeze_id)
        freezes.end(session, row, to=FreezeState.LIFTED, why=Why(fin, "test"))
    send_all()
    assert one(refund).state == "succeeded"


def test_under_a_freeze_what_may_have_been_sent_is_looked_for_and_not_sent_again(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    lost, gone = ask(payment, 500, sue), ask(payment, 600, sue)
    happened = ProviderUnknown()
    happened.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    world.rail.script = [happened, ProviderUnknown()]
    send_all()
    assert {one(lost).state, one(gone).state} == {"unknown"}
    freeze("all", "")
    make_due()
    send_all()
    assert (one(lost).state, one(gone).state) == ("succeeded", "unknown")
    assert world.rail.asked.count("refund") == 2


def test_freeze_of_something_else_holds_nothing(world: World, sue: Actor) -> None:
    payment, other = paid(world), paid(world)
    refund = ask(payment, 500, sue)
    freeze("order", str(other.order_id))
    send_all()
    assert one(refund).state == "succeeded"


def _that_left() -> set[str]:
    left = Operation.state != OperationState.PREPARED.value
    with database.reading() as session:
        return set(session.scalars(select(Operation.id).where(Operation.kind == "refund", left)))


def test_nobody_passes_the_gate_after_a_freeze_and_whoever_is_past_it_goes_on(
    world: World, sue: Actor
) -> None:
    payment = paid(world, 20_000)
    asked = [ask(payment, 100, sue) for _ in range(40)]
    answers, give_back = threading.Semaphore(10), world.rail.refund

    def slowly(*args: Any, **named: Any) -> Any:
        answers.acquire()
        return give_back(*args, **named)

    world.rail.refund = slowly  # type: ignore[method-assign]  # answers ten, then holds its callers
    senders = [threading.Thread(target=send_all) for _ in range(3)]
    for thread in senders:
        thread.start()
    while len(_that_left()) < 13:
        time.sleep(0.001)
    freeze("all", "")
    past = _that_left()
    answers.release(len(asked))
    for thread in senders:
        thread.join()
    assert _that_left() == past
    assert [one(refund).state for refund in asked].count("succeeded") == len(past) == 13
    with database.transaction() as session:
        for freeze_id in session.scalars(select(Freeze.id)).all():
            row = freezes.lock(session, freeze_id)
            freezes.end(session, row, to=FreezeState.LIFTED, why=Why(sue, "test"))
    send_all()
    assert {one(refund).state for refund in asked} == {"succeeded"}
    assert_proved()

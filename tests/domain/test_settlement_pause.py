"""While settlement is paused nothing is settled by itself; what comes in is kept, and drains once after."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from core import clock
from core.errors import ProviderUnknown
from core.states import Role
from domain import database
from domain.control import controls, settling
from domain.inbox import replays
from domain.jobs import inbound, janitor, overdue, worker
from domain.payments import asking, intents, operations
from domain.transitions import Why
from models.inbound import InboundAttempt, InboundEvent
from models.ledger import JournalEntry
from models.operations import Operation
from models.payments import Payment
from tests.domain import world as worlds
from tests.domain.world import World, actor
from tests.rig.process import Running

FIN = actor("usr_fin", Role.FINANCE)
WHY = Why(FIN, "user:usr_fin", "the bank's file is late")


def pause(*, on: bool = True, hours: float | None = None) -> None:
    until = clock.now() + timedelta(hours=hours) if hours is not None else None
    with database.transaction() as session:
        controls.put(session, controls.SETTLEMENT_PAUSE, {"on": on}, until=until, why=WHY)


def count(model: type[InboundAttempt | JournalEntry]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def event(inbound_id: str) -> InboundEvent:
    with database.reading() as session:
        return session.get_one(InboundEvent, inbound_id)


def test_what_comes_in_is_kept_and_drains_once_when_the_pause_ends(world: World) -> None:
    payments = [world.payment() for _ in range(5)]
    pause()
    received = [world.deliver(world.paid(payment)) for payment in payments]
    copies = [world.deliver(world.paid(payments[0]))]
    assert all(each.inbound_id for each in received + copies)
    assert worker.work_until_idle() == 0
    assert {world.read(payment).status for payment in payments} == {"pending"}
    assert (count(InboundAttempt), count(JournalEntry)) == (0, 0)
    pause(on=False)
    assert worker.work_until_idle() == 6
    assert {world.read(payment).status for payment in payments} == {"completed"}
    assert count(JournalEntry) == 5
    assert worker.work_until_idle() == 0


def test_its_time_ends_it_by_itself(world: World) -> None:
    payment = world.payment()
    world.deliver(world.paid(payment))
    pause(hours=1)
    assert worker.work_until_idle() == 0
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert worker.work_until_idle() == 1
        assert overdue.end_overdue()
    assert world.read(payment).status == "completed"


def test_a_person_still_replays_and_asks_by_hand(world: World) -> None:
    first, second = world.payment(), world.payment()
    pause()
    received = world.deliver(world.paid(first))
    replays.replay(received.inbound_id, actor=FIN, reason="the buyer is on the phone")
    assert world.read(first).status == "completed"
    world.paid(second)
    assert asking.ask(second.id, actor=FIN, source="user:usr_fin").changed
    assert world.read(second).status == "completed"
    pause(on=False)
    worker.work_until_idle()
    assert count(JournalEntry) == 2


def test_people_still_begin_payments(world: World) -> None:
    pause()
    _, payment = world.begin(world.order())
    assert payment.provider_reference is not None


def test_the_janitor_neither_asks_nor_ends_anything(world: World) -> None:
    payment = world.payment()
    world.paid(payment)
    pause()
    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        asked = list(world.rail.asked)
        assert not janitor.check_payment()
        assert not janitor.finish_operation()
        assert world.rail.asked == asked
        assert world.read(payment).status == "pending"
        pause(on=False)
        assert janitor.check_payment()
    assert world.read(payment).status == "completed"


def test_a_pause_that_comes_while_the_janitor_asks_is_heeded_and_the_payment_stays_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    world.paid(payment)
    fetch = world.rail.fetch

    def fetch_while_somebody_pauses(reference: str) -> object:
        pause()
        return fetch(reference)

    monkeypatch.setattr(world.rail, "fetch", fetch_while_somebody_pauses)
    with time_machine.travel(clock.now() + timedelta(minutes=10), tick=False):
        assert janitor.check_payment()
        assert world.read(payment).status == "pending"
        monkeypatch.undo()
        pause(on=False)
        # It is due at once, not at the next of the growing intervals.
        assert janitor.check_payment()
        assert world.read(payment).status == "completed"


def test_an_outcome_nobody_knows_waits_and_is_found_after(world: World) -> None:
    world.rail.script.append(ProviderUnknown("lost"))
    order = world.order()
    with database.transaction() as session:
        wanted = intents.PaymentWanted(order.id, purpose="deposit")
        begun = intents.begin(session, wanted, actor=world.bo, source="test")
    assert begun.fence is not None
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=world.bo)
    with database.transaction() as session:
        operations.settle(session, outcome)
    pause()
    late = replace(outcome, actor=janitor.JANITOR)
    with pytest.raises(settling.Paused), database.transaction() as session:
        operations.settle(session, late)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        assert not janitor.finish_operation()
        pause(on=False)
        assert janitor.finish_operation()
    with database.reading() as session:
        stored = session.get_one(Operation, outcome.operation_id)
        assert stored.state == "succeeded"
        assert session.get_one(Payment, outcome.payment_id).provider_reference is not None


def test_the_pause_waits_for_the_batch_that_is_being_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `put` has committed no event is applied: what had begun has committed before."""
    payment = world.payment()
    received = world.deliver(world.paid(payment))
    inside, order = threading.Event(), list[str]()
    apply_all = inbound._apply_all

    def slowly(*args: object) -> object:
        inside.set()
        assert not paused.wait(0.4)
        done = apply_all(*args)  # type: ignore[arg-type]
        order.append("applied")
        return done

    paused = threading.Event()

    def stop() -> None:
        assert inside.wait(10)
        pause()
        order.append("paused")
        paused.set()

    monkeypatch.setattr(inbound, "_apply_all", slowly)
    thread = threading.Thread(target=stop)
    thread.start()
    assert inbound.apply_next() == 1
    thread.join(timeout=30)
    assert order == ["applied", "paused"]
    assert event(received.inbound_id).state == "processed"


def test_a_running_worker_stops_and_goes_on(
    world: World, database_url: str, start_worker: Callable[..., Running]
) -> None:
    payments = [world.payment() for _ in range(3)]
    start_worker(
        database_url,
        STRIPE_SECRET_KEY="sk_test_world",
        STRIPE_WEBHOOK_SECRET=worlds.WEBHOOK_SECRET,
    )
    _await(world.deliver(world.paid(payments[0])).inbound_id, "processed")
    pause()
    held = [world.deliver(world.paid(payment)).inbound_id for payment in payments[1:]]
    # Longer than the tick after which a worker looks whatever woke it or not.
    threading.Event().wait(1.5)
    assert [event(each).state for each in held] == ["received", "received"]
    pause(on=False)
    for each in held:
        _await(each, "processed")
    assert count(JournalEntry) == 3


def _await(inbound_id: str, state: str) -> None:
    for _ in range(600):
        if event(inbound_id).state == state:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{inbound_id} is {event(inbound_id).state}, not {state}")

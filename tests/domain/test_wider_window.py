"""While a notice of a late rail is open we wait longer before we give up by ourselves; without it nothing changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import ProviderUnknown
from domain import database
from domain.actors import Actor
from domain.delays import windows
from domain.inbox import inbox
from domain.jobs import janitor, refunding, worker
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment
from tests.domain.delaying import change, due, late, over, payment_of
from tests.domain.refunding import ask, one, paid, send_all
from tests.domain.refunding import make_due as make_all_due
from tests.domain.world import World


def cases() -> list[str]:
    with database.reading() as session:
        found = select(ExceptionCase.kind).order_by(ExceptionCase.opened_at)
        return list(session.scalars(found))


def event(inbound_id: str) -> InboundEvent:
    with database.reading() as session:
        return session.get_one(InboundEvent, inbound_id)


def stray(world: World) -> str:
    """Deliver an event about a payment that is not ours, tried as often as it ever is."""
    payment = world.payment()
    body = (
        world.paid(payment)
        .replace(str(payment.provider_reference).encode(), b"pi_of_nobody")
        .replace(payment.id.encode(), b"pay_of_nobody")
    )
    inbound_id = world.deliver(body).inbound_id
    worker.work_until_idle()
    make_due(inbound_id, attempts=len(inbox.UNMATCHED_SECONDS))
    return inbound_id


def make_due(inbound_id: str, **values: object) -> None:
    with database.transaction() as session:
        row = session.get_one(InboundEvent, inbound_id)
        for name, value in (values | {"due_at": clock.now()}).items():
            setattr(row, name, value)


def test_window_is_the_widest_of_what_is_open_for_the_provider(world: World) -> None:
    def hours() -> int | None:
        with database.reading() as session:
            return windows.hours(session, "stripe")

    assert hours() is None
    silent = late(world.fin, retry_window_hours=None)
    assert hours() is None
    over(silent, world.fin)
    wide = late(world.fin, retry_window_hours=72)
    late(world.fin, provider="stripe", retry_window_hours=5)
    assert hours() == 72
    over(wide, world.fin)
    assert hours() == 5


def test_unmatched_event_waits_for_its_rail_and_then_for_a_person(world: World) -> None:
    notice = late(world.fin)
    inbound_id = stray(world)
    worker.work_until_idle()
    row = event(inbound_id)
    assert (row.state, cases()) == ("unmatched", [])
    assert row.due_at < clock.after(2 * inbox.LATE_SECONDS)
    # The notice is not over, but the window is.
    make_due(inbound_id, received_at=clock.now() - timedelta(hours=49))
    worker.work_until_idle()
    assert cases() == ["UNMATCHED"]
    assert notice.closed_at is None


def test_unmatched_event_is_a_case_at_its_usual_time_without_a_notice(world: World) -> None:
    stray(world)
    worker.work_until_idle()
    assert cases() == ["UNMATCHED"]


def test_closing_the_notice_has_what_waited_tried_at_once(world: World) -> None:
    notice = late(world.fin)
    inbound_id = stray(world)
    worker.work_until_idle()
    over(notice, world.fin)
    assert event(inbound_id).due_at <= clock.now()
    worker.work_until_idle()
    assert cases() == ["UNMATCHED"]


@pytest.mark.parametrize("is_late", [True, False])
def test_failing_event_dies_later_on_a_late_rail(world: World, is_late: bool) -> None:
    if is_late:
        late(world.fin)
    inbound_id = world.deliver(world.paid(world.payment())).inbound_id
    with database.transaction() as session:
        row = session.get_one(InboundEvent, inbound_id)
        row.attempts = inbox.MOST_ATTEMPTS - 1
        inbox.fail(session, row, "it broke", why=inbox.by_worker(row))
    row = event(inbound_id)
    assert (row.state, cases()) == (("failed", []) if is_late else ("dead", ["DEAD_LETTER"]))
    assert (row.due_at > clock.now()) == is_late


@pytest.mark.parametrize("is_late", [True, False])
def test_open_payment_is_not_given_up_while_its_rail_is_late(world: World, is_late: bool) -> None:
    notice = late(world.fin) if is_late else None
    payment = payment_of(due(world))
    past = clock.now() - timedelta(minutes=1)
    change(Payment, payment.id, expires_at=past, check_due_at=past)
    janitor.check_payment()
    now = world.read(payment)
    if notice is None:
        assert now.failure_reason == "expired"
        return
    assert (now.status, now.check_due_at is not None) == ("pending", True)
    assert now.check_due_at > clock.now()  # type: ignore[operator]
    # Its money still counts as that of this attempt, and once the notice is closed its time is over.
    over(notice, world.fin)
    change(Payment, payment.id, check_due_at=past)
    janitor.check_payment()
    assert world.read(payment).failure_reason == "expired"


def test_open_payment_is_given_up_once_the_window_has_passed(world: World) -> None:
    late(world.fin)
    payment = payment_of(due(world))
    long_past = clock.now() - timedelta(hours=49)
    change(Payment, payment.id, expires_at=long_past, check_due_at=clock.now())
    janitor.check_payment()
    assert world.read(payment).failure_reason == "expired"


def lost(world: World) -> Operation:
    """Begin a payment whose creation never reached the provider, longer ago than its key is remembered."""
    world.rail.script = [ProviderUnknown()]
    operation, _ = world.begin(world.order())
    with database.transaction() as session:
        row = session.get_one(Operation, operation.id)
        row.created_at = clock.now() - timedelta(hours=30)
        row.attempts = janitor.UNKNOWN_CASE_ATTEMPTS
        row.due_at, row.lease_until = clock.now(), None
    return operation


def look_again(operation: Operation) -> Operation:
    for _ in range(3):
        with database.transaction() as session:
            row = session.get_one(Operation, operation.id)
            row.due_at, row.lease_until = clock.now(), None
        janitor.finish_operation()
    with database.reading() as session:
        return session.get_one(Operation, operation.id)


def test_absence_at_a_late_rail_proves_nothing_and_calls_nobody(world: World) -> None:
    notice = late(world.fin)
    operation = lost(world)
    again = look_again(operation)
    assert (again.state, cases()) == ("unknown", [])
    assert again.attempts > janitor.UNKNOWN_CASE_ATTEMPTS
    over(notice, world.fin)
    assert look_again(operation).state == "failed"


def test_refund_that_cannot_be_found_at_a_late_rail_is_looked_for_again(
    world: World, sue: Actor
) -> None:
    refund = ask(paid(world), 500, sue)
    world.rail.script = [ProviderUnknown()]
    send_all()
    notice = late(world.fin)

    def look() -> str:
        long_ago = clock.now() - timedelta(hours=30)
        make_all_due(sent_at=long_ago, created_at=long_ago)
        refunding.send_next()
        return one(refund).state

    assert [look() for _ in range(3)] == ["unknown"] * 3
    over(notice, world.fin)
    assert [look() for _ in range(2)] == ["unknown", "failed"]
    assert world.rail.refunds == {}


@pytest.mark.parametrize("is_late", [True, False])
def test_money_on_its_way_is_called_stuck_later_on_a_late_rail(world: World, is_late: bool) -> None:
    if is_late:
        late(world.fin, retry_window_hours=200)
    payment = world.payment()
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    change(Payment, payment.id, updated_at=clock.now() - timedelta(days=4))
    janitor._tell_stuck(world.read(payment))
    assert cases() == ([] if is_late else ["STUCK_PAID"])

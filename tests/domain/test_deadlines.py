"""Deposit deadlines move later, in bulk or one by one, with the payment's end; and go back where nothing changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from domain import database
from domain.delays import deadlines, extensions
from domain.delays.deadlines import Step, Wanted, WhyNot
from models.audit import AuditRow
from models.delays import DeadlineExtension
from models.events import EventLog
from models.orders import Order
from models.payments import Payment
from tests.domain.delaying import (
    again,
    change,
    due,
    due_at,
    extend,
    field_of,
    hence,
    payment_of,
    undo,
    why,
)
from tests.domain.world import World

DAY = timedelta(hours=24)


def planned(wanted: Wanted) -> list[Step]:
    with database.reading() as session:
        return deadlines.preview(session, wanted)


def events_of(order: Order) -> list[tuple[object, object]]:
    with database.reading() as session:
        found = select(EventLog).where(
            EventLog.type == "order.deadline_extended", EventLog.order_id == order.id
        )
        rows = session.scalars(found.order_by(EventLog.sequence)).all()
    return [(row.body["previousDueAt"], row.body["depositDueAt"]) for row in rows]


def test_extension_moves_deadline_and_payment_and_tells_of_each(world: World) -> None:
    orders = [due(world, 3), due(world, 5)]
    ends = [due_at(order) for order in orders]
    assert [payment_of(order).expires_at for order in orders] == ends
    done = extend(orders, world.fin)
    assert [each.order_id for each in done.moved] == [order.id for order in orders]
    for order, end in zip(orders, ends, strict=True):
        now = again(order)
        assert now.deposit_due_at == payment_of(order).expires_at == end + DAY
        assert now.event_sequence == order.event_sequence + 1
        assert events_of(order) == [(clock.rfc3339(end), clock.rfc3339(end + DAY))]
    with database.reading() as session:
        written = session.scalars(select(AuditRow.action).where(AuditRow.actor == world.fin.id))
        assert sorted(written) == ["deadline.extend", *["order.extend_deadline"] * 2]


def test_preview_shows_the_same_and_changes_nothing(world: World) -> None:
    orders = [due(world, 3), due(world, 5)]
    [first, second] = planned(Wanted(24, [order.id for order in orders]))
    assert [again(order).deposit_due_at for order in orders] == [first.from_at, second.from_at]
    done = extend(orders, world.fin)
    assert [(each.from_at, each.to_at) for each in done.orders] == [
        (first.from_at, first.to_at),
        (second.from_at, second.to_at),
    ]


def test_filter_finds_orders_by_the_rail_of_their_open_payment_and_when_they_are_due(
    world: World,
) -> None:
    soon, later, unpaid = due(world, 3), due(world, 30), due(world, 4, pays=False)
    paid = due(world, 3)
    world.deliver_and_apply(world.paid(payment_of(paid)))
    wanted = Wanted(24, rail="card", due_before=hence(10))
    assert [step.order_id for step in planned(wanted)] == [soon.id]
    wider = Wanted(24, rail="card", due_before=hence(40))
    assert [step.order_id for step in planned(wider)] == [soon.id, later.id]
    assert unpaid.id not in {step.order_id for step in planned(wider)}


def test_what_cannot_be_extended_is_left_alone_and_says_why(world: World) -> None:
    good, endless = due(world), world.order()
    paid, long_past = due(world), due(world, pays=False)
    world.deliver_and_apply(world.paid(payment_of(paid)))
    change(Order, long_past.id, deposit_due_at=clock.now() - timedelta(days=3))
    wanted = Wanted(24, [good.id, endless.id, paid.id, long_past.id, "ord_none"])
    assert [step.why_not for step in planned(wanted)] == [
        None,
        WhyNot.NO_DEADLINE,
        WhyNot.NOT_AWAITING,
        WhyNot.STILL_PAST,
        WhyNot.NOT_FOUND,
    ]
    with database.transaction() as session:
        done = extensions.extend(session, wanted, why=why(world.fin))
    assert [each.order_id for each in done.moved] == [good.id]
    assert {each.order_id: each.why_not for each in done.skipped} == {
        endless.id: "no_deadline",
        paid.id: "not_awaiting",
        long_past.id: "still_past",
    }
    assert events_of(paid) == []


def test_an_act_that_moves_nothing_is_refused_and_leaves_no_trace(world: World) -> None:
    order = world.order()
    with pytest.raises(Conflict) as refused:
        extend([order], world.fin)
    assert refused.value.details["skipped"] == [{"orderId": order.id, "why": "no_deadline"}]
    with database.reading() as session:
        assert session.scalars(select(DeadlineExtension)).all() == []


def test_payment_whose_end_the_provider_knows_keeps_it(world: World) -> None:
    order = due(world)
    payment = payment_of(order)
    change(Payment, payment.id, method="checkout")
    extend([order], world.fin)
    assert payment_of(order).expires_at == payment.expires_at
    assert due_at(again(order)) == due_at(order) + DAY


def test_payment_stays_open_as_much_longer_but_never_beyond_the_deadline(world: World) -> None:
    far, near, beyond = due(world, 100), due(world, 30), due(world, 3)
    # It ends a day after it began, long before its order is due.
    ends = [payment_of(order).expires_at for order in (far, near)]
    longer = hence(50)
    change(Payment, payment_of(beyond).id, expires_at=longer)
    extend([far, near, beyond], world.fin)
    assert payment_of(far).expires_at == ends[0] + DAY  # type: ignore[operator]
    assert payment_of(near).expires_at == ends[1] + DAY  # type: ignore[operator]
    # What is open for longer than the new deadline already is not moved.
    assert payment_of(beyond).expires_at == longer


def test_same_reference_again_is_the_same_act_and_another_act_is_refused(world: World) -> None:
    order, other = due(world), due(world)
    first = extend([order], world.fin, reference="bank-late-1")
    again_ = extend([order], world.fin, reference="bank-late-1")
    assert (again_.row.id, len(again_.moved)) == (first.row.id, 1)
    assert len(events_of(order)) == 1
    with pytest.raises(Conflict) as refused:
        extend([other], world.fin, reference="bank-late-1")
    assert refused.value.details["extensionId"] == first.row.id
    assert again(other).deposit_due_at == other.deposit_due_at


def test_undo_puts_deadline_and_payment_back_and_tells_of_it(world: World) -> None:
    order = due(world)
    end = payment_of(order).expires_at
    done = extend([order], world.fin)
    undone = undo(done, world.fin)
    assert [each.why_not for each in undone.moved] == [None]
    assert again(order).deposit_due_at == payment_of(order).expires_at == end
    there, back = events_of(order)
    assert back == there[::-1]
    with pytest.raises(Conflict, match="undone already"):
        undo(done, world.fin)
    assert len(events_of(order)) == 2


def test_undo_leaves_what_changed_since_and_says_why(world: World) -> None:
    still, paid, moved, past = (due(world) for _ in range(4))
    done = extend([still, paid, moved, past], world.fin)
    world.deliver_and_apply(world.paid(payment_of(paid)))
    later = hence(60)
    with database.transaction() as session:
        deadlines.extend_one(session, moved.id, later, why=why(world.fin))
    with database.transaction() as session:
        for row in extensions.orders_of(session, done.row.id):
            if row.order_id == past.id:
                row.from_at = clock.now() - timedelta(minutes=1)
    undone = undo(done, world.fin)
    assert {each.order_id: each.why_not for each in undone.moved} == {
        still.id: None,
        paid.id: "not_awaiting",
        moved.id: "moved_again",
        past.id: "past",
    }
    assert again(moved).deposit_due_at == later
    assert due_at(again(past)) == due_at(past) + DAY


def test_undo_is_open_for_a_day(world: World) -> None:
    order = due(world)
    done = extend([order], world.fin)
    with database.transaction() as session:
        row = session.get_one(DeadlineExtension, done.row.id)
        assert row.undoable_until - row.at >= timedelta(hours=23, minutes=59)
        row.undoable_until = clock.now()
    with pytest.raises(Conflict, match="that day is over"):
        undo(done, world.fin)
    assert len(events_of(order)) == 1


def test_one_order_moves_by_the_same_code(world: World) -> None:
    order = due(world)
    later = due_at(order) + DAY
    for _ in range(2):
        with database.transaction() as session:
            deadlines.extend_one(session, order.id, later, why=why(world.fin))
    assert due_at(again(order)) == payment_of(order).expires_at == later
    assert len(events_of(order)) == 1
    for wrong in (due_at(order), clock.now() - DAY):
        with database.transaction() as session, pytest.raises(InvalidInput):
            deadlines.extend_one(session, order.id, wrong, why=why(world.fin))
    world.deliver_and_apply(world.paid(payment_of(order)))
    with database.transaction() as session, pytest.raises(IllegalTransition):
        deadlines.extend_one(session, order.id, hence(99), why=why(world.fin))
    with database.transaction() as session, pytest.raises(NotFound):
        deadlines.extend_one(session, "ord_none", hence(99), why=why(world.fin))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(0, ["ord_1"]), "extendHours"),
        (Wanted(721, ["ord_1"]), "extendHours"),
        (Wanted(24), "orderIds"),
        (Wanted(24, ["ord_1"], "card", clock.now()), "orderIds"),
        (Wanted(24, rail="pigeon", due_before=clock.now()), "filter.rail"),
        (Wanted(24, rail="card"), "filter.dueBefore"),
        (Wanted(24, [f"ord_{number}" for number in range(501)]), "orderIds"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_field(
    world: World, wanted: Wanted, field: str
) -> None:
    del world
    with pytest.raises(InvalidInput) as refused:
        planned(wanted)
    assert field_of(refused.value) == field

"""Deadlines raced: paid while they move, undone twice, extended twice, expired meanwhile; each ends in one truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Barrier, Thread

from sqlalchemy import select

from core import clock
from core.errors import AppError
from domain import database
from domain.jobs import janitor, worker
from models.events import EventLog
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from tests.domain.delaying import again, change, due, extend, payment_of, undo
from tests.domain.world import World

DAY = timedelta(hours=24)
RACERS = 8


def at_once(acts: Sequence[Callable[[], object]]) -> list[str]:
    """Run acts on threads of their own, released together. Gives how each ended, `done` or an error's code."""
    together, ended = Barrier(len(acts)), [""] * len(acts)

    def run(number: int) -> None:
        together.wait()
        try:
            acts[number]()
            ended[number] = "done"
        except AppError as error:
            ended[number] = error.code

    threads = [Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def told(order: Order) -> int:
    with database.reading() as session:
        found = select(EventLog.id).where(
            EventLog.type == "order.deadline_extended", EventLog.order_id == order.id
        )
        return len(session.scalars(found).all())


def test_undo_pressed_by_many_undoes_once(world: World) -> None:
    order = due(world)
    done = extend([order], world.fin)
    ended = at_once([lambda: undo(done, world.fin)] * RACERS)
    assert sorted(ended) == ["CONFLICT"] * (RACERS - 1) + ["done"]
    assert (again(order).deposit_due_at, told(order)) == (order.deposit_due_at, 2)


def test_extension_sent_by_many_under_one_reference_extends_once(world: World) -> None:
    order = due(world)
    ended = at_once([lambda: extend([order], world.fin, reference="bank-late")] * RACERS)
    assert ended == ["done"] * RACERS
    assert (again(order).deposit_due_at, told(order)) == (order.deposit_due_at + DAY, 1)  # type: ignore[operator]


def test_extensions_of_the_same_orders_add_up_and_never_lock_each_other_out(world: World) -> None:
    orders = [due(world) for _ in range(4)]
    # Named in opposite orders, so that whoever locked as named would wait for the other for ever.
    ways = [orders, orders[::-1]] * 3
    ended = at_once([lambda way=way: extend(way, world.fin, 1) for way in ways])  # type: ignore[misc]
    assert ended == ["done"] * len(ways)
    for order in orders:
        moved = timedelta(hours=len(ways))
        assert (again(order).deposit_due_at, told(order)) == (
            order.deposit_due_at + moved,  # type: ignore[operator]
            len(ways),
        )
        assert payment_of(order).expires_at == again(order).deposit_due_at


def test_orders_that_are_paid_while_they_are_extended_are_one_or_the_other_in_full(
    world: World,
) -> None:
    orders = [due(world) for _ in range(6)]
    for order in orders:
        world.deliver(world.paid(payment_of(order)))
    ended = at_once([worker.work_until_idle, lambda: extend(orders, world.fin)])
    assert ended[0] == "done"
    assert ended[1] in ("done", "CONFLICT")
    # An event that met its payment locked comes again in a moment.
    while any(again(order).status == "awaiting_deposit" for order in orders):
        worker.work_until_idle()
        time.sleep(0.02)
    for order in orders:
        now = again(order)
        assert (now.status, now.paid_minor) == ("deposit_paid", 2_500)
        was_moved = now.deposit_due_at != order.deposit_due_at
        assert told(order) == was_moved
        assert payment_of(order).status == "completed"


def test_payment_that_is_given_more_time_while_it_is_about_to_expire_stays_open(
    world: World,
) -> None:
    order = due(world)
    payment = payment_of(order)
    past = clock.now() - timedelta(minutes=1)
    change(Payment, payment.id, expires_at=past)
    seen = world.read(payment)
    # The janitor has read it as over; before it acts, a person extends the order's deadline.
    extend([order], world.fin)
    assert world.read(payment).expires_at == past + DAY
    janitor.expire(seen)
    assert world.read(payment).status == "pending"
    with database.reading() as session:
        kinds = session.scalars(select(Operation.kind).where(Operation.payment_id == payment.id))
        assert "expire" not in set(kinds)
    change(Payment, payment.id, expires_at=past)
    janitor.expire(world.read(payment))
    assert world.read(payment).failure_reason == "expired"

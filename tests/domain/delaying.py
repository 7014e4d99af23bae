"""Notices about a late rail, and orders whose deadlines are moved, as tests make them."""

from __future__ import annotations

from datetime import datetime, timedelta

from core import clock
from core.errors import InvalidInput
from domain import database
from domain.actors import Actor
from domain.delays import extensions, notices
from domain.delays.deadlines import Wanted
from domain.delays.extensions import Done
from domain.transitions import Why
from models.delays import DelayNotice
from models.orders import Order
from models.payments import Payment
from tests.domain.world import World

TEXT = "Card payments are confirmed late today."


def why(actor: Actor, reason: str = "the provider says so") -> Why:
    return Why(actor, f"user:{actor.id}", reason)


def late(actor: Actor, **more: object) -> DelayNotice:
    """Open a notice about the card rail; 48 hours wide, unless told otherwise."""
    said = {"rail": "card", "kind": "delay", "text": TEXT, "reason": "their status page"}
    wanted = notices.Wanted(**said | {"retry_window_hours": 48} | more)  # type: ignore[arg-type]
    with database.transaction() as session:
        return notices.open_notice(session, wanted, why=why(actor))


def over(notice: DelayNotice, actor: Actor) -> DelayNotice:
    with database.transaction() as session:
        return notices.close_notice(session, notice.id, why=why(actor, "they caught up"))


def hence(hours: int) -> datetime:
    """Give a whole moment, so that both databases keep it alike."""
    return clock.now().replace(microsecond=0) + timedelta(hours=hours)


def due(world: World, hours: int = 3, *, pays: bool = True) -> Order:
    """Make an order whose deposit is due in some hours, with an open payment unless told otherwise."""
    order = world.order(deposit_due_at=hence(hours))
    if pays:
        world.begin(order)
    return order


def extend(orders: list[Order], actor: Actor, hours: int = 24, **more: str) -> Done:
    wanted = Wanted(hours, [order.id for order in orders])
    with database.transaction() as session:
        return extensions.extend(session, wanted, why=why(actor), **more)


def undo(done: Done, actor: Actor) -> Done:
    with database.transaction() as session:
        return extensions.undo(session, done.row.id, why=why(actor, "it came after all"))


def again(order: Order) -> Order:
    """Read an order anew."""
    with database.reading() as session:
        return session.get_one(Order, order.id)


def due_at(order: Order) -> datetime:
    assert order.deposit_due_at is not None
    return order.deposit_due_at


def field_of(error: InvalidInput) -> str:
    """Name the one field that a refusal is about."""
    [found] = error.details["fields"]  # type: ignore[misc, union-attr]
    return str(found["field"])  # type: ignore[index, call-overload]


def payment_of(order: Order) -> Payment:
    """Read the open payment of an order."""
    with database.reading() as session:
        return session.query(Payment).filter_by(order_id=order.id).one()


def change(model: type[Order | Payment], row_id: str, **values: object) -> None:
    """Change a row behind everybody's back."""
    with database.transaction() as session:
        row = session.get_one(model, row_id)
        for name, value in values.items():
            setattr(row, name, value)

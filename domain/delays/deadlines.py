"""Moving the deposit deadlines of orders, one or many in one act, and putting them back; shown before it is done.

With an order's deadline goes the expiry of its open payment, where that is ours to move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import IllegalTransition, InvalidInput, NotFound, invalid
from core.states import ORDER_ON_API
from core.states import Order as Status
from core.states import Payment as PaymentStatus
from core.strictjson import Json
from domain import audit, events
from domain.delays import deadline_moves, notices
from domain.transitions import Why, move_together
from models.orders import Order
from models.payments import Payment

MOST_ORDERS = 500
LONGEST_HOURS = 30 * 24


class WhyNot(StrEnum):
    """Why an order is left as it is."""

    NOT_FOUND = "not_found"
    NO_DEADLINE = "no_deadline"
    NOT_AWAITING = "not_awaiting"
    STILL_PAST = "still_past"
    PAYMENT_BEGAN = "payment_began"
    MOVED_AGAIN = "moved_again"
    PAST = "past"


SENTENCES: Mapping[str, str] = {
    WhyNot.NOT_FOUND: "There is no such order.",
    WhyNot.NO_DEADLINE: "It has no deadline.",
    WhyNot.NOT_AWAITING: "It awaits no deposit any more.",
    WhyNot.STILL_PAST: "It would still be past; extend by more hours.",
    WhyNot.PAYMENT_BEGAN: "A payment of it began at this moment; extend it again.",
    WhyNot.MOVED_AGAIN: "Its deadline was moved again since.",
    WhyNot.PAST: "The deadline it had has passed.",
}


@dataclass(frozen=True)
class Wanted:
    """Which orders, and by how much. Either ids, or the rail of their open payment and a moment they are due before."""

    hours: int
    order_ids: Sequence[str] = ()
    rail: str = ""
    due_before: datetime | None = None

    def stored(self) -> dict[str, Json]:
        """Write it as it is kept, so that the same act is known again."""
        chosen: dict[str, Json] = {"orderIds": list(dict.fromkeys(self.order_ids))}
        if self.rail:
            chosen = {"rail": self.rail, "dueBefore": clock.rfc3339(self.due_before)}
        return chosen | {"extendHours": self.hours}


@dataclass(frozen=True)
class Step:
    """What becomes of one order. to_at: None when it is left as it is, and then why_not says why."""

    order_id: str
    from_at: datetime | None
    to_at: datetime | None
    why_not: WhyNot | None = None
    payment_id: str | None = None
    payment_from_at: datetime | None = None
    payment_to_at: datetime | None = None


@dataclass(frozen=True)
class Rows:
    """Orders with their open payments, as they are; locked when an act is about to change them."""

    orders: Mapping[str, Order]
    payments: Mapping[str, Sequence[Payment]]
    crowded: Collection[str] = ()


def assert_wanted(wanted: Wanted) -> None:
    """Check that an act can be understood: ids or a filter, and hours within bounds.

    Raises: InvalidInput
    """
    if not 1 <= wanted.hours <= LONGEST_HOURS:
        raise invalid("extendHours", f"From 1 to {LONGEST_HOURS} hours.")
    if bool(wanted.order_ids) == bool(wanted.rail or wanted.due_before):
        raise invalid("orderIds", "Name orders, or a filter; one of the two.")
    if not wanted.order_ids:
        notices.assert_rail(wanted.rail, field="filter.rail")
        if wanted.due_before is None:
            raise invalid("filter.dueBefore", "Say before when they are due.")
    if len(set(wanted.order_ids)) > MOST_ORDERS:
        raise _too_many("orderIds")


def _too_many(field: str) -> InvalidInput:
    return invalid(field, f"At most {MOST_ORDERS} orders in one act.", code="too_many")


def chosen(session: Session, wanted: Wanted) -> list[str]:
    """Give the ids of the orders that are meant, in the order in which they are due, or as they were named.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    assert_wanted(wanted)
    if wanted.order_ids:
        return list(dict.fromkeys(wanted.order_ids))
    statement = (
        select(Order.id, Order.deposit_due_at)
        .join(Payment, Payment.order_id == Order.id)
        .where(
            Order.status == Status.AWAITING_DEPOSIT.value,
            Order.deposit_due_at < wanted.due_before,
            Payment.rail == wanted.rail,
            Payment.open_key.is_not(None),
        )
        .distinct()
        .order_by(Order.deposit_due_at, Order.id)
        .limit(MOST_ORDERS + 1)
    )
    found = list(session.scalars(statement))
    if len(found) > MOST_ORDERS:
        raise _too_many("filter.dueBefore")
    return found


def rows_of(session: Session, order_ids: Collection[str], *, locked: bool = False) -> Rows:
    """Load orders and their open payments; locked: payments first and then orders, as everywhere.

    Transaction: caller's.
    """
    held = {row.id for row in _payments(session, order_ids, locked=True)} if locked else set()
    wanted = select(Order).where(Order.id.in_(order_ids)).order_by(Order.id)
    if locked:
        wanted = wanted.with_for_update(key_share=True)
    orders = {
        row.id: row
        for row in session.scalars(wanted.execution_options(populate_existing=True)).all()
    }
    payments: dict[str, list[Payment]] = {}
    crowded = set()
    for row in _payments(session, order_ids):
        payments.setdefault(str(row.order_id), []).append(row)
        if locked and row.id not in held:
            # It began after the payments were locked and before its order was.
            crowded.add(str(row.order_id))
    return Rows(orders, payments, crowded)


def _payments(
    session: Session, order_ids: Collection[str], *, locked: bool = False
) -> Sequence[Payment]:
    statement = (
        select(Payment)
        .where(Payment.order_id.in_(order_ids), Payment.open_key.is_not(None))
        .order_by(Payment.id)
        .execution_options(populate_existing=True)
    )
    if locked:
        statement = statement.with_for_update(key_share=True)
    return session.scalars(statement).all()


def plan(rows: Rows, order_ids: Iterable[str], hours: int) -> list[Step]:
    """Say what becomes of each order when its deadline moves by some hours; changes nothing."""
    return [_step(rows, order_id, timedelta(hours=hours)) for order_id in order_ids]


def _step(rows: Rows, order_id: str, by: timedelta) -> Step:
    order = rows.orders.get(order_id)
    due = order.deposit_due_at if order is not None else None
    found = Step(order_id, due, None)
    if order is None:
        return replace(found, why_not=WhyNot.NOT_FOUND)
    if order.status != Status.AWAITING_DEPOSIT:
        return replace(found, why_not=WhyNot.NOT_AWAITING)
    if due is None:
        return replace(found, why_not=WhyNot.NO_DEADLINE)
    if due + by <= clock.now():
        return replace(found, why_not=WhyNot.STILL_PAST)
    if order_id in rows.crowded:
        return replace(found, why_not=WhyNot.PAYMENT_BEGAN)
    return _with_payment(replace(found, to_at=due + by), rows.payments.get(order_id, ()))


def _with_payment(step: Step, payments: Sequence[Payment]) -> Step:
    """Let the open payment stay open as much longer, at most until the new deadline.

    Only where the end is ours: of a page at the provider it told the provider when it ends, and that stays.
    """
    if step.from_at is None or step.to_at is None:
        return step
    by = step.to_at - step.from_at
    for row in payments:
        end, is_ours = row.expires_at, row.method == "intent"
        is_pending = row.status == PaymentStatus.PENDING and row.purpose == "deposit"
        if end is not None and is_ours and is_pending and end < step.to_at:
            end_at = min(end + by, step.to_at)
            return replace(step, payment_id=row.id, payment_from_at=end, payment_to_at=end_at)
    return step


def preview(session: Session, wanted: Wanted) -> list[Step]:
    """Say what an extension would do to each order, as of now.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    order_ids = chosen(session, wanted)
    return plan(rows_of(session, order_ids), order_ids, wanted.hours)


def carry_out(session: Session, rows: Rows, step: Step, *, why: Why) -> None:
    """Move the deadline of a locked order, and the expiry of its payment.

    Writes: orders, payments, event_log, audit_log. Emits: order.deadline_extended. Transaction: caller's.
    """
    order, now = rows.orders[step.order_id], clock.now()
    values: dict[str, object] = {
        "deposit_due_at": step.to_at,
        "event_sequence": order.event_sequence + 1,
        "updated_at": now,
    }
    move_together(session, order, moves={}, values=values, why=why)
    for payment in rows.payments.get(step.order_id, ()):
        if payment.id == step.payment_id:
            values = {"expires_at": step.payment_to_at, "updated_at": now}
            move_together(session, payment, moves={}, values=values, why=why)
    due, before = clock.rfc3339(step.to_at), clock.rfc3339(step.from_at)
    told = events.row(
        "order.deadline_extended",
        events.about_order(order),
        source=why.source,
        sequence=order.event_sequence,
        status=ORDER_ON_API[Status(order.status)],
        body={"depositDueAt": due, "previousDueAt": before},
    )
    events.append(session, [told])
    audit.write(
        session,
        deadline_moves.ACTION,
        actor=why.actor,
        object_kind="order",
        object_id=order.id,
        source=why.source,
        reason=why.reason,
        before={"depositDueAt": before},
        after={"depositDueAt": due},
    )


def extend_one(session: Session, order_id: str, due_at: datetime, *, why: Why) -> Order:
    """Move the deadline of one order to a later moment; to the one it has already changes nothing.

    Writes, emits: as `carry_out`. Raises: NotFound, InvalidInput, IllegalTransition when it awaits no
    deposit. Transaction: caller's.
    """
    notices.assert_reason(why.reason)
    rows = rows_of(session, [order_id], locked=True)
    order = rows.orders.get(order_id)
    if order is None:
        raise NotFound
    if order.status != Status.AWAITING_DEPOSIT:
        raise IllegalTransition("order", order.status, "extended")
    before = order.deposit_due_at
    if before == due_at:
        return order
    if due_at <= clock.now():
        raise invalid("depositDueAt", "The deposit must be due in the future.")
    if before is None or due_at < before:
        raise invalid("depositDueAt", "A deadline is only ever moved to a later moment.")
    step = _with_payment(Step(order_id, before, due_at), rows.payments.get(order_id, ()))
    carry_out(session, rows, step, why=why)
    return order

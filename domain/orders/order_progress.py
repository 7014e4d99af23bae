"""What money does to its order: funds seen, deposit paid, paid; with the order's own events."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.money import Money, asset
from core.states import ORDER_ON_API, PurchaseRequest
from core.states import Order as Status
from core.states import Payment as PaymentStatus
from core.strictjson import Json
from domain import events
from domain.inbox import workset
from domain.transitions import Why, move_together
from models.orders import Order
from models.payments import Payment, StateChange


def lock_order(session: Session, order_id: str) -> Order:
    """Load an order for change; payments are locked before their order, everywhere.

    Raises: sqlalchemy NoResultFound. Transaction: caller's.
    """
    loaded = workset.of(session).orders.get(order_id)
    if loaded is not None:
        return loaded
    statement = select(Order).where(Order.id == order_id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _body(order: Order) -> dict[str, Json]:
    of = asset(order.asset)
    left = max(0, order.total_minor - order.paid_minor)
    return {
        "paid": Money(order.paid_minor, of).major(),
        "outstanding": Money(left, of).major(),
        "currency": of.code,
        "requestStatus": order.request_status,
    }


def _event(order: Order, kind: str, why: Why) -> dict[str, object]:
    return events.row(
        kind,
        events.about_order(order),
        source=why.source,
        sequence=order.event_sequence,
        status=ORDER_ON_API[Status(order.status)],
        body=_body(order),
        is_replay=why.is_replay,
    )


def detect(session: Session, payment: Payment, *, why: Why) -> list[dict[str, object]]:
    """Note that funds are on their way. Gives the event rows to append.

    Writes: orders.request_status. Transaction: caller's.
    """
    if payment.order_id is None:
        return []
    order = lock_order(session, payment.order_id)
    if order.request_status != PurchaseRequest.OPEN:
        return []
    values: dict[str, object] = {
        "request_status": PurchaseRequest.PAYMENT.value,
        "event_sequence": order.event_sequence + 1,
        "updated_at": clock.now(),
    }
    move_together(session, order, moves={}, values=values, why=why)
    return [_event(order, "order.payment_detected", why)]


def _reached(order: Order, payment: Payment, paid_minor: int) -> Status:
    """Say where an order stands: the deposit's own request brings DepositPaid, the balance Paid."""
    current = Status(order.status)
    if current not in (Status.AWAITING_DEPOSIT, Status.DEPOSIT_PAID):
        return current
    if payment.purpose == "balance" and paid_minor >= order.total_minor:
        return Status.PAID
    wanted = order.total_minor if order.deposit_minor is None else order.deposit_minor
    if current == Status.AWAITING_DEPOSIT and paid_minor >= wanted:
        return Status.DEPOSIT_PAID
    return current


_EVENT = {Status.DEPOSIT_PAID: "order.deposit_paid", Status.PAID: "order.paid"}


def receive(
    session: Session, payment: Payment, gained: Money, *, why: Why
) -> list[dict[str, object]]:
    """Count confirmed money towards the order and advance it. Gives the event rows to append.

    Writes: orders, state_changes. Raises: LostRace. Transaction: caller's.
    """
    if payment.order_id is None:
        return []
    order = lock_order(session, payment.order_id)
    paid_minor = order.paid_minor + gained.minor
    if order.status == Status.REFUNDED:
        # It holds money again, whichever came first: this payment or the refund of the others.
        _unrefund(session, order, why=why)
    to = _reached(order, payment, paid_minor)
    advanced = to != order.status
    values: dict[str, object] = {"paid_minor": paid_minor, "updated_at": clock.now()}
    if advanced:
        values |= {
            "request_status": PurchaseRequest.PROCESSING.value,
            "event_sequence": order.event_sequence + 1,
        }
    move_together(session, order, moves={"order": to.value}, values=values, why=why)
    return [_event(order, _EVENT[to], why)] if advanced else []


def lose(session: Session, payment: Payment, *, why: Why) -> None:
    """Count a payment towards its order no longer: its money was taken back after it had been final.

    Where the order stands is left to people: work may have begun. Writes: orders.
    Transaction: caller's, with the payment locked and still completed.
    """
    if payment.order_id is None:
        return
    order = lock_order(session, payment.order_id)
    paid_minor = order.paid_minor - (payment.received_minor - payment.credited_minor)
    values: dict[str, object] = {"paid_minor": paid_minor, "updated_at": clock.now()}
    move_together(session, order, moves={}, values=values, why=why)


def give_back(session: Session, payment: Payment, *, why: Why) -> list[dict[str, object]]:
    """Move an order to refunded when all that it was paid is back, or off it when some is not after all.

    Gives the event rows to append. Writes: orders, state_changes. Raises: LostRace.
    Transaction: caller's, with nothing kept back.
    """
    if payment.order_id is None:
        return []
    order = lock_order(session, payment.order_id)
    if order.status == Status.REFUNDED:
        if _given_back(session, order) < order.paid_minor:
            _unrefund(session, order, why=why)
        return []
    if not 0 < order.paid_minor <= _given_back(session, order) or not _may_be_refunded(order):
        return []
    values: dict[str, object] = {
        "request_status": PurchaseRequest.REFUNDED.value,
        "event_sequence": order.event_sequence + 1,
        "updated_at": clock.now(),
    }
    moves = {"order": Status.REFUNDED.value}
    move_together(session, order, moves=moves, values=values, why=why)
    return [_event(order, "order.refunded", why)]


def _may_be_refunded(order: Order) -> bool:
    return order.status in (Status.DEPOSIT_PAID, Status.PAID, Status.COMPLETED)


def _given_back(session: Session, order: Order) -> int:
    """Sum what was given back of the money that counts towards an order; minor units."""
    ended = (PaymentStatus.FAILED.value, PaymentStatus.CANCELLED.value)
    statement = select(func.coalesce(func.sum(Payment.refunded_minor), 0)).where(
        Payment.order_id == order.id, Payment.status.not_in(ended)
    )
    return int(session.scalar(statement) or 0)


def _unrefund(session: Session, order: Order, *, why: Why) -> None:
    """Put an order back to where it stood before it was refunded."""
    statement = (
        select(StateChange.old)
        .where(
            StateChange.object_kind == "order",
            StateChange.object_id == order.id,
            StateChange.new == Status.REFUNDED.value,
        )
        .order_by(StateChange.at.desc())
        .limit(1)
    )
    old = Status(session.scalars(statement).one())
    request = PurchaseRequest.SELLER_PAID if old == Status.COMPLETED else PurchaseRequest.PROCESSING
    values: dict[str, object] = {"request_status": request.value, "updated_at": clock.now()}
    move_together(session, order, moves={"order": old.value}, values=values, why=why)

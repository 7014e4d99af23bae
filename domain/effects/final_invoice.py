"""The effect that opens an order's final invoice once its deposit is confirmed; nothing waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.states import Order as OrderStatus
from domain.effects.kinds import Wanted
from domain.invoices import opening
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.payments import Payment

_OVER = (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUNDED)


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Open the final invoice of a locked payment's order, unless it stands already or the order is over.

    Its event is written with it. Writes, Emits: as `opening.ensure`. Transaction: caller's, with the
    payment locked.
    """
    del wanted
    if payment.order_id is None:
        return []
    order = lock_order(session, payment.order_id)
    if order.status not in _OVER:
        opening.ensure(session, order, "balance", why=why)
    return []

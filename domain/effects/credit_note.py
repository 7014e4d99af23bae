"""The effect that writes the credit note of a refund; the worker carries it out, no money waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.effects.kinds import Wanted
from domain.invoices import credit_notes
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.payments import Payment


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Write the credit note of the refund that the effect's key names. Its event is written with it.

    Writes, Emits: as `credit_notes.for_refund`. Transaction: caller's, with the payment locked.
    """
    if payment.order_id is not None:
        order = lock_order(session, payment.order_id)
        credit_notes.for_refund(session, payment, order, refund_of(wanted), why=why)
    return []


def refund_of(wanted: Wanted) -> str:
    """Give the refund that an effect's key names."""
    return wanted.key.partition(":")[2]

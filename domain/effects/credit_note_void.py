"""The effect that takes the credit note of a refund back, as the refund failed after it had succeeded."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.effects.credit_note import refund_of
from domain.effects.kinds import Wanted
from domain.invoices import credit_notes
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.payments import Payment


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Void the credit note of the refund that the effect's key names, if one was written.

    Whichever of the two is carried out first: a note is written only of a refund that stands.
    Writes, Emits: as `credit_notes.void_of_refund`. Transaction: caller's, with the payment locked.
    """
    if payment.order_id is not None:
        order = lock_order(session, payment.order_id)
        credit_notes.void_of_refund(session, order, refund_of(wanted), why=why)
    return []

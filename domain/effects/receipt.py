"""The effect that sends a payer the receipt of what has arrived; nothing waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.effects.kinds import Wanted
from domain.mail import letters, mails
from domain.mail.letters import About
from domain.transitions import Why
from models.orders import Order
from models.payments import Payment
from models.people import Merchant, User


def about(session: Session, payment: Payment) -> About:
    """Gather what a letter to the payer speaks of. Transaction: caller's, reads only."""
    order = session.get(Order, payment.order_id) if payment.order_id else None
    return About(payment, order, session.get_one(Merchant, payment.merchant_id))


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Write the receipt to the payer of a payment; the worker sends it. Gives no event.

    Writes: mails. Transaction: caller's, with the payment locked.
    """
    del why
    payer = session.get(User, payment.buyer_id) if payment.buyer_id else None
    if payer is not None and wanted.amount is not None:
        mails.write(session, payer, letters.receipt(about(session, payment), wanted.amount))
    return []

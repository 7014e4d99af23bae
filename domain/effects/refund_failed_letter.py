"""The effect that tells a payer that money which was given back did not arrive; nothing waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.effects.kinds import Wanted
from domain.effects.receipt import about
from domain.mail import letters, mails
from domain.transitions import Why
from models.payments import Payment
from models.people import User


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Write to the payer of a payment that a refund failed after it had succeeded; the worker sends it. Gives no event.

    Writes: mails. Transaction: caller's, with the payment locked.
    """
    del why
    payer = session.get(User, payment.buyer_id) if payment.buyer_id else None
    if payer is not None and wanted.amount is not None:
        mails.write(session, payer, letters.refund_failed(about(session, payment), wanted.amount))
    return []

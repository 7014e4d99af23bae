"""The effect that counts money towards its order and moves the order on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.effects.kinds import Wanted
from domain.orders import order_progress
from domain.transitions import Why
from models.payments import Payment


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Advance the order of a locked payment by what arrived. Gives the event rows to append.

    Writes: orders, state_changes. Raises: LostRace, IllegalTransition. Transaction: caller's.
    """
    if wanted.amount is None:
        return []
    return order_progress.receive(session, payment, wanted.amount, why=why)

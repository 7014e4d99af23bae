"""The effect that lets a hold go which has proved its card; the worker tells the provider."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.actors import system
from domain.effects.kinds import Wanted
from domain.payments import operations
from domain.payments.letting_go import KIND
from domain.transitions import Why
from models.payments import Payment

RELEASING = system("effects")


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Write down that the hold of a locked payment is to be let go, for the worker to do.

    It is written with what proved the card, so that no crash forgets it. Writes: operations.
    Transaction: caller's, with the payment locked.
    """
    del why  # The operation names its actor itself.
    asked = operations.Wanted(KIND, wanted.key, payment, {"reason": "the card is proved"})
    operations.prepare(session, asked, actor=RELEASING, is_leased=False)
    return []

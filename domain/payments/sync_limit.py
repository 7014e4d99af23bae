"""How often a payment's provider may be asked by hand: once a minute, whoever asks, on any machine."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.payments import turns
from domain.payments.turns import Turn
from models.payments import Payment

EVERY = timedelta(seconds=60)
ASKING = Turn(
    "payment.sync", EVERY, "The provider was asked about this payment less than a minute ago."
)


def claim(session: Session, payment_id: str, *, actor: Actor, source: str) -> Payment:
    """Take this minute's turn to ask the provider about a payment; writing it down is the turn.

    Writes: audit_log. Raises: NotFound, RateLimited. Transaction: caller's; commit before asking.
    """
    return turns.take(session, payment_id, ASKING, actor=actor, source=source)

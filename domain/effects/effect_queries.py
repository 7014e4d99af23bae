"""Reading the effects of a payment, and trying a failed one again by hand."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NotFound
from models.effects import Effect


def of_payment(session: Session, payment_id: str) -> Sequence[Effect]:
    """List what follows from a payment, oldest first."""
    statement = select(Effect).where(Effect.payment_id == payment_id)
    return session.scalars(statement.order_by(Effect.created_at, Effect.id)).all()


def get_effect(session: Session, payment_id: str, effect_id: str) -> Effect:
    """Fetch one effect of a payment that the caller may see.

    Raises: NotFound, also for an effect of another payment.
    """
    effect = session.get(Effect, effect_id)
    if effect is None or effect.payment_id != payment_id:
        raise NotFound
    return effect

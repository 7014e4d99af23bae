"""The effect that grants a person's trial, once for ever, however many cards they prove."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.errors import Conflict
from core.money import Money, asset
from domain import audit, events
from domain.effects.kinds import Wanted
from domain.payments import trials
from domain.transitions import Why, move_together
from models.payments import Payment


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Grant the trial of a locked payment's person. Gives the event rows to append.

    Writes: trials, payments.event_sequence, audit_log. Emits: trial.granted, once per person.
    Raises: Conflict when it is not known whose. Transaction: caller's, with the payment locked.
    """
    del wanted  # No amount is meant, and its key is the payment's own.
    if payment.buyer_id is None:
        raise Conflict("It is not known whose trial this is.")
    trial = trials.grant(session, payment)
    if trial is None:
        return []
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    limit = Money(trial.limit_minor, asset(trial.asset))
    audit.write(
        session,
        "trial.grant",
        actor=why.actor,
        object_kind="user",
        object_id=payment.buyer_id,
        source=why.source,
        after={"paymentId": payment.id, "limitMinor": limit.minor, "asset": trial.asset},
    )
    body = {
        "userId": payment.buyer_id,
        "transactionId": payment.id,
        "limit": limit.major(),
        "currency": limit.asset.code,
    }
    return [
        events.row(
            "trial.granted",
            events.about_payment(payment),
            source=why.source,
            sequence=sequence,
            status=payment.status,
            body=body,
            is_replay=why.is_replay,
        )
    ]

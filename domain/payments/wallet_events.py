"""What tells that a wallet holds more or less because of one of its payments."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money import Money
from core.strictjson import Json
from domain import events
from domain.transitions import Why, move_together
from models.payments import Payment


def credited(session: Session, payment: Payment, amount: Money, *, why: Why) -> dict[str, object]:
    """Make the event row that tells that a wallet holds more.

    Writes: payments.event_sequence. Transaction: caller's, with the payment locked.
    """
    return events.row(
        "wallet.credited",
        events.about_payment(payment),
        source=why.source,
        sequence=_next(session, payment, why),
        status=payment.status,
        body=_body(payment, amount),
        is_replay=why.is_replay,
    )


def debited(session: Session, payment: Payment, amount: Money, *, why: Why) -> dict[str, object]:
    """Make the event row that tells that a wallet holds less.

    Writes: payments.event_sequence. Transaction: caller's, with the payment locked.
    """
    return events.row(
        "wallet.debited",
        events.about_payment(payment),
        source=why.source,
        sequence=_next(session, payment, why),
        status=payment.status,
        body=_body(payment, amount),
        is_replay=why.is_replay,
    )


def _next(session: Session, payment: Payment, why: Why) -> int:
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    return sequence


def _body(payment: Payment, amount: Money) -> dict[str, Json]:
    return {
        "userId": payment.buyer_id,
        "transactionId": payment.id,
        "amount": amount.major(),
        "currency": amount.asset.code,
    }

"""The effect that credits a person's wallet with money that is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.errors import Conflict
from domain import events
from domain.books import ledger
from domain.effects.kinds import Wanted
from domain.payments import receipts
from domain.transitions import Why, move_together
from models.payments import Payment


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Move what a person paid in to what they may spend. Gives the event rows to append.

    Writes: journal, payments.event_sequence. Emits: wallet.credited. Raises: Conflict when it is not known
    whose wallet it is. Transaction: caller's, with the payment locked.
    """
    if wanted.amount is None:
        return []
    if payment.buyer_id is None:
        raise Conflict("This payment has no payer whose wallet could be credited.")
    funds = ledger.buyer_funds(payment.buyer_id, payment.id)
    ledger.post(
        session,
        "wallet_credit",
        movements=[ledger.Movement(funds, ledger.wallet(payment.buyer_id), wanted.amount)],
        source_key=wanted.key,
        source=why.source,
        ties=receipts.ties(payment),
    )
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    body = {
        "userId": payment.buyer_id,
        "transactionId": payment.id,
        "amount": wanted.amount.major(),
        "currency": wanted.amount.asset.code,
    }
    return [
        events.row(
            "wallet.credited",
            events.about_payment(payment),
            source=why.source,
            sequence=sequence,
            status=payment.status,
            body=body,
            is_replay=why.is_replay,
        )
    ]

"""The effect that credits a person's wallet with money that is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.errors import Conflict
from domain.books import accounts, ledger
from domain.effects.kinds import Wanted
from domain.payments import receipts, wallet_events
from domain.transitions import Why
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
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    ledger.post(
        session,
        "wallet_credit",
        movements=[ledger.Movement(funds, accounts.wallet(payment.buyer_id), wanted.amount)],
        source_key=wanted.key,
        source=why.source,
        ties=receipts.ties(payment),
    )
    return [wallet_events.credited(session, payment, wanted.amount, why=why)]

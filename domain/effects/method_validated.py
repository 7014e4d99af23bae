"""The effect that notes a card as proved: by a hold that was placed, or by a setup that succeeded."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from domain import events
from domain.effects.kinds import Wanted
from domain.payments import vault
from domain.transitions import Why, move_together
from models.payments import Payment
from providers.card_seam import SaidCard


def carry_out(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    """Keep the card of a locked payment as a proved one. Gives the event rows to append.

    A card that was removed meanwhile stays removed. Writes: payment_methods, payments.event_sequence.
    Emits: payment_method.validated. Raises: Conflict when it is not known whose card it is, or which.
    Transaction: caller's, with the payment locked.
    """
    del wanted  # No amount is meant, and its key is the payment's own.
    if payment.buyer_id is None or payment.method_id is None:
        raise Conflict("It is not known which card was proved.")
    said = SaidCard(payment.method_id, brand=payment.card_brand, last4=payment.card_last4)
    card = vault.keep(session, payment.buyer_id, payment.provider, said, livemode=payment.livemode)
    if card is None:
        return []
    card.validated_at = clock.now()
    session.flush()
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    body = {
        "userId": payment.buyer_id,
        "paymentMethodId": card.id,
        "transactionId": payment.id,
    }
    return [
        events.row(
            "payment_method.validated",
            events.about_payment(payment),
            source=why.source,
            sequence=sequence,
            status=payment.status,
            body=body,
            is_replay=why.is_replay,
        )
    ]

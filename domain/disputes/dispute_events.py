"""What a dispute tells the world: that it is opened, has moved on, is decided, and what it took."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.disputes import CLOSED
from core.money import Money, asset
from core.strictjson import Json
from domain import audit, events
from domain.payments import reversals
from domain.transitions import Why, move_together
from models.disputes import Dispute
from models.payments import Payment

_AUDITED = {
    "dispute.opened": "dispute.open",
    "dispute.updated": "dispute.update",
    "dispute.closed": "dispute.close",
}


def tell(session: Session, kind: str, dispute: Dispute, payment: Payment, *, why: Why) -> None:
    """Tell what became of a dispute, and write it down.

    Writes: disputes.event_sequence, event_log, audit_log. Emits: the event of that kind.
    Transaction: caller's, with the payment locked.
    """
    values: dict[str, object] = {"event_sequence": dispute.event_sequence + 1}
    move_together(session, dispute, moves={}, values=values, why=why)
    events.append(session, [_row(kind, dispute, payment, why)])
    audit.write(
        session,
        _AUDITED[kind],
        actor=why.actor,
        object_kind="dispute",
        object_id=dispute.id,
        source=why.source,
        reason=why.reason,
        after={
            "paymentId": payment.id,
            "status": dispute.status,
            "amountMinor": dispute.amount_minor,
            "withdrawnMinor": dispute.withdrawn_minor,
            "reinstatedMinor": dispute.reinstated_minor,
            "asset": dispute.asset,
        },
    )


def _row(kind: str, dispute: Dispute, payment: Payment, why: Why) -> dict[str, object]:
    of = asset(dispute.asset)
    body: dict[str, Json] = {
        "disputeId": dispute.id,
        "amount": Money(dispute.amount_minor, of).major(),
        "currency": of.code,
        "evidenceDueAt": clock.rfc3339(dispute.evidence_due_at),
        "outcome": dispute.status if dispute.status in CLOSED else None,
    }
    about = events.About(
        object_id=dispute.id,
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        buyer_id=payment.buyer_id,
        seller_id=payment.seller_id,
        demo=payment.demo,
        livemode=payment.livemode,
    )
    return events.row(
        kind,
        about,
        source=why.source,
        sequence=dispute.event_sequence,
        status=dispute.status,
        body=body,
        is_replay=why.is_replay,
    )


def tell_reversed(session: Session, payment: Payment, amount: Money, *, why: Why) -> None:
    """Tell that the payer's bank took money of a payment back; where the payment stands is not changed.

    Writes: payments.event_sequence, event_log. Emits: payment.reversed. Transaction: caller's, with
    the payment locked.
    """
    before = payment.status
    reversals.tell(session, payment, amount, cause="chargeback", before=before, why=why)

"""What a refund tells the world: its own events, and those of the payment whose total has changed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money import Money, asset
from core.states import lifecycle
from core.strictjson import Json
from domain import audit, events
from domain.transitions import Why, move_together
from models.payments import Payment
from models.refunds import Refund


def tell(session: Session, kind: str, refund: Refund, payment: Payment, *, why: Why) -> None:
    """Tell what became of a refund, and write it down.

    Writes: refunds.event_sequence, event_log, audit_log. Emits: the event of that kind.
    Transaction: caller's.
    """
    of = asset(refund.asset)
    values: dict[str, object] = {"event_sequence": refund.event_sequence + 1}
    move_together(session, refund, moves={}, values=values, why=why)
    body: dict[str, Json] = {
        "refundId": refund.id,
        "amount": Money(refund.amount_minor, of).major(),
        "currency": of.code,
        "failureReason": refund.failure_reason,
    }
    about = events.About(
        object_id=refund.id,
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        buyer_id=payment.buyer_id,
        seller_id=payment.seller_id,
        demo=payment.demo,
        livemode=payment.livemode,
    )
    told = events.row(
        kind,
        about,
        source=why.source,
        sequence=refund.event_sequence,
        status=refund.state,
        body=body,
        is_replay=why.is_replay,
    )
    events.append(session, [told])
    audit.write(
        session,
        _AUDITED[kind],
        actor=why.actor,
        object_kind="refund",
        object_id=refund.id,
        source=why.source,
        reason=why.reason,
        after={
            "paymentId": payment.id,
            "amountMinor": refund.amount_minor,
            "asset": refund.asset,
            "state": refund.state,
            "approvalId": refund.approval_id,
        },
    )


_AUDITED = {
    "refund.requested": "refund.request",
    "refund.created": "refund.create",
    "refund.succeeded": "refund.give_back",
    "refund.failed": "refund.fail",
    "refund.cancelled": "refund.take_back",
}


def payment_row(payment: Payment, before_status: str, *, why: Why) -> dict[str, object]:
    """Make the event row that tells a payment's present total of what was given back."""
    of = asset(payment.asset)
    body: dict[str, Json] = {
        "lifecycle": lifecycle(payment.status, payment.failure_reason).value,
        "previousLifecycle": lifecycle(before_status, payment.failure_reason).value,
        "amountRefunded": Money(payment.refunded_minor, of).major(),
        "currency": of.code,
        "partial": payment.refunded_minor < payment.received_minor,
    }
    return events.row(
        "payment.refunded",
        events.about_payment(payment),
        source=why.source,
        sequence=payment.event_sequence,
        status=payment.status,
        body=body,
        is_replay=why.is_replay,
    )

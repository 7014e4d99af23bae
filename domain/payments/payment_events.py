"""The events that a change of a payment tells the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core import clock, rail_words
from core.fold import MARKED
from core.money import Money, asset
from core.purposes import TRANSACTION_TYPE, Purpose
from core.states import OPEN_PAYMENT, PaymentSub, lifecycle
from core.states import Payment as Status
from core.strictjson import Json
from domain import events
from domain.transitions import Why, move_together
from models.payments import Payment
from providers.said import KeyedFact


@dataclass(frozen=True)
class Snapshot:
    """A payment's states and amounts at one moment; minor units of its asset."""

    status: str
    sub_state: str
    escrow_state: str
    received_minor: int
    capturable_minor: int

    def wire(self) -> dict[str, Json]:
        """Write it for the audit log."""
        return {
            "status": self.status,
            "subState": self.sub_state,
            "escrowState": self.escrow_state,
            "receivedMinor": self.received_minor,
            "capturableMinor": self.capturable_minor,
        }


def snapshot(payment: Payment) -> Snapshot:
    """Note how a payment stands now."""
    return Snapshot(
        payment.status,
        payment.sub_state,
        payment.escrow_state,
        payment.received_minor,
        payment.capturable_minor,
    )


def rows(
    payment: Payment, before: Snapshot, new_facts: Sequence[KeyedFact], *, why: Why, first: int
) -> list[dict[str, object]]:
    """Make the event rows of a payment that has just changed.

    first: the sequence number of the first of them.
    """
    return [
        events.row(
            kind,
            events.about_payment(payment),
            source=why.source,
            sequence=first + place,
            status=payment.status,
            body=body,
            is_replay=why.is_replay,
        )
        for place, (kind, body) in enumerate(_kinds(payment, before, new_facts))
    ]


def created_row(payment: Payment, *, source: str) -> dict[str, object]:
    """Make the first event of a payment that was just written down."""
    of = asset(payment.asset)
    body: dict[str, Json] = {
        "rail": payment.rail,
        "provider": payment.provider,
        "amount": Money(payment.amount_minor, of).major(),
        "currency": of.code,
        "purpose": payment.purpose,
        "direction": payment.direction,
        "expiresAt": clock.rfc3339(payment.expires_at),
    }
    about = events.about_payment(payment)
    return events.row(
        "payment.created", about, source=source, sequence=1, status=payment.status, body=body
    )


def transaction_rows(
    session: Session, payment: Payment, before: Snapshot, *, why: Why
) -> list[dict[str, object]]:
    """Make the event that tells of a changed transaction: a payment without an order.

    Writes: payments.event_sequence. Transaction: caller's, with the payment locked.
    """
    if payment.order_id is not None or snapshot(payment) == before:
        return []
    return [transaction_row(session, payment, "transaction.updated", why=why)]


def transaction_row(
    session: Session, payment: Payment, kind: str, *, why: Why
) -> dict[str, object]:
    """Make one event of a transaction, with the next number of its payment.

    Writes: payments.event_sequence. Transaction: caller's, with the payment locked.
    """
    sequence = payment.event_sequence + 1
    move_together(session, payment, moves={}, values={"event_sequence": sequence}, why=why)
    body: dict[str, Json] = {
        "transactionId": payment.id,
        "transactionType": TRANSACTION_TYPE[Purpose(payment.purpose)],
        "effect": payment.effect_state,
    }
    return events.row(
        kind,
        events.about_payment(payment),
        source=why.source,
        sequence=sequence,
        status=payment.status,
        body=body,
        is_replay=why.is_replay,
    )


def _kinds(
    payment: Payment, before: Snapshot, new_facts: Sequence[KeyedFact]
) -> list[tuple[str, dict[str, Json]]]:
    kinds: list[tuple[str, dict[str, Json]]] = []
    life: dict[str, Json] = {
        "lifecycle": lifecycle(payment.status, payment.failure_reason).value,
        "previousLifecycle": lifecycle(before.status, None).value,
    }
    of = asset(payment.asset)
    # Back to pending has no event of its own: the declined attempt that caused it is told below.
    if payment.status not in (before.status, Status.PENDING):
        kinds.append(_status_event(payment, life))
    if payment.sub_state != before.sub_state and payment.sub_state == PaymentSub.REQUIRES_ACTION:
        kinds.append(("payment.requires_action", {"kind": rail_words.of(payment.rail).asks}))
    if payment.capturable_minor != before.capturable_minor and payment.capturable_minor:
        held = Money(payment.capturable_minor, of).major()
        kinds.append(("payment.authorized", {"amountCapturable": held, "currency": of.code}))
    kinds += [
        ("payment.failed", life | _declined(keyed.fact.code, retryable=True))
        for keyed in new_facts
        if keyed.fact.kind == "attempt_failed" and payment.status in OPEN_PAYMENT
    ]
    return kinds


def _declined(code: str | None, *, retryable: bool) -> dict[str, Json]:
    return {
        "failureReason": "declined",
        "code": "PAYMENT_FAILED",
        "stripeCode": code,
        "retryable": retryable,
    }


def _status_event(payment: Payment, life: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    of = asset(payment.asset)
    if payment.status == Status.COMPLETED:
        amounts: dict[str, Json] = {
            "amount": Money(payment.amount_minor, of).major(),
            "amountReceived": Money(payment.received_minor, of).major(),
            "currency": of.code,
        }
        return "payment.succeeded", life | amounts
    if payment.status == Status.FAILED and payment.failure_reason == "expired":
        return "payment.expired", life | {"reason": "expired"}
    if payment.status == Status.FAILED and payment.failure_reason == MARKED:
        marked = {"failureReason": MARKED, "stripeCode": None, "retryable": False}
        return "payment.failed", life | {"code": "PAYMENT_FAILED"} | marked
    if payment.status == Status.FAILED:
        return "payment.failed", life | _declined(payment.provider_code, retryable=False)
    if payment.status == Status.CANCELLED:
        return "payment.cancelled", life | {"reason": payment.failure_reason}
    return "payment.processing", life | {"confirmations": None}

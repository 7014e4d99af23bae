"""The support playbook: what happened, what to tell the customer and what to do next, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.money import Money
from core.states import Payment as Status
from core.states import PaymentSub
from domain.payments import receipts
from models.events import EventLog
from models.payments import Payment, ProviderReference


@dataclass(frozen=True)
class Advice:
    """Three sentences for one situation."""

    what_happened: str
    tell_customer: str
    next_step: str


@dataclass(frozen=True)
class SupportBlock:
    """What support copies into a ticket; no personal data."""

    payment_id: str
    order_id: str | None
    provider_references: list[str]
    stripe_code: str | None
    last_events: list[str]
    advice: Advice


# Source: requirements S55 to S60 (common errors and fixes)
_BY_SITUATION = {
    "unknown": Advice(
        "We asked the provider and its answer was lost. It may or may not have acted.",
        "We are confirming your payment with the card network. Please do not pay again yet.",
        "Press “Ask the provider now”. Paydesk also asks by itself until it knows.",
    ),
    "waiting": Advice(
        "The payment was started and no card has been confirmed yet.",
        "Your payment is waiting for your card details. You can use the same link.",
        "Send the pay link again. If the customer says they paid, ask the provider now.",
    ),
    "action": Advice(
        "The bank asks the customer to confirm the payment (3D Secure).",
        "Your bank wants you to confirm the payment. If you closed the window, open the link and try again.",
        "Ask the customer to reopen the pay page; the confirmation can be tried again.",
    ),
    "declined": Advice(
        "The bank declined the card. No money moved.",
        "Your bank declined the card. Please contact the issuer or try another card.",
        "The pay link still works for another card. The decline code is in the reference block.",
    ),
    "held": Advice(
        "The amount is reserved on the card and not captured.",
        "Your bank has reserved the amount. You will only be charged when the order is confirmed.",
        "Capture or cancel before the reservation lapses.",
    ),
    "processing": Advice(
        "The provider has seen the payment; it is not final.",
        "Your payment is on its way and not final yet. We will let you know.",
        "Wait for the provider. If it stays like this for long, ask the provider now.",
    ),
    "completed": Advice(
        "The payment is confirmed and booked.",
        "We have received your payment. Thank you.",
        "Nothing to do.",
    ),
    "marked": Advice(
        "It was marked as received by hand and awaits the provider's own word.",
        "Your payment is noted as received; its last confirmation is on the way. Please do not pay again.",
        "Ask the provider now. Until it confirms the money itself, what was marked cannot be refunded.",
    ),
    "refunding": Advice(
        "A refund of it was asked for and is not over yet.",
        "Your refund is on its way. Banks usually take 5 to 10 days to show it.",
        "See under refunds whether it waits for a second person, is held or was sent.",
    ),
    "partly_refunded": Advice(
        "The payment is confirmed; some of it was given back.",
        "We have refunded a part of your payment. Banks usually take 5 to 10 days to show it.",
        "Nothing to do. The provider's name of the refund helps the customer's bank to find it.",
    ),
    "refunded": Advice(
        "All that was received was given back to the card that paid.",
        "We have refunded your payment. Banks usually take 5 to 10 days to show it.",
        "Nothing to do. The provider's name of the refund helps the customer's bank to find it.",
    ),
    "expired": Advice(
        "The attempt ran out of time before it was paid.",
        "Your payment link has expired. We will send you a new one.",
        "Start a new payment for the order; this one is never reused.",
    ),
    "failed": Advice(
        "The payment failed for good.",
        "Your payment did not go through and you were not charged.",
        "Start a new payment for the order.",
    ),
    "cancelled": Advice(
        "The payment was cancelled before money moved.",
        "Your payment was cancelled and you were not charged.",
        "Start a new payment if the customer still wants to pay.",
    ),
}


def _situation(payment: Payment, suspended: Money) -> str:
    if payment.sub_state == PaymentSub.UNKNOWN_OUTCOME:
        return "unknown"
    if payment.status == Status.PENDING:
        if payment.sub_state == PaymentSub.REQUIRES_ACTION:
            return "action"
        return "declined" if payment.provider_code else "waiting"
    if payment.status == Status.PROCESSING:
        return "held" if payment.sub_state == PaymentSub.REQUIRES_CAPTURE else "processing"
    if payment.status == Status.FAILED:
        return "expired" if payment.failure_reason == "expired" else "failed"
    if payment.status == Status.CANCELLED:
        return "cancelled"
    if payment.refunding_minor:
        return "refunding"
    if payment.status == Status.REFUNDED:
        return "refunded"
    if suspended.minor:
        return "marked"
    return "partly_refunded" if payment.refunded_minor else "completed"


def advice_for(payment: Payment, *, suspended: Money) -> Advice:
    """Give support's three sentences for where a payment stands.

    suspended: what only people vouch for, as `receipts.in_suspense` gives it.
    """
    return _BY_SITUATION[_situation(payment, suspended)]


def support_block(session: Session, payment: Payment) -> SupportBlock:
    """Collect what support needs to talk about a payment with a customer or a provider."""
    references = session.scalars(
        select(ProviderReference.reference)
        .where(ProviderReference.payment_id == payment.id)
        .order_by(ProviderReference.created_at, ProviderReference.reference)
    )
    told = session.scalars(
        select(EventLog)
        .where(EventLog.payment_id == payment.id)
        .order_by(EventLog.at.desc(), EventLog.id.desc())
        .limit(3)
    )
    return SupportBlock(
        payment_id=payment.id,
        order_id=payment.order_id,
        provider_references=list(references),
        stripe_code=payment.provider_code,
        last_events=[f"{event.at:%Y-%m-%d %H:%M:%S} UTC {event.type}" for event in told],
        advice=advice_for(payment, suspended=receipts.in_suspense(session, payment)),
    )

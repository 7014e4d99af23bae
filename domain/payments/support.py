"""The support playbook: what happened, what to tell the customer and what to do next, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.disputes import OPEN
from core.disputes import Status as DisputeStatus
from core.money import Money
from core.purposes import Purpose
from core.states import OPEN_PAYMENT, Inbound, PaymentSub
from core.states import Payment as Status
from domain.delays import eta
from domain.payments import decline_advice, receipts
from domain.payments.decline_advice import Advice
from models.disputes import Dispute
from models.events import EventLog
from models.inbound import InboundEvent
from models.payments import Payment, ProviderReference


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
        "We are working on your refund. Once it is sent, banks usually take 5 to 10 days to show it.",
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
    "disputed": Advice(
        "The payer's bank asks for the money back and has not decided yet.",
        "Your bank has opened a dispute about this payment and will tell you how it decides."
        " Until then we cannot refund it.",
        "Open the dispute on this page: it says until when the bank wants evidence."
        " Never refund a payment that is disputed.",
    ),
    "dispute_lost": Advice(
        "The payer's bank decided the dispute for the payer and kept the money.",
        "Your bank has given the money back to you, so the order is no longer paid.",
        "Nothing more is owed to the customer. Agree with finance how the order goes on.",
    ),
    "reversed": Advice(
        "It had been final, and the payer's bank took the money back.",
        "Your bank has taken back this payment, so the order is not paid any more.",
        "Its case says what was delivered for it. Agree with the customer on another way to pay.",
    ),
    "late": Advice(
        "Money arrived after the attempt had ended. It is kept apart and pays for nothing.",
        "Your payment reached us after it had expired. It is safe with us; we will give it back or use it"
        " for your order, and write to you.",
        "Its case says what can be done: give it back, credit it or start the payment anew.",
    ),
    "late_refunded": Advice(
        "Money arrived after the attempt had ended, and was given back.",
        "Your payment reached us after it had expired and was refunded. Banks usually take 5 to 10 days"
        " to show it.",
        "Start a new payment if the customer still wants to pay.",
    ),
    "expired": Advice(
        "The attempt ran out of time before it was paid.",
        "Your payment link has expired. We will send you a new one.",
        "Start a new payment for the order; this one is never reused.",
    ),
    "stuck": Advice(
        "The provider has spoken of this payment, and its message could not be applied.",
        "We are confirming your payment. Please do not pay again; we will write to you.",
        "Open its webhooks below: the failed one says why. Have it replayed, or ask the provider now.",
    ),
    "effect_failed": Advice(
        "The money is booked. What follows from it failed and is tried again by itself.",
        "We have received your payment; it will show in your account shortly.",
        "Its case says what failed. An engineer may try it again from this page.",
    ),
    "credited": Advice(
        "The payment is confirmed and the wallet is credited.",
        "We have received your payment; it is in your wallet.",
        "Nothing to do.",
    ),
    "coupon": Advice(
        "The coupon was accepted and the wallet is credited. Nobody paid for it.",
        "Your coupon is in your wallet.",
        "Nothing to do.",
    ),
    "checked": Advice(
        "The card was proved. Nothing was charged; what was held on it is let go.",
        "Your card is confirmed. A small amount may show as reserved for a few days; it is not charged.",
        "Nothing to do.",
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


_COMPLETED = {
    Purpose.TOP_UP.value: "credited",
    Purpose.COUPON.value: "coupon",
    Purpose.CARD_VALIDATION.value: "checked",
    Purpose.CARD_SETUP.value: "checked",
}


def _situation(
    payment: Payment, suspended: Money, *, is_stuck: bool = False, dispute: str | None = None
) -> str:
    if is_stuck and payment.status in OPEN_PAYMENT:
        return "stuck"
    if payment.sub_state == PaymentSub.UNKNOWN_OUTCOME:
        return "unknown"
    if payment.status == Status.PENDING:
        if payment.sub_state == PaymentSub.REQUIRES_ACTION:
            return "action"
        return "declined" if payment.provider_code else "waiting"
    if payment.status == Status.PROCESSING:
        return "held" if payment.sub_state == PaymentSub.REQUIRES_CAPTURE else "processing"
    if payment.reversed_minor and payment.reversed_minor == payment.received_minor:
        return "reversed"
    if dispute is not None:
        return dispute
    if payment.status in (Status.FAILED, Status.CANCELLED) and payment.received_minor:
        is_back = payment.refunded_minor == payment.received_minor
        return "late_refunded" if is_back else "late"
    if payment.status == Status.FAILED:
        return "expired" if payment.failure_reason == "expired" else "failed"
    if payment.status == Status.CANCELLED:
        return "cancelled"
    return _received(payment, suspended)


def _received(payment: Payment, suspended: Money) -> str:
    if payment.refunding_minor:
        return "refunding"
    if payment.status == Status.REFUNDED:
        return "refunded"
    if suspended.minor:
        return "marked"
    if payment.effect_state == "failed":
        return "effect_failed"
    if payment.refunded_minor:
        return "partly_refunded"
    return _COMPLETED.get(payment.purpose, "completed")


def outline(payment: Payment, *, suspended: Money) -> str:
    """Say what happened to a payment, for anybody who may see it: never why a bank declined its card."""
    return _BY_SITUATION[_situation(payment, suspended)].what_happened


def advice_for(
    payment: Payment, *, suspended: Money, is_stuck: bool, dispute: str | None = None
) -> Advice:
    """Give support's three sentences for where a payment stands.

    suspended: what only people vouch for, as `receipts.in_suspense` gives it; is_stuck: whether a message
    of its provider could not be applied, as `is_stuck` tells; dispute: `disputed`, `dispute_lost` or None,
    as `dispute_of` tells.
    """
    situation = _situation(payment, suspended, is_stuck=is_stuck, dispute=dispute)
    if situation in ("declined", "failed"):
        told = decline_advice.advice_for(payment.provider_code)
        if told is not None and situation == "failed":
            return Advice(told.what_happened, told.tell_customer, _BY_SITUATION["failed"].next_step)
        if told is not None:
            return told
    return _BY_SITUATION[situation]


def is_stuck(session: Session, payment: Payment) -> bool:
    """Tell whether a message of the provider about a payment failed, died or was set aside."""
    states = (Inbound.FAILED.value, Inbound.DEAD.value, Inbound.QUARANTINED.value)
    statement = select(InboundEvent.id).where(
        InboundEvent.payment_id == payment.id, InboundEvent.state.in_(states)
    )
    return session.scalar(statement.limit(1)) is not None


def dispute_of(session: Session, payment: Payment) -> str | None:
    """Say how a payment's disputes stand: `disputed` while one is open, `dispute_lost`, else None."""
    states = select(Dispute.status).where(Dispute.payment_id == payment.id)
    known = set(session.scalars(states))
    if known & {status.value for status in OPEN}:
        return "disputed"
    return "dispute_lost" if DisputeStatus.LOST.value in known else None


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
        advice=_with_notice(
            session,
            payment,
            advice_for(
                payment,
                suspended=receipts.in_suspense(session, payment),
                is_stuck=is_stuck(session, payment),
                dispute=dispute_of(session, payment),
            ),
        ),
    )


def _with_notice(session: Session, payment: Payment, advice: Advice) -> Advice:
    """Have the customer told what is said of a late rail, while their money is on its way by it."""
    said = eta.of_payment(session, payment) if payment.status == Status.PROCESSING else None
    if said is None or not said.is_notice or payment.capturable_minor:
        return advice
    words = f"{advice.tell_customer} {said.text}"
    if said.at is not None:
        words += f" We expect it by {said.at:%-d %b %Y, %H:%M} UTC."
    return replace(advice, tell_customer=words)

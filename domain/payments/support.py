"""The support playbook: what happened, what to tell the customer and what to do next, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
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
from domain.payments import bank_refusals, decline_advice, receipts, situations
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


# What is known of single refusals, by rail: the words of its providers mean nothing on another one.
_REFUSALS: Mapping[str, Mapping[str, Advice]] = {
    "card": decline_advice.ADVICE,
    "bank": bank_refusals.ADVICE,
}
_COMPLETED = {
    Purpose.TOP_UP.value: "credited",
    Purpose.COUPON.value: "coupon",
    Purpose.CARD_VALIDATION.value: "checked",
    Purpose.CARD_SETUP.value: "checked",
}
_UNDER_WAY: Mapping[str, str] = {
    PaymentSub.REQUIRES_CAPTURE: "held",
    PaymentSub.AWAITING_BANK: "awaiting_bank",
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
        return _UNDER_WAY.get(payment.sub_state, "processing")
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
    """Say what happened to a payment, for anybody who may see it: never why a bank refused it."""
    return situations.of(payment.rail)[_situation(payment, suspended)].what_happened


def advice_for(
    payment: Payment, *, suspended: Money, is_stuck: bool, dispute: str | None = None
) -> Advice:
    """Give support's three sentences for where a payment stands.

    suspended: what only people vouch for, as `receipts.in_suspense` gives it; is_stuck: whether a message
    of its provider could not be applied, as `is_stuck` tells; dispute: `disputed`, `dispute_lost` or None,
    as `dispute_of` tells.
    """
    situation = _situation(payment, suspended, is_stuck=is_stuck, dispute=dispute)
    known = situations.of(payment.rail)
    if situation in ("declined", "failed"):
        told = _REFUSALS.get(payment.rail, {}).get(payment.provider_code or "")
        if told is not None and situation == "failed":
            return Advice(told.what_happened, told.tell_customer, known["failed"].next_step)
        if told is not None:
            return told
    return known[situation]


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

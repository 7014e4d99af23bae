"""The state of a payment as a pure fold over the set of facts known of it, whatever their order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core.states import Payment, PaymentSub


@dataclass(frozen=True)
class Fact:
    """One thing a provider, a person or our clock said of a payment.

    kind: a word of `RANK`; amount_minor: cumulative, minor units of the payment's asset, or None;
    code: the provider's word for why; said_at: when the source says it happened.
    """

    kind: str
    said_at: datetime
    amount_minor: int | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Standing:
    """What the facts add up to. Amounts in minor units of the payment's asset."""

    status: Payment
    sub: PaymentSub
    received_minor: int
    capturable_minor: int
    failure_reason: str | None
    code: str | None
    message: str | None


# A higher rank wins over a lower one; among facts of equal rank the later-said one stands.
RANK = {
    "created": 0,
    "requires_payment_method": 10,
    "attempt_failed": 10,
    "requires_action": 10,
    "processing": 20,
    "authorized": 30,
    "failed": 35,
    "expired": 36,
    "cancelled": 37,
    "succeeded": 50,
}

_PENDING_SUB = {
    "created": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "requires_payment_method": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "attempt_failed": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "requires_action": PaymentSub.REQUIRES_ACTION,
}


# Providers tell time in whole seconds; within one second an attempt's end follows its beginning.
_TIE = {"requires_action": 1, "attempt_failed": 2}


def _order(fact: Fact) -> tuple[int, datetime, int, int, str]:
    tie = _TIE.get(fact.kind, 0)
    return (RANK[fact.kind], fact.said_at, tie, fact.amount_minor or 0, fact.kind)


def _ended_attempt(facts: list[Fact], processing: Fact) -> Fact | None:
    ends = [f for f in facts if f.kind == "attempt_failed" and f.said_at >= processing.said_at]
    return ends[-1] if ends else None


def _largest(facts: list[Fact], kind: str) -> int:
    return max((fact.amount_minor or 0 for fact in facts if fact.kind == kind), default=0)


def standing(facts: Iterable[Fact]) -> Standing:
    """Fold a set of facts into one standing.

    Order-free and idempotent: any permutation, with any duplicates, gives the same answer.
    Money received is never unsaid by a lower fact; an attempt that failed after the provider
    reported processing leaves the payment open for the next attempt.
    Source: https://docs.stripe.com/payments/paymentintents/lifecycle
    """
    known = sorted(set(facts), key=_order)
    if not known:
        return Standing(Payment.PENDING, PaymentSub.NONE, 0, 0, None, None, None)
    top = known[-1]
    received = _largest(known, "succeeded")
    if top.kind == "succeeded":
        return Standing(Payment.COMPLETED, PaymentSub.NONE, received, 0, None, None, None)
    if top.kind == "cancelled":
        return Standing(Payment.CANCELLED, PaymentSub.NONE, 0, 0, top.code, top.code, top.message)
    if top.kind in ("failed", "expired"):
        reason = "expired" if top.kind == "expired" else "declined"
        return Standing(Payment.FAILED, PaymentSub.NONE, 0, 0, reason, top.code, top.message)
    if top.kind == "authorized":
        held = _largest(known, "authorized")
        sub = PaymentSub.REQUIRES_CAPTURE
        return Standing(Payment.PROCESSING, sub, 0, held, None, None, None)
    if top.kind == "processing":
        if end := _ended_attempt(known, top):
            sub = PaymentSub.REQUIRES_PAYMENT_METHOD
            return Standing(Payment.PENDING, sub, 0, 0, None, end.code, end.message)
        return Standing(Payment.PROCESSING, PaymentSub.NONE, 0, 0, None, None, None)
    return Standing(Payment.PENDING, _PENDING_SUB[top.kind], 0, 0, None, top.code, top.message)

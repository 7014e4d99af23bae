"""The state of a payment as a pure fold over the set of facts known of it, whatever their order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from core.states import Payment, PaymentSub, Refund


@dataclass(frozen=True)
class Fact:
    """One thing a provider, a person or our clock said of a payment.

    kind: a word of `RANK`, `REFUND_KINDS` or `DISPUTE_KINDS`; amount_minor: cumulative, minor units of the payment's asset, or None;
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


# What two people of ours said instead of the provider; only for a payment that is still open.
MARKED_COMPLETED, MARKED_FAILED, MARKED_CANCELLED = (
    "marked_completed",
    "marked_failed",
    "marked_cancelled",
)
MARKED = "marked"
VALIDATED = "validated"
AWAITING_PAYER, AWAITING_BANK = "awaiting_payer", "awaiting_bank"
# A higher rank wins over a lower one; among facts of equal rank the later-said one stands.
RANK = {
    "created": 0,
    "requires_payment_method": 10,
    "attempt_failed": 10,
    "requires_action": 10,
    # The payer is sent to their own bank to agree; then that bank has it and money is on its way.
    AWAITING_PAYER: 10,
    "processing": 20,
    AWAITING_BANK: 20,
    "authorized": 30,
    # Of a check only: the card is proved, with a hold or without one.
    VALIDATED: 31,
    "failed": 35,
    "cancelled": 36,
    # The provider tells of an attempt that we ended in time as cancelled too.
    "expired": 37,
    # Above the provider's own ends: what people decided is not changed by the end it waited for.
    MARKED_FAILED: 40,
    MARKED_CANCELLED: 40,
    MARKED_COMPLETED: 45,
    "succeeded": 50,
}
# What a provider says of money on its way back. Kept with the payment's facts, apart from its standing.
REFUND_PENDING, REFUND_SUCCEEDED, REFUND_FAILED = (
    "refund_pending",
    "refund_succeeded",
    "refund_failed",
)
REFUND_KINDS = frozenset({REFUND_PENDING, REFUND_SUCCEEDED, REFUND_FAILED})
# What a dispute moved: taken by the payer's bank, brought back, or a fee alone. Kept apart likewise.
DISPUTE_WITHDRAWN, DISPUTE_REINSTATED, DISPUTE_FEE = (
    "dispute_withdrawn",
    "dispute_reinstated",
    "dispute_fee",
)
# What became of one debit: paid, and failed, in whichever order it is heard. Kept apart likewise.
CHARGE_PAID, CHARGE_FAILED = "charge_paid", "charge_failed"
CHARGE_KINDS = frozenset({CHARGE_PAID, CHARGE_FAILED})
DISPUTE_KINDS = frozenset({DISPUTE_WITHDRAWN, DISPUTE_REINSTATED, DISPUTE_FEE})

_PENDING_SUB = {
    "created": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "requires_payment_method": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "attempt_failed": PaymentSub.REQUIRES_PAYMENT_METHOD,
    "requires_action": PaymentSub.REQUIRES_ACTION,
    AWAITING_PAYER: PaymentSub.REQUIRES_ACTION,
}


# Providers tell time in whole seconds; within one second an attempt's end follows its beginning.
_TIE = {"requires_action": 1, AWAITING_PAYER: 1, "attempt_failed": 2}


def _order(fact: Fact) -> tuple[int, datetime, int, int, str]:
    tie = _TIE.get(fact.kind, 0)
    return (RANK[fact.kind], fact.said_at, tie, fact.amount_minor or 0, fact.kind)


def _ended_attempt(facts: list[Fact], processing: Fact) -> Fact | None:
    ends = [f for f in facts if f.kind == "attempt_failed" and f.said_at >= processing.said_at]
    return ends[-1] if ends else None


def _last_attempt(facts: list[Fact]) -> Fact | None:
    ends = [fact for fact in facts if fact.kind == "attempt_failed"]
    return ends[-1] if ends else None


def _largest(facts: list[Fact], kind: str) -> int:
    return max((fact.amount_minor or 0 for fact in facts if fact.kind == kind), default=0)


def told_minor(facts: Iterable[Fact], *, by_hand: bool = False) -> int:
    """Give the most that the provider itself, or people in its place, said has arrived; minor units."""
    return _largest(list(facts), MARKED_COMPLETED if by_hand else "succeeded")


def reversed_minor(facts: Iterable[Fact]) -> int:
    """Sum what was paid by debits that failed after they had been paid; minor units.

    Such a fact's code names its debit; a failure that says no amount took all that the debit had paid.
    Order-free: a debit that only failed was never paid.
    """
    known = set(facts)
    paid = {fact.code: fact.amount_minor for fact in known if fact.kind == CHARGE_PAID}
    failed = {fact.code: fact.amount_minor for fact in known if fact.kind == CHARGE_FAILED}
    taken = {
        code: paid[code] if minor is None else minor
        for code, minor in failed.items()
        if code in paid
    }
    return sum(minor or 0 for minor in taken.values())


def _check_standing(known: list[Fact]) -> Standing | None:
    """Say where a check of a card stands once the card is proved, whatever became of the hold since."""
    kinds = {fact.kind for fact in known}
    if not kinds & {"authorized", VALIDATED, "succeeded"}:
        return None
    held = 0 if kinds & {"cancelled", "expired", "succeeded"} else _largest(known, "authorized")
    received = _largest(known, "succeeded")
    return Standing(Payment.COMPLETED, PaymentSub.NONE, received, held, None, None, None)


def _of_one_try(known: list[Fact]) -> list[Fact]:
    """Read the end of the only attempt as the end of all; that it was cancelled since says nothing more."""
    found = [replace(f, kind="failed") if f.kind == "attempt_failed" else f for f in known]
    has_failed = any(fact.kind == "failed" for fact in found)
    left = [fact for fact in found if not (has_failed and fact.kind == "cancelled")]
    return sorted(left, key=_order)


def standing(
    facts: Iterable[Fact], *, is_check: bool = False, is_one_shot: bool = False
) -> Standing:
    """Fold a set of facts into one standing. is_check: the payment only proves a card; is_one_shot: its
    payer cannot try again, so an attempt that failed is its end.

    Order-free and idempotent: any permutation, with any duplicates, gives the same answer.
    Money received is never unsaid by a lower fact; an attempt that failed after the provider
    reported processing leaves the payment open for the next attempt.
    Source: https://docs.stripe.com/payments/paymentintents/lifecycle
    """
    known = sorted({fact for fact in facts if fact.kind in RANK}, key=_order)
    if is_check and (proved := _check_standing(known)) is not None:
        return proved
    known = [fact for fact in known if fact.kind != VALIDATED]
    known = _of_one_try(known) if is_one_shot else known
    if not known:
        return Standing(Payment.PENDING, PaymentSub.NONE, 0, 0, None, None, None)
    top = known[-1]
    received = max(_largest(known, "succeeded"), _largest(known, MARKED_COMPLETED))
    if top.kind in ("succeeded", MARKED_COMPLETED):
        return Standing(Payment.COMPLETED, PaymentSub.NONE, received, 0, None, None, None)
    if top.kind == MARKED_CANCELLED:
        return Standing(Payment.CANCELLED, PaymentSub.NONE, 0, 0, MARKED, None, None)
    if top.kind == MARKED_FAILED:
        return Standing(Payment.FAILED, PaymentSub.NONE, 0, 0, MARKED, None, None)
    if top.kind == "cancelled":
        return Standing(Payment.CANCELLED, PaymentSub.NONE, 0, 0, top.code, top.code, top.message)
    if top.kind in ("failed", "expired"):
        reason = "expired" if top.kind == "expired" else "declined"
        why = top if top.code else _last_attempt(known) or top
        return Standing(Payment.FAILED, PaymentSub.NONE, 0, 0, reason, why.code, why.message)
    if top.kind == "authorized":
        held = _largest(known, "authorized")
        sub = PaymentSub.REQUIRES_CAPTURE
        return Standing(Payment.PROCESSING, sub, 0, held, None, None, None)
    if top.kind in ("processing", AWAITING_BANK):
        if end := _ended_attempt(known, top):
            sub = PaymentSub.REQUIRES_PAYMENT_METHOD
            return Standing(Payment.PENDING, sub, 0, 0, None, end.code, end.message)
        sub = PaymentSub.AWAITING_BANK if top.kind == AWAITING_BANK else PaymentSub.NONE
        return Standing(Payment.PROCESSING, sub, 0, 0, None, None, None)
    return Standing(Payment.PENDING, _PENDING_SUB[top.kind], 0, 0, None, top.code, top.message)


# How far each state of a refund is; a later one is never unsaid by an earlier one. That money came
# back outweighs that it was sent.
_REFUND_RANK = {
    Refund.PENDING_APPROVAL: 0,
    Refund.CANCELLED: 0,
    Refund.UNKNOWN: 1,
    Refund.PENDING: 2,
    Refund.SUCCEEDED: 3,
    Refund.FAILED: 4,
}
_REFUND_STATE = {
    REFUND_PENDING: Refund.PENDING,
    REFUND_SUCCEEDED: Refund.SUCCEEDED,
    REFUND_FAILED: Refund.FAILED,
}


def refund_state(state: str, kinds: Iterable[str]) -> Refund:
    """Bring a refund to what its provider said of it; order-free and idempotent like `standing`.

    Source: https://docs.stripe.com/refunds#failed-refunds (a refund that succeeded may fail later)
    """
    said = [_REFUND_STATE[kind] for kind in kinds]
    return max([Refund(state), *said], key=_REFUND_RANK.__getitem__)

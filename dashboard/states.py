"""Each stored state as the desk shows it: one word, one shape, one tone; the tables and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from core import case_kinds, rail_words
from core.states import Payment as Status
from core.states import PaymentSub
from dashboard.shapes import State
from models.inbound import InboundEvent
from models.orders import Milestone, Order
from models.payments import Payment

PAYMENT: Mapping[str, State] = {
    "pending": State("Pending", "open", "quiet"),
    "processing": State("Paid, not final", "half", "info"),
    "completed": State("Confirmed", "done", "good"),
    "failed": State("Failed", "failed", "bad"),
    "expired": State("Expired", "expired", "quiet"),
    "cancelled": State("Cancelled", "cancelled", "quiet"),
    "released": State("Released", "released", "good"),
    "refunded": State("Refunded", "refunded", "quiet"),
}
_UNKNOWN = State("Outcome unknown", "question", "warn", "The provider's answer was lost")

# What reads alike on every rail; the rest is in `core/rail_words.py`.
_SUB_WORDS: Mapping[str, str] = {
    PaymentSub.REQUIRES_CAPTURE: "Waiting for capture",
    PaymentSub.AWAITING_CONFIRMATIONS: "Waiting for confirmations",
    PaymentSub.UNKNOWN_OUTCOME: "The provider is being asked",
}

ORDER: Mapping[str, State] = {
    "awaiting_deposit": State("Awaiting deposit", "open", "quiet"),
    "deposit_paid": State("Deposit paid", "half", "info"),
    "paid": State("Paid", "done", "good"),
    "completed": State("Completed", "released", "good"),
    "refunded": State("Refunded", "refunded", "quiet"),
    "cancelled": State("Cancelled", "cancelled", "quiet"),
    "expired": State("Expired", "expired", "quiet"),
}
_FUNDS_SEEN = State("Awaiting deposit", "half", "info", "Funds are on their way")

INBOUND: Mapping[str, State] = {
    "received": State("Received", "open", "info"),
    "processed": State("Processed", "done", "good"),
    "no_effect": State("No effect", "equal", "quiet", "The effect was already applied"),
    "ignored": State("Ignored", "skip", "quiet", "This type has no effect here"),
    "unmatched": State("Unmatched", "question", "warn", "No payment of ours has this reference"),
    "quarantined": State("Quarantined", "shield", "warn", "Kept apart until a person looks"),
    "failed": State("Failed, will retry", "retry", "warn"),
    "dead": State("Dead", "dead", "bad", "Given up after the last attempt"),
}

CASE: Mapping[str, State] = {
    "open": State("Open", "warn", "warn"),
    "assigned": State("Assigned", "half", "info"),
    "resolved": State("Resolved", "done", "good"),
    "carried_forward": State("Carried forward", "hold", "quiet"),
}

APPROVAL: Mapping[str, State] = {
    "pending": State("Waits", "action", "warn", "A second person must agree"),
    "approved": State("Approved", "half", "info"),
    "executed": State("Carried out", "done", "good"),
    "refused": State("Refused", "failed", "bad"),
    "expired": State("Expired", "expired", "quiet", "Nobody agreed within a day"),
    "cancelled": State("Cancelled", "cancelled", "quiet", "Taken back, or void by a change"),
}

HEALTH: Mapping[str, State] = {
    "ok": State("Healthy", "done", "good"),
    "degraded": State("Degraded", "warn", "warn"),
    "outage": State("Not answering", "failed", "bad"),
    "off": State("Not set up", "dotted", "quiet"),
}

VERSION: Mapping[str, str] = {
    "pending": "not in use yet",
    "active": "active",
    "retiring": "being retired",
    "retired": "retired",
    "revoked": "revoked",
}

KINDS: Mapping[str, str] = {name: kind.label for name, kind in case_kinds.KINDS.items()}


def sub_words(sub_state: str, rail: str) -> str | None:
    """Say where inside a status a payment by a rail stands; None where nothing is awaited."""
    said = rail_words.of(rail).sub_states.get(sub_state)
    return f"{said[0].upper()}{said[1:]}" if said else _SUB_WORDS.get(sub_state)


def of_payment(payment: Payment) -> State:
    """Show where a payment stands, the sub-state first where it asks for somebody."""
    said = rail_words.of(payment.rail)
    if payment.sub_state == PaymentSub.UNKNOWN_OUTCOME:
        return _UNKNOWN
    if payment.status == Status.FAILED and payment.failure_reason == "expired":
        return PAYMENT["expired"]
    if payment.status == Status.PENDING and payment.sub_state == PaymentSub.REQUIRES_ACTION:
        return State("Needs the buyer", "action", "warn", said.needs_payer)
    if payment.status == Status.PENDING and payment.provider_code:
        return State("Pending", "open", "quiet", said.last_refused)
    if payment.status == Status.PROCESSING and payment.sub_state == PaymentSub.REQUIRES_CAPTURE:
        return State("Held, not captured", "hold", "info", f"Reserved {said.held_at}")
    return PAYMENT[payment.status]


def of_order(order: Order) -> State:
    """Show where an order stands."""
    if order.status == "awaiting_deposit" and order.request_status == "payment":
        return _FUNDS_SEEN
    return ORDER[order.status]


def of_milestone(milestone: Milestone, *, funded: bool) -> State:
    """Show a milestone: released, refunded, funded or waiting for money."""
    if milestone.released_minor >= milestone.amount_minor:
        return State("Released", "released", "good")
    if milestone.refunded_minor >= milestone.amount_minor:
        return State("Refunded", "refunded", "quiet")
    return State("Funded", "half", "info") if funded else State("Unfunded", "open", "quiet")


def of_inbound(row: InboundEvent) -> State:
    """Show what became of an inbound event."""
    return INBOUND[row.state]


def of_kind(kind: str) -> State:
    """Show the kind of an open case as a mark on its payment."""
    shape = "question" if kind in ("UNKNOWN_OUTCOME", "UNMATCHED", "UNMAPPED_VALUE") else "warn"
    return State(KINDS.get(kind, kind), shape, "warn")

"""What was said of a payment, as words of its timeline: by its provider, or by people in its place."""

from __future__ import annotations

from collections.abc import Mapping

from core import rail_words
from core.fold import (
    AWAITING_BANK,
    CHARGE_FAILED,
    DISPUTE_FEE,
    DISPUTE_REINSTATED,
    DISPUTE_WITHDRAWN,
    MARKED_CANCELLED,
    MARKED_COMPLETED,
    MARKED_FAILED,
    REFUND_FAILED,
    REFUND_PENDING,
    REFUND_SUCCEEDED,
    VALIDATED,
)
from models.payments import PaymentFact

# What reads alike on every rail; the rest is in `core/rail_words.py`.
_WORDS: Mapping[str, str] = {
    "created": "Created",
    "processing": "Processing",
    "authorized": "Authorised, not captured",
    "failed": "Failed",
    "expired": "Expired",
    "cancelled": "Cancelled",
    "succeeded": "Succeeded",
    VALIDATED: "The card is proved",
    MARKED_COMPLETED: "Marked completed by hand",
    MARKED_FAILED: "Marked failed by hand",
    MARKED_CANCELLED: "Marked cancelled by hand",
    REFUND_PENDING: "Refund on its way",
    REFUND_SUCCEEDED: "Refunded",
    REFUND_FAILED: "Refund failed",
    DISPUTE_WITHDRAWN: "The payer's bank took money back",
    DISPUTE_REINSTATED: "The payer's bank gave money back to us",
    DISPUTE_FEE: "A dispute cost a fee",
}
BAD = frozenset({"attempt_failed", "failed", REFUND_FAILED, DISPUTE_WITHDRAWN, CHARGE_FAILED})
BY_HAND = frozenset({MARKED_COMPLETED, MARKED_FAILED, MARKED_CANCELLED})


def of(fact: PaymentFact, rail: str) -> str:
    """Say one fact of a payment that a rail pays."""
    said = rail_words.of(rail).facts.get(fact.kind) or _WORDS[fact.kind]
    if fact.kind != AWAITING_BANK:
        return said
    # A bank's progress is told step by step; what the provider calls each tells them apart.
    return f"{said} ({fact.fact_key.rsplit(':', 1)[-1]})"

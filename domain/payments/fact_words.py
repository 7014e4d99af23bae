"""What was said of a payment, as words of its timeline: by its provider, or by people in its place."""

from __future__ import annotations

from collections.abc import Mapping

from core.fold import (
    AWAITING_BANK,
    AWAITING_PAYER,
    CHARGE_FAILED,
    CHARGE_PAID,
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

WORDS: Mapping[str, str] = {
    AWAITING_PAYER: "Waiting for the payer to agree at their bank",
    AWAITING_BANK: "Their bank has it",
    "created": "Created",
    "requires_payment_method": "Waiting for a card",
    "attempt_failed": "Card declined",
    "requires_action": "3D Secure needed",
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
    CHARGE_PAID: "The debit was paid",
    CHARGE_FAILED: "The debit failed",
}
BAD = frozenset({"attempt_failed", "failed", REFUND_FAILED, DISPUTE_WITHDRAWN, CHARGE_FAILED})
BY_HAND = frozenset({MARKED_COMPLETED, MARKED_FAILED, MARKED_CANCELLED})

"""How `/v1/stripe` spells where a payment without an order stands: source 002's words, and which are ends."""

from __future__ import annotations

from enum import StrEnum

from core.states import Payment, PaymentSub


class TransactionWord(StrEnum):
    """created: written down, and nothing of it is known at the provider yet."""

    CREATED = "created"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUNDED = "refunded"


# Whoever waits for anything waits no longer at one of these (resolution C22).
ENDS = frozenset(
    {
        TransactionWord.SUCCEEDED,
        TransactionWord.FAILED,
        TransactionWord.CANCELED,
        TransactionWord.REFUNDED,
    }
)
# The states that have one word whatever else is known; `pending` has three.
SPELLED = {
    Payment.PROCESSING: TransactionWord.PENDING,
    Payment.COMPLETED: TransactionWord.SUCCEEDED,
    Payment.FAILED: TransactionWord.FAILED,
    Payment.CANCELLED: TransactionWord.CANCELED,
    Payment.RELEASED: TransactionWord.REFUNDED,
    Payment.REFUNDED: TransactionWord.REFUNDED,
}


def word_of(status: str, sub_state: str, *, is_at_provider: bool) -> TransactionWord:
    """Spell a payment's state. is_at_provider: the provider is known to have something of it."""
    if status != Payment.PENDING:
        return SPELLED[Payment(status)]
    if sub_state == PaymentSub.REQUIRES_ACTION:
        return TransactionWord.REQUIRES_ACTION
    # Where an answer was lost, the provider may well have something.
    if is_at_provider or sub_state != PaymentSub.NONE:
        return TransactionWord.PENDING
    return TransactionWord.CREATED

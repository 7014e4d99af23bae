"""What a payment is for: an order's deposit or balance, or an act of a card without an order."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """`deposit` and `balance` pay an order; the others have none, and `/v1` calls them transactions.

    top_up: credits its payer's wallet; coupon: the same, paid by a promotion; card_validation: a small
    hold that proves a card and is let go; card_setup: proves and keeps a card without any amount.
    """

    DEPOSIT = "deposit"
    BALANCE = "balance"
    TOP_UP = "top_up"
    COUPON = "coupon"
    CARD_VALIDATION = "card_validation"
    CARD_SETUP = "card_setup"


OF_ORDERS = frozenset({Purpose.DEPOSIT, Purpose.BALANCE})
# They prove a card. Nothing is to be received, and that the hold ends is no failure.
CHECKS = frozenset({Purpose.CARD_VALIDATION, Purpose.CARD_SETUP})
# One try of a kept card, without a page on which its payer could try another: a refusal ends it.
ONE_SHOT = frozenset({Purpose.TOP_UP, Purpose.CARD_VALIDATION})
# What credits its payer's wallet once it is confirmed.
TO_WALLET = frozenset({Purpose.TOP_UP, Purpose.COUPON})
# Source 002's word for the type of a transaction.
TRANSACTION_TYPE = {
    Purpose.TOP_UP: "payment",
    Purpose.COUPON: "coupon",
    Purpose.CARD_VALIDATION: "payment_method_validation",
    Purpose.CARD_SETUP: "payment_method_validation",
}


def owed_minor(purpose: str, amount_minor: int) -> int:
    """Say what a payment of an amount is to receive: a check takes nothing, its hold is let go. Minor units."""
    return 0 if purpose in CHECKS else amount_minor

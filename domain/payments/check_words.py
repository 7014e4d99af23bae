"""How the check of a card reads on its timeline: a hold that proved it and was let go, or a setup."""

from __future__ import annotations

from collections.abc import Mapping

from core.fold import VALIDATED
from core.money import Money, asset
from core.purposes import CHECKS, Purpose
from core.states import Payment as Status
from models.payments import Payment

OPERATIONS: Mapping[str, str] = {
    "create_setup": "Asked the provider to keep a card",
    "release_hold": "Asked the provider to let the hold go",
}
_SETUP: Mapping[str, str] = {
    "created": "A form for the card was opened",
    "attempt_failed": "The card was refused",
    "requires_action": "The bank asked the card's owner (3D Secure)",
    VALIDATED: "The bank agreed; the card is kept",
    "cancelled": "The form was closed",
    "expired": "Nobody completed the form in time",
}


def started(payment: Payment) -> str | None:
    """Say what began, None for what is no check."""
    if payment.purpose == Purpose.CARD_SETUP:
        return "A card is to be kept; nothing is charged"
    if payment.purpose == Purpose.CARD_VALIDATION:
        return f"A hold of {_amount(payment)} is to prove the card; nothing is charged"
    return None


def facts(payment: Payment) -> Mapping[str, str]:
    """Give the words for what the provider says of a check; none for any other payment."""
    if payment.purpose not in CHECKS:
        return {}
    if payment.purpose == Purpose.CARD_SETUP:
        return _SETUP
    is_proved = payment.status == Status.COMPLETED
    return {
        "created": "The hold was asked for",
        "attempt_failed": "The card was refused; nothing is held",
        "requires_action": "The bank asks the card's owner (3D Secure)",
        "authorized": f"A hold of {_amount(payment)} proved the card",
        "cancelled": "The hold was let go" if is_proved else "The check was cancelled",
        "expired": "Nobody confirmed in time; nothing is held",
        "succeeded": f"{_amount(payment)} of the hold was taken, which nobody here asked for",
    }


def _amount(payment: Payment) -> str:
    held = Money(payment.amount_minor, asset(payment.asset))
    return f"{held.major()} {held.asset.code}"

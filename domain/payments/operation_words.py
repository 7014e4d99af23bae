"""What we asked a provider for, as a sentence of a payment's timeline."""

from __future__ import annotations

from collections.abc import Mapping

from domain.payments import captures, check_words
from models.operations import Operation

_WORDS: Mapping[str, str] = {
    "dispute_evidence": "Handed evidence to the payer's bank",
    "dispute_close": "Gave a dispute up at the provider",
    "create_intent": "Asked the provider for a payment intent",
    "create_checkout": "Asked the provider for a checkout page",
    "create_link": "Asked the provider for a link to the payer's bank",
    **check_words.OPERATIONS,
    "apply_coupon": "Asked the provider to turn the coupon into credit",
    "cancel": "Asked the provider to cancel",
    "expire": "Asked the provider to end the expired attempt",
    "refund": "Asked the provider for a refund",
}


def sentence(row: Operation) -> str:
    """Say what was asked and how far it is."""
    if row.kind != captures.KIND:
        return f"{_WORDS[row.kind]}: {row.state}"
    asked = captures.as_asked(row)
    part = f", and to let {asked.let_go.major()} go" if asked.let_go.minor else ""
    said = f"{asked.amount.major()} {asked.amount.asset.code}"
    return f"Asked the provider to capture {said}{part}: {row.state}"

"""A checkout session as it is when it is asked for, together with its payment intent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.fold import Fact
from providers.said import KeyedFact, Reading
from providers.stripe import charges
from providers.stripe.errors import decline_words
from providers.stripe.reading import read_intent, read_session
from providers.stripe.things import Thing, thing, word


def read_truth(subject: Thing, *, said_at: datetime) -> Reading:
    """Read a session with its intent, which tells what a session alone does not: that a card was
    declined, and that a payment which takes days has failed.

    Raises: UnreadableDelivery, UnmappedProviderValue
    Source: https://docs.stripe.com/payments/checkout/fulfill-orders (delayed payment methods)
    """
    intent = thing(subject.get("payment_intent"))
    is_unpaid = (subject.get("status"), subject.get("payment_status")) == ("complete", "unpaid")
    if not intent or not (subject.get("status") == "open" or is_unpaid):
        return _with_debit(read_session(subject, said_at=said_at), intent, said_at)
    if is_unpaid and intent.get("status") in ("requires_payment_method", "canceled"):
        # Nobody can pay on a completed page again.
        return _failed(subject, intent, said_at)
    said = read_intent(intent, said_at=said_at)
    own = word(subject.get("id"))
    return replace(said, references=(own, *said.references)) if own else said


def _with_debit(said: Reading, intent: Thing, said_at: datetime) -> Reading:
    """Add what became of the debit behind a page: that one was paid does not mean that it stays so."""
    told = charges.paid_by(intent, word(intent.get("status")) or "", said_at) if intent else ()
    return replace(said, facts=(*said.facts, *told))


def _failed(subject: Thing, intent: Thing, said_at: datetime) -> Reading:
    said = read_session(subject, said_at=said_at, kind="failed")
    error = thing(intent.get("last_payment_error"))
    code, decline = word(error.get("code")), word(error.get("decline_code"))
    message = decline_words(code, decline) if error else None
    fact = Fact("failed", said_at, code=decline or code, message=message)
    return replace(said, facts=tuple(KeyedFact(each.key, fact) for each in said.facts))

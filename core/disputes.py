"""What a dispute may be, in the provider's own words: how far each is, what still can be done, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Stripe's words, kept. Those of a warning are of an inquiry: the bank asks, no money is taken.

    Source: https://docs.stripe.com/api/disputes/object#dispute_object-status
    """

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"


S = Status
NEEDS_ANSWER = frozenset({S.WARNING_NEEDS_RESPONSE, S.NEEDS_RESPONSE, S.APPEAL_NEEDS_RESPONSE})
CLOSED = frozenset({S.WARNING_CLOSED, S.WON, S.LOST, S.PREVENTED})
OPEN = frozenset(Status) - CLOSED
# The bank only asks: the payment may still be given back, which ends the inquiry.
# Source: https://docs.stripe.com/disputes/how-disputes-work#inquiries
INQUIRY = frozenset({S.WARNING_NEEDS_RESPONSE, S.WARNING_UNDER_REVIEW, S.WARNING_CLOSED})
# Evidence was given, whoever gave it.
ANSWERED = frozenset({S.WARNING_UNDER_REVIEW, S.UNDER_REVIEW, S.APPEAL_UNDER_REVIEW})
# Which of two words that were said in the same second is the later one.
RANK: Mapping[Status, int] = {
    S.WARNING_NEEDS_RESPONSE: 0,
    S.WARNING_UNDER_REVIEW: 10,
    S.NEEDS_RESPONSE: 20,
    S.UNDER_REVIEW: 30,
    S.APPEAL_NEEDS_RESPONSE: 40,
    S.APPEAL_UNDER_REVIEW: 50,
    S.WARNING_CLOSED: 60,
    S.PREVENTED: 61,
    S.WON: 62,
    S.LOST: 63,
}


def is_later(status: str, said_at: datetime, *, than: str, known_at: datetime) -> bool:
    """Tell whether a word about a dispute came after the one that is known; the same again is not."""
    new = (said_at, RANK[Status(status)])
    return new > (known_at, RANK[Status(than)])


def is_further(status: str, *, than: str) -> bool:
    """Tell whether a word says more than another, whenever each was said."""
    return RANK[Status(status)] > RANK[Status(than)]


def contradicts(status: str, said_at: datetime, *, known: str, known_at: datetime) -> bool:
    """Tell whether an older word says more than the one that is known, so that the provider is asked.

    Its clock and ours differ a little, so what it says now may have been dated before its last answer.
    """
    older = not is_later(status, said_at, than=known, known_at=known_at)
    return older and is_further(status, than=known)

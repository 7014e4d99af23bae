"""The steps of a run in their order, and what one page of each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from domain.reconciliation import (
    again,
    asking,
    backfill,
    comparing,
    comparing_bookings,
    comparing_disputes,
    comparing_entries,
    comparing_refunds,
    gone,
    listings,
)
from domain.reconciliation.pages import Page
from models.reconciliation import ReconciliationRun
from providers.list_seam import Listing

Step = Callable[[ReconciliationRun], Page]
END = "end"
_READING: Mapping[str, Step] = {
    "payments": partial(listings.read, what=Listing.PAYMENTS),
    "payments_asked": partial(asking.ask, what=Listing.PAYMENTS),
    "refunds": partial(listings.read, what=Listing.REFUNDS),
    "refunds_asked": partial(asking.ask, what=Listing.REFUNDS),
    "disputes": partial(listings.read, what=Listing.DISPUTES),
    "disputes_asked": partial(asking.ask, what=Listing.DISPUTES),
    "again": again.look,
}
_COMPARING: Mapping[str, Step] = {
    "compare_payments": comparing.compare,
    "compare_refunds": comparing_refunds.compare,
    "compare_disputes": comparing_disputes.compare,
    "compare_bookings": comparing_bookings.compare,
    "compare_payouts": comparing_bookings.compare_payouts,
    "compare_entries": comparing_entries.compare,
    "gone": gone.look,
}
STEPS: Mapping[str, Step] = {**_READING, **_COMPARING}
FIRST = next(iter(STEPS))
# The step from which on everything was read, so that it is known how much there is to compare.
FIRST_COMPARING = next(iter(_COMPARING))
_BACKFILL: Mapping[str, Step] = {backfill.STEP: backfill.apply_next}
# What a step does, for people.
LABELS: Mapping[str, str] = {
    "payments": "Reading payments",
    "payments_asked": "Asking for payments that were not listed",
    "refunds": "Reading refunds",
    "refunds_asked": "Asking for refunds that were not listed",
    "disputes": "Reading disputes",
    "disputes_asked": "Asking for disputes that were not listed",
    "again": "Looking again at what seems to be missed",
    "compare_payments": "Comparing payments",
    "compare_refunds": "Comparing refunds",
    "compare_disputes": "Comparing disputes",
    "compare_bookings": "Comparing bookings",
    "compare_payouts": "Comparing payouts",
    "compare_entries": "Looking through the books",
    "gone": "Looking for what is gone",
    backfill.STEP: "Applying what was missed",
}


def of(name: str) -> Step:
    """Give a step by its name."""
    return STEPS.get(name) or _BACKFILL[name]


def following(name: str) -> str:
    """Name the step after a step; `end` after the last one."""
    names = list(STEPS)
    if name not in names or name == names[-1]:
        return END
    return names[names.index(name) + 1]

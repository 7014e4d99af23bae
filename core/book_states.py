"""State sets of what the books bring: invoices, their documents, months, comparisons, rules that are watched.

`core/states.py` takes their moves into its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Invoice(StrEnum):
    """`pending_payment`: an attempt is open; `paid`: detected, not final."""

    OPEN = "open"
    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    CONFIRMED = "confirmed"
    REFUNDED = "refunded"
    VOID = "void"


class Document(StrEnum):
    """A document waits to be printed, and is printed once."""

    WAITING = "waiting"
    PRINTED = "printed"
    DEAD = "dead"


class Period(StrEnum):
    """A month of the books; `closing` while it waits for the second signature."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    REOPENED = "reopened"


class Run(StrEnum):
    """One comparison with a provider."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Difference(StrEnum):
    """What becomes of one thing that differed.

    `open`: people decide, there is a case; `offered`: a backfill would bring it right; `stale`: it was to be
    applied, and would have done something else than was shown; `gone`: a later run found it no more.
    """

    OPEN = "open"
    OFFERED = "offered"
    APPLIED = "applied"
    STALE = "stale"
    GONE = "gone"


class Rule(StrEnum):
    """How an invariant stands."""

    GREEN = "green"
    RED = "red"


# kind → state → the states it may move to, in words.
MOVES: Mapping[str, Mapping[str, str]] = {
    "invoice": {
        "open": "pending_payment paid confirmed refunded void",
        "pending_payment": "open paid confirmed refunded",
        "paid": "confirmed refunded pending_payment open",
        "confirmed": "refunded paid pending_payment open",
        "refunded": "confirmed paid pending_payment open",
        "void": "",
    },
    "document": {"waiting": "printed dead", "dead": "waiting printed", "printed": ""},
    "period": {
        "open": "closing",
        "closing": "closed open reopened",
        "closed": "reopened",
        "reopened": "closing",
    },
    "reconciliation": {
        "running": "finished cancelled failed",
        "finished": "",
        "cancelled": "",
        "failed": "",
    },
    "difference": {
        "open": "gone",
        "offered": "applied stale gone",
        "stale": "gone",
        "applied": "",
        "gone": "",
    },
}

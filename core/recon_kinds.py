"""Every kind of difference that a comparison with a provider can find: what it is called and what it means.

Three are compared: what we say (operations and payments), what they say (the provider's objects), and what
the books say (the ledger). Reliability H3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind. label: on the desk; means: a sentence for people; advice: what usually brings it right.

    about: what it is about; case: the beginning of its case's subject, which other finders share where
    they find the same (the janitor, a settlement), so that one thing has one case.
    """

    label: str
    about: str
    means: str
    advice: str
    case: str


MISSING_HERE = "recon_missing_here"
MISSING_THERE = "recon_missing_there"
STATUS_DIFFERS = "recon_status_differs"
AMOUNT_DIFFERS = "recon_amount_differs"
CURRENCY_DIFFERS = "recon_currency_differs"
NOT_BOOKED = "recon_not_booked"
BOOKED_TWICE = "recon_booked_twice"
BOOKED_OTHER = "recon_booked_other"
ORPHAN_ENTRY = "recon_orphan_entry"
REFUND_MISSING_HERE = "recon_refund_missing_here"
REFUND_MISSING_THERE = "recon_refund_missing_there"
REFUND_DIFFERS = "recon_refund_differs"
DISPUTE_MISSING_HERE = "recon_dispute_missing_here"
DISPUTE_MISSING_THERE = "recon_dispute_missing_there"
DISPUTE_DIFFERS = "recon_dispute_differs"
BOOKING_UNOWNED = "recon_booking_unowned"
BOOKING_NOT_POSTED = "recon_booking_not_posted"
FEE_DIFFERS = "recon_fee_differs"
PAYOUT_DIFFERS = "recon_payout_differs"
PAYOUT_UNMATCHED = "recon_payout_unmatched"
NOT_COMPARED = "recon_not_compared"

KINDS: Mapping[str, Kind] = {
    MISSING_HERE: Kind(
        "Unknown here",
        "payment",
        "The provider took money that belongs to no payment of ours.",
        "Find out who made it. Give it back at the provider, or enter it by hand with its reference.",
        "missing_here",
    ),
    MISSING_THERE: Kind(
        "Unknown there",
        "payment",
        "We have a payment under a name that the provider does not know.",
        "Look at the provider with the account and mode that the payment was made in.",
        "missing",
    ),
    STATUS_DIFFERS: Kind(
        "Status differs",
        "payment",
        "We and the provider say different things of where a payment stands.",
        "Ask the provider from the payment's page; a missed fact is applied by the backfill.",
        "confirm",
    ),
    AMOUNT_DIFFERS: Kind(
        "Amount differs",
        "payment",
        "Both say that money arrived, and not how much.",
        "Look at the captures and top-ups of the payment at the provider.",
        "confirm",
    ),
    CURRENCY_DIFFERS: Kind(
        "Currency differs",
        "payment",
        "The provider holds the payment in another currency than we asked for.",
        "Nothing was moved. Give it back at the provider and have it paid again.",
        "asset",
    ),
    NOT_BOOKED: Kind(
        "Not booked",
        "payment",
        "We and the provider agree, and the books have no entry of it.",
        "Enter it by hand with the order, the invoice and the provider's reference.",
        "not_booked",
    ),
    BOOKED_TWICE: Kind(
        "Booked twice",
        "payment",
        "The books have it more than once.",
        "Reverse the entry that has no fact of the provider behind it.",
        "booked_twice",
    ),
    BOOKED_OTHER: Kind(
        "Booked with another amount",
        "payment",
        "The books have it with another amount than we and the provider say.",
        "Reverse the entry and enter what is right, with the provider's reference.",
        "booked_other",
    ),
    ORPHAN_ENTRY: Kind(
        "Entry without cause",
        "entry",
        "The books have an entry on the provider's account and nothing of ours stands behind it.",
        "Reverse it, unless its cause is found.",
        "orphan_entry",
    ),
    REFUND_MISSING_HERE: Kind(
        "Refund unknown here",
        "refund",
        "The provider gave money back that we know nothing of.",
        "The backfill takes it in; find out who gave it back without us.",
        "refund_missing_here",
    ),
    REFUND_MISSING_THERE: Kind(
        "Refund unknown there",
        "refund",
        "We say that money was given back, and the provider has no such refund.",
        "The payer may not have the money. Look at the provider before anything is given back again.",
        "refund_missing_there",
    ),
    REFUND_DIFFERS: Kind(
        "Refund differs",
        "refund",
        "A refund has another amount or another state at the provider.",
        "Ask the provider from the payment's page; a missed fact is applied by the backfill.",
        "refund_differs",
    ),
    DISPUTE_MISSING_HERE: Kind(
        "Dispute unknown here",
        "dispute",
        "A payer's bank asks money back and we know nothing of it.",
        "The backfill takes it in. Mind until when the bank wants an answer.",
        "dispute_missing_here",
    ),
    DISPUTE_MISSING_THERE: Kind(
        "Dispute unknown there",
        "dispute",
        "We have a dispute that the provider does not know.",
        "Look at the provider with the account and mode that the payment was made in.",
        "dispute_missing_there",
    ),
    DISPUTE_DIFFERS: Kind(
        "Dispute differs",
        "dispute",
        "A dispute stands otherwise at the provider than here.",
        "Ask the provider from the payment's page; a missed word is applied by the backfill.",
        "dispute_differs",
    ),
    BOOKING_UNOWNED: Kind(
        "Booking of nobody",
        "booking",
        "The provider booked something for a payment that we do not know; it is posted nowhere.",
        "Find out whose it is. Once its payment is known, it is posted by itself.",
        "booking_unowned",
    ),
    BOOKING_NOT_POSTED: Kind(
        "Booking not posted",
        "booking",
        "The provider booked something on our balance and our books have no entry of it.",
        "It is posted with the next reading of bookings; if it stays, look at the log of the worker.",
        "booking_not_posted",
    ),
    FEE_DIFFERS: Kind(
        "Fee differs",
        "booking",
        "The provider kept another fee than our books say.",
        "Reverse the fee entry and enter what the provider's booking says.",
        "fee_differs",
    ),
    PAYOUT_DIFFERS: Kind(
        "Payout differs",
        "payout",
        "A payout to our bank is booked otherwise than the provider says.",
        "Compare the payout's bookings at the provider with its entry.",
        "payout_differs",
    ),
    PAYOUT_UNMATCHED: Kind(
        "Payout not at the bank",
        "payout",
        "The provider says that it paid out, and no line of the bank shows it yet.",
        "Match it with the line of the bank statement; ask the provider for its trace if there is none.",
        "payout_unmatched",
    ),
    NOT_COMPARED: Kind(
        "Not compared",
        "object",
        "The provider's object could not be read, or the provider did not answer when asked for it.",
        "It is compared again by the next run.",
        "not_compared",
    ),
}


def label_of(kind: str) -> str:
    """Name a kind for people; a word that is not of the table stays as it is."""
    return KINDS[kind].label if kind in KINDS else kind


def case_subject(kind: str, subject: str) -> str:
    """Say what the case of a difference is about: the same words in every run, and for every finder."""
    return f"{KINDS[kind].case}:{subject}"

"""What the judge leaves out where it counts payments: what the provider books by itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.rig import checked_disputes

if TYPE_CHECKING:
    from tests.rig.checker import Book

_KINDS = frozenset(
    {"fee", "exchange", "provider_adjustment", "provider_payout", "provider_payout_failed"}
)


def is_own(entry: Any) -> bool:
    """Tell whether an entry says what the provider booked, beside what arrived, went back or is disputed."""
    return entry["kind"] in _KINDS


def booked(book: Book) -> Counter[str]:
    """Sum what the provider's clearing account was debited, per payment."""
    entries = {row["id"]: row for row in book["journal_entries"]}
    booked = Counter[str]()
    for line in book["postings"]:
        entry = entries[line["entry_id"]]
        is_clearing = line["address"].startswith("provider:") and line["address"].endswith(
            ":clearing"
        )
        is_apart = checked_disputes.is_of_dispute(entry) or is_own(entry)
        if is_clearing and not is_apart:
            booked[entry["payment_id"]] += line["amount_minor"]
    return booked

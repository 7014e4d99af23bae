"""What the judge asks of disputes: each once, moving what the provider moved, lost or at risk as it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.rig.checker import Book, Claim

CLOSED = frozenset({"won", "lost", "warning_closed", "prevented"})


def is_of_dispute(entry: Any) -> bool:
    """Tell whether a journal entry is of a dispute, and so no receipt or refund."""
    return str(entry["kind"]).startswith("dispute_")


def check(book: Book, claim: Claim) -> Iterator[str]:
    """Give each dispute that the books, its order or the provider contradict."""
    entries = {row["id"]: row for row in book["journal_entries"] if is_of_dispute(row)}
    moved, at_risk = Counter[str](), Counter[str]()
    for line in book["postings"]:
        entry = entries.get(line["entry_id"])
        if entry is not None and line["address"].endswith(":clearing"):
            moved[entry["provider_reference"]] += line["amount_minor"]
        if line["address"].endswith(":at_risk"):
            at_risk[line["address"].split(":")[1]] += line["amount_minor"]
    orders = {row["id"]: row for row in book["orders"]}
    for row in book["disputes"]:
        kept = row["withdrawn_minor"] - row["reinstated_minor"]
        wanted = 0 if row["status"] == "lost" else kept
        if at_risk[row["id"]] != wanted:
            yield f"{row['id']} ({row['status']}) has {at_risk[row['id']]} at risk, not {wanted}"
        if (row["closed_at"] is not None) != (row["status"] in CLOSED):
            yield f"{row['id']} is {row['status']}, closed at {row['closed_at']}"
        order = orders.get(row["order_id"])
        if order is not None and row["status"] not in CLOSED and order["release_hold"] is None:
            yield f"{row['id']} is open and {row['order_id']} is not held"
    if claim.truth is not None and claim.is_idle:
        yield from _against_truth(book, claim, moved)


def _against_truth(book: Book, claim: Claim, moved: Counter[str]) -> Iterator[str]:
    ours = {row["provider_reference"]: row for row in book["disputes"]}
    there = {
        each["id"]: each
        for line in (claim.truth or {}).values()
        for each in line.get("disputes", ())
    }
    for name in ours.keys() ^ there.keys():
        yield f"{name} is known {'here' if name in ours else 'at the provider'} only"
    for name in ours.keys() & there.keys():
        if ours[name]["status"] != there[name]["status"]:
            yield f"{name} is {ours[name]['status']} here, {there[name]['status']} at the provider"
        if moved[name] != there[name]["net"]:
            yield f"{name} moved {moved[name]} here, {there[name]['net']} at the provider"
        if there[name]["evidence_details"]["submission_count"] > 1:
            yield f"evidence of {name} was handed in more than once"

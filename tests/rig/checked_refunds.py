"""What the judge asks of refunds: each once, never more than arrived, totals as their rows say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rig.checker import Book, Claim

ENDED = frozenset({"failed", "cancelled"})


def check(book: Book, claim: Claim) -> Iterator[str]:
    """Give each refund, and each total of a payment, that its rows contradict."""
    refunds = book.by("refunds", "payment_id")
    known = Counter(row["provider_reference"] for row in book["refunds"])
    yield from (
        f"{count} refunds are {name}" for name, count in known.items() if name and count > 1
    )
    for payment in book["payments"]:
        own = refunds.get(payment["id"], [])
        back = sum(each["amount_minor"] for each in own if each["state"] == "succeeded")
        open_ = [
            each for each in own if each["state"] in {"pending_approval", "pending", "unknown"}
        ]
        asked = sum(each["amount_minor"] for each in open_)
        if back != payment["refunded_minor"] or payment["refunding_minor"] > asked:
            yield f"{payment['id']} counts {payment['refunded_minor']} as given back, its refunds {back}"
        if back + payment["refunding_minor"] > payment["received_minor"]:
            yield f"{payment['id']} gives back more than it received"
        if (payment["status"] == "refunded") != (back == payment["received_minor"] > 0) and (
            payment["status"] not in ENDED
        ):
            yield f"{payment['id']} is {payment['status']}, {back} of it was given back"
        if claim.is_idle and any(each["state"] in {"pending", "unknown"} for each in open_):
            yield f"{payment['id']} has a refund that nobody finished"

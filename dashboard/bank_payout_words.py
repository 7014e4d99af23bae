"""How payouts of providers to our bank read on the desk: states, rows, what may be done with one. No routes."""

from __future__ import annotations

from collections.abc import Mapping

from core.permissions import Permission
from dashboard import listing, words
from dashboard.shapes import Act, State, View
from domain.actors import Actor
from domain.reconciliation.payouts import RETURNED
from models.reconciliation import ProviderPayout
from providers.book_seam import BookingKind

HERE = "/reconciliation/payouts"
_STATES: Mapping[str, State] = {
    "pending": State("Not sent yet", "open", "quiet"),
    "in_transit": State("On its way", "half", "info"),
    "paid": State("Sent to the bank", "half", "info"),
    "failed": State("Came back", "failed", "bad"),
    "canceled": State("Cancelled", "cancelled", "quiet"),
}
_FOUND = State("Found at the bank", "done", "good")
_WHO = "Finance and admins match payouts."
BOOKINGS: Mapping[str, str] = {
    BookingKind.ARRIVED.value: "Payment",
    BookingKind.REFUND.value: "Refund",
    BookingKind.DISPUTE.value: "Dispute",
    BookingKind.FEE.value: "Fee of the provider",
    BookingKind.EXCHANGE_FEE.value: "Fee of an exchange",
    BookingKind.PAYOUT.value: "Payout",
    BookingKind.PAYOUT_BACK.value: "Payout that came back",
    BookingKind.ADJUSTMENT.value: "Adjusted by the provider",
    BookingKind.UNKNOWN.value: "Not known here",
}


def state(row: ProviderPayout) -> State:
    """Say where a payout stands."""
    return _FOUND if row.matched_at else _STATES[row.status]


def short(row: ProviderPayout) -> str:
    """Write the provider's name for a payout in short."""
    return words.short(row.provider_reference)


def missing(row: ProviderPayout) -> str | None:
    """Say how much less the bank's line shows than was paid out."""
    less = row.amount_minor - (row.matched_minor or 0)
    if row.matched_minor is None or not less:
        return None
    return f"{words.plain(words.money(less, row.asset))} less than the payout"


def failure(row: ProviderPayout) -> str | None:
    """Write the provider's word for why a payout came back."""
    return row.failure.replace("_", " ") if row.failure else None


def row_view(row: ProviderPayout, actor: Actor) -> View:
    """Prepare a payout as a row of the list."""
    return {
        "id": row.id,
        "version": listing.version(row.status, str(row.matched_at)),
        "href": f"{HERE}/{row.id}",
        "provider": words.provider(row.provider),
        "state": state(row),
        "money": words.money(row.amount_minor, row.asset),
        "reference": words.ref("payout", row.provider_reference),
        "short": short(row),
        "expected": words.day(row.arrives_at or row.created_at),
        "begun": words.moment(row.created_at),
        "line": f"{row.bank_line} on {row.bank_account}" if row.matched_at else None,
        "missing": missing(row),
        "failure": failure(row),
        "demo": row.demo,
        "acts": [act(row, actor)],
    }


def act(row: ProviderPayout, actor: Actor) -> Act:
    """Offer to match a payout, or to take its match back; a forbidden act with the reason."""
    name, label = ("unmatch", "Take the match back") if row.matched_at else ("match", "Match")
    reason = None if actor.may(Permission.RECONCILIATION_MATCH) else _WHO
    if reason is None and row.status in RETURNED and not row.matched_at:
        reason = "It came back; no bank line shows it."
    return Act(f"{name}-{row.id}", label, f"{HERE}/{row.id}/{name}", reason is None, reason)

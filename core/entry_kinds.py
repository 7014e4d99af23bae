"""Every kind of journal entry: what it records, and which of order, invoice and references it must carry.

The database itself refuses an entry of another kind, or one that lacks what its kind needs
(`models/guards.py`). Requirement S46.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Tie(StrEnum):
    """One thing an entry can be traced to; each is a column of `journal_entries`."""

    ORDER = "order_id"
    INVOICE = "invoice_id"
    PAYMENT = "payment_id"
    REFERENCE = "provider_reference"
    REVERSED = "reverses_id"
    RESERVED = "resolves_id"
    NOTE = "note"


@dataclass(frozen=True)
class EntryKind:
    """One kind. label: what the desk calls it; needs: the ties without which it is refused."""

    label: str
    needs: frozenset[Tie]


def _kind(label: str, *needs: Tie) -> EntryKind:
    return EntryKind(label, frozenset(needs))


T = Tie
KINDS: Mapping[str, EntryKind] = {
    "deposit": _kind("Deposit received", T.ORDER, T.INVOICE, T.PAYMENT, T.REFERENCE),
    "top_up": _kind("Received from the payer", T.PAYMENT, T.REFERENCE),
    "coupon": _kind("Coupon given", T.PAYMENT, T.REFERENCE),
    "marked_deposit": _kind("Deposit marked by hand", T.ORDER, T.INVOICE, T.PAYMENT, T.REFERENCE),
    "marked_top_up": _kind("Top-up marked by hand", T.PAYMENT, T.REFERENCE),
    "mark_confirmed": _kind("What was marked by hand is confirmed", T.PAYMENT, T.REFERENCE),
    "late_receipt": _kind("Late money kept as unapplied", T.PAYMENT, T.REFERENCE),
    "late_failure": _kind("Taken back after it was final", T.PAYMENT),
    "refund": _kind("Refund", T.PAYMENT, T.REFERENCE),
    "dispute_withdrawn": _kind("Taken back by the payer's bank", T.PAYMENT, T.REFERENCE),
    "dispute_reinstated": _kind("Given back by the payer's bank", T.PAYMENT, T.REFERENCE),
    "dispute_fee": _kind("Fee of a dispute", T.PAYMENT, T.REFERENCE),
    "dispute_lost": _kind("Dispute lost", T.PAYMENT, T.REFERENCE),
    "wallet_credit": _kind("Credited to the wallet", T.PAYMENT),
    "case_credit": _kind("Credited to the buyer's funds", T.PAYMENT),
    "write_off": _kind("Written off", T.ORDER, T.PAYMENT),
    "fee": _kind("Fee of the provider", T.REFERENCE),
    "exchange": _kind("Exchanged by the provider", T.REFERENCE),
    "provider_adjustment": _kind("Adjusted by the provider", T.REFERENCE),
    "provider_payout": _kind("Paid out by the provider to our bank", T.REFERENCE),
    "provider_payout_failed": _kind("Payout of the provider came back", T.REFERENCE),
    "payout_matched": _kind("Payout found at our bank", T.REFERENCE, T.NOTE),
    "dust": _kind("Residue too small to ask for", T.PAYMENT, T.REFERENCE),
    "reserve": _kind("Reserved"),
    "void": _kind("Reservation let go", T.RESERVED),
    "spend": _kind("Spent", T.RESERVED),
    "reversal": _kind("Reversal", T.REVERSED, T.NOTE),
    "manual": _kind("Manual entry", T.NOTE, T.ORDER, T.INVOICE, T.REFERENCE),
}

# What arrived from a payer, told by its provider or by people in its place.
RECEIPTS = ("deposit", "top_up", "late_receipt", "marked_deposit", "marked_top_up")


def kinds_that_need(tie: Tie) -> list[str]:
    """Name the kinds that must carry a tie, in the order of the table."""
    return [name for name, kind in KINDS.items() if tie in kind.needs]


def label_of(kind: str) -> str:
    """Say what a kind of entry records; a word that is not of the table stays as it is."""
    return KINDS[kind].label if kind in KINDS else kind

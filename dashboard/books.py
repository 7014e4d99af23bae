"""How the books read on the desk: accounts by name, entries as small tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.money import Money
from dashboard import words
from dashboard.shapes import Entry, EntryLine
from models.ledger import JournalEntry

_KINDS = {
    "deposit": "Deposit received",
    "late_receipt": "Late money kept as unapplied",
    "marked_deposit": "Deposit marked by hand",
    "mark_confirmed": "What was marked by hand is confirmed",
    "dispute_withdrawn": "Taken back by the payer's bank",
    "dispute_reinstated": "Given back by the payer's bank",
    "dispute_fee": "Fee of a dispute",
    "dispute_lost": "Dispute lost",
    "wallet_credit": "Credited to the wallet",
    "case_credit": "Credited to the buyer's funds",
    "write_off": "Written off",
    "reversal": "Reversal",
    "manual": "Manual entry",
}
_PARTS = {
    "clearing": "clearing",
    "funds": "funds",
    "escrow_hold": "Escrow hold",
    "unapplied": "Unapplied",
}


def account(address: str) -> str:
    """Name an account for people: `provider:stripe:clearing` reads Stripe clearing."""
    owner, _, rest = address.partition(":")
    name, _, part = rest.rpartition(":")
    if owner == "provider":
        return f"{words.provider_label(name)} {_PARTS.get(part, part)}"
    if owner in ("dispute", "disputes"):
        return {"at_risk": "Held by the payer's bank", "lost": "Disputes lost"}.get(
            part, "Dispute fees"
        )
    if owner == "suspense":
        return f"{words.provider_label(part)}, told by hand"
    if owner == "wallet":
        return "The payer's wallet"
    if owner == "promotions":
        return "What coupons cost"
    if owner in ("buyer", "payer"):
        return f"{owner.capitalize()} {_PARTS.get(part, part)}"
    return _PARTS.get(part, address)


def short_address(address: str) -> str:
    """Write an address with its ids shortened."""
    return ":".join(words.short(part) for part in address.split(":"))


def entry_words(entry: JournalEntry) -> str:
    """Say what an entry records."""
    if entry.kind == "deposit" and entry.order_id is None:
        # Paid in or given as a coupon: the line below says by whom.
        return "Booked for the payer"
    return entry_kind(entry.kind)


def entry_kind(kind: str) -> str:
    """Say what a kind of entry records."""
    return _KINDS.get(kind, kind.replace("_", " ").capitalize())


def lines(movements: Sequence[tuple[str, str, Money]]) -> list[EntryLine]:
    """Write movements as the two sides of each."""
    found = []
    for debit, credit, amount in movements:
        shown = words.shown(amount)
        found += [
            EntryLine(short_address(debit), debit=shown),
            EntryLine(short_address(credit), credit=shown),
        ]
    return found


def entries(
    rows: Sequence[JournalEntry], movements: Mapping[str, list[tuple[str, str, Money]]]
) -> list[Entry]:
    """Prepare journal entries as small tables."""
    return [
        Entry(
            entry_words(row),
            lines(movements.get(row.id, [])),
            words.ref("journal entry", row.id),
            words.moment(row.posted_at),
        )
        for row in rows
    ]

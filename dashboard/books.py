"""How the books read on the desk: accounts by name, entries as small tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core import chart, entry_kinds
from core.chart import Pattern
from core.money import Money, asset
from core.permissions import Permission
from dashboard import words
from dashboard.shapes import Entry, EntryLine, Ref, Sum
from domain.actors import Actor
from domain.reconciliation import booking_entries
from models.ledger import JournalEntry


def account(address: str, names: Mapping[str, str] | None = None) -> str:
    """Name an account for people: `provider:stripe:clearing` reads Stripe clearing.

    names: those of people, merchants and orders by their ids; an id without one is shortened.
    """

    def say(part: str, value: str) -> str:
        if part == "provider":
            return words.provider_label(value)
        return (names or {}).get(value) or words.short(value)

    return chart.label_of(address, say)


_LINES = {
    chart.CLEARING: "Clearing at providers",
    chart.TRANSIT: "On its way from providers",
    chart.CASH: "Bank accounts",
    chart.FX_POSITION: "Exchanged at providers",
    chart.MERCHANT_PAYABLE: "Payable to merchants",
    chart.SELLER_PAYABLE: "Payable to sellers",
}
_PART = re.compile(r",? \{\w+\}")


def line(pattern: Pattern) -> str:
    """Name a line of the chart, all of its accounts together."""
    return _LINES.get(pattern) or _PART.sub("", pattern.label)


def short_address(address: str) -> str:
    """Write an address with its ids shortened."""
    return ":".join(words.short(part) for part in address.split(":"))


def entry_kind(kind: str) -> str:
    """Say what a kind of entry records."""
    return entry_kinds.label_of(kind)


def entry_words(entry: JournalEntry) -> str:
    """Say what an entry records."""
    return entry_kind(entry.kind)


def told_to(actor: Actor, rows: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Leave out what is between a provider and the house, such as its fees, for who is not staff."""
    return [row for row in rows if actor.is_staff or row.kind not in booking_entries.KINDS]


def booking_sums(entry: JournalEntry) -> list[tuple[str, Sum]]:
    """Say what is left of an amount once its provider's fee is taken, as that booked it."""
    said = entry.details
    net, unit = said.get("net"), said.get("asset")
    if entry.kind != booking_entries.FEE or not isinstance(net, str) or not isinstance(unit, str):
        return []
    return [("Net", words.shown(Money(int(net), asset(unit))))]


def booking_note(entry: JournalEntry) -> str | None:
    """Say at which rate a provider exchanged, in its own digits."""
    rate = entry.details.get("rate")
    if entry.kind != booking_entries.EXCHANGE or not isinstance(rate, str):
        return None
    return f"at {rate}, the provider's rate"


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


def entry_ref(entry_id: str, actor: Actor) -> Ref:
    """Show an entry's id, which leads to its page for those who may open it."""
    href = f"/journal/{entry_id}" if actor.may(Permission.JOURNAL_READ) else None
    return words.ref("journal entry", entry_id, href=href)


def entries(
    rows: Sequence[JournalEntry],
    movements: Mapping[str, list[tuple[str, str, Money]]],
    actor: Actor,
) -> list[Entry]:
    """Prepare journal entries as small tables."""
    return [
        Entry(
            entry_words(row),
            lines(movements.get(row.id, [])),
            entry_ref(row.id, actor),
            words.moment(row.posted_at),
        )
        for row in rows
    ]

"""How journal entries read on the desk: their rows, marks, sums, ties and where they came from. No routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from core import entry_kinds
from core.money import Asset, Money
from core.permissions import Permission
from dashboard import book_names, books, listing, words
from dashboard.shapes import Fact, Link, State, Sum, View
from domain import calendar
from domain.actors import Actor
from domain.books import book_queries
from domain.desk import Session
from models.ledger import JournalEntry

KIND_CHOICES = {"": "Any"} | {name: kind.label for name, kind in entry_kinds.KINDS.items()}
# Of an entry with many lines, a row of the list shows so many.
MOST_FLOWS = 2
# Where what an entry came from is shown, and what opens that page.
_SOURCES: Mapping[str, tuple[str, str, Permission]] = {
    "inbound": ("Event", "/webhooks/", Permission.INBOUND_READ),
    "approval": ("Approval", "/approvals/", Permission.APPROVALS_READ),
    "case": ("Case", "/exceptions/", Permission.EXCEPTIONS_READ),
    "user": ("Person", "/users/", Permission.USERS_ADMINISTER),
}
_OTHER_SOURCES = {"operation": "Our own call", "key": "API key", "api": "API"}
Movements = Sequence[tuple[str, str, Money]]


@dataclass
class Near:
    """What a page of entries is shown with. reversals: by what each was reversed; names: by id."""

    actor: Actor
    movements: Mapping[str, list[tuple[str, str, Money]]] = field(default_factory=dict)
    reversals: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def near(session: Session, rows: Sequence[JournalEntry], actor: Actor) -> Near:
    """Fetch what several entries are shown with."""
    ids = [row.id for row in rows]
    movements = book_queries.movements_of(session, ids)
    addresses = {address for found in movements.values() for flow in found for address in flow[:2]}
    return Near(
        actor,
        movements,
        book_queries.reversals_of(session, ids),
        book_names.of_accounts(session, addresses, actor),
    )


def totals(movements: Movements) -> list[View]:
    """Add up the debits of movements, which are what the credits are, per currency as the lines go."""
    found: Counter[Asset] = Counter()
    for _, _, amount in movements:
        found[amount.asset] += amount.minor
    sums = [words.shown(Money(minor, of)) for of, minor in found.items()]
    return [{"debits": each, "credits": each, "differs": False} for each in sums]


def sums(movements: Movements) -> list[Sum]:
    """Say how much an entry moves, per currency: what passes through an account on its way counts once."""
    changed: Counter[tuple[Asset, str]] = Counter()
    for debit, credit, amount in movements:
        changed[amount.asset, debit] += amount.minor
        changed[amount.asset, credit] -= amount.minor
    found: Counter[Asset] = Counter()
    for (of, _), minor in changed.items():
        found[of] += max(0, minor)
    return [words.shown(Money(minor, of)) for of, minor in found.items()]


def month(name: str) -> str:
    """Name a month of the books: `2026-11` reads November 2026."""
    if not calendar.is_month(name):
        return name
    return f"{calendar.days_of(name)[0]:%B %Y}"


def on(day: date) -> str:
    """Write a date."""
    return f"{day.day} {day:%b %Y}"


def marks(row: JournalEntry, reversed_by: str | None) -> list[State]:
    """Say what is out of the ordinary with an entry."""
    found = []
    if row.kind == "manual":
        found.append(State("Manual", "action", "info"))
    if row.late_of:
        found.append(State(f"Late of {month(row.late_of)}", "expired", "warn"))
    if reversed_by:
        found.append(State("Reversed", "refunded", "quiet"))
    elif (due := due_mark(row)) is not None:
        found.append(due)
    return found


def due_mark(row: JournalEntry) -> State | None:
    """Say until when an entry is to be reversed that was not yet."""
    if row.reversal_due_on is None:
        return None
    left = (row.reversal_due_on - calendar.today()).days
    if left < 0:
        return State("Reversal overdue", "warn", "bad", f"Was due on {on(row.reversal_due_on)}")
    return State(f"To be reversed by {on(row.reversal_due_on)}", "expired", "warn")


def ties(row: JournalEntry) -> list[Link]:
    """Link what an entry belongs to, in short."""
    found = []
    if row.payment_id:
        found.append(Link(words.short(row.payment_id), f"/payments/{row.payment_id}"))
    elif row.order_id:
        found.append(Link(words.short(row.order_id), f"/orders/{row.order_id}"))
    return found


def row_view(row: JournalEntry, near: Near) -> View:
    """Prepare one row of a list of entries."""
    movements = near.movements.get(row.id, [])
    flows = [
        {
            "debit": books.account(debit, near.names),
            "credit": books.account(credit, near.names),
        }
        for debit, credit, _ in movements[:MOST_FLOWS]
    ]
    reversed_by = near.reversals.get(row.id)
    return {
        "id": row.id,
        "version": listing.version(row.id, reversed_by or ""),
        "href": f"/journal/{row.id}",
        "title": books.entry_words(row),
        "sub": " · ".join(filter(None, (words.short(row.id), row.note))),
        "flows": flows,
        "more": words.counted(len(movements) - MOST_FLOWS, "more line")
        if len(movements) > MOST_FLOWS
        else None,
        "sums": sums(movements),
        "ties": ties(row),
        "marks": marks(row, reversed_by),
        "posted": words.moment(row.posted_at),
        "demo": row.demo,
    }


def source(row: JournalEntry, actor: Actor, names: Mapping[str, str]) -> Fact:
    """Say what an entry came from, with its page for those who may open it."""
    kind, colon, name = row.source.partition(":")
    if not colon:
        return Fact("Came from", row.source)
    if kind == "bookings":
        return Fact("Came from", f"What {words.provider_label(name)} books itself")
    label, place, permission = _SOURCES.get(kind, (_OTHER_SOURCES.get(kind, ""), "", None))
    if not label:
        return Fact("Came from", row.source)
    href = f"{place}{name}" if permission is not None and actor.may(permission) else None
    said = names.get(name)
    if said:
        return Fact("Came from", f"{label}: {said}", href=href)
    return Fact("Came from", ref=words.ref(f"{label.lower()} id", name, href=href), note=label)


def day_words(at: datetime) -> str:
    """Name the day of an instant on the house's clock."""
    return on(calendar.day_of(at))

"""When a provider's own bookings are read next, and how far they were read: one turn at a time."""

from __future__ import annotations

from sqlalchemy.orm import Session

from domain.reconciliation.books import Book
from domain.watch import turns
from domain.watch.turns import Work

EVERY_SECONDS = 60.0
LEASE_SECONDS = 180.0


def work_of(book: Book) -> Work:
    """Name the reading of one provider's account in one mode."""
    mode = "live" if book.livemode else "test"
    name = f"bookings:{book.provider}:{mode}"
    return Work(name, "every minute", LEASE_SECONDS, longest_seconds=3600)


def ask_for(session: Session, book: Book) -> None:
    """Have the bookings read soon: the provider says that its account of ours has changed.

    Writes: schedules. Transaction: caller's.
    """
    turns.ask_for(session, work_of(book))

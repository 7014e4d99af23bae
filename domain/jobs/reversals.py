"""Reminding people of manual journal entries that are to be reversed, on the day they said."""

from __future__ import annotations

from sqlalchemy.orm import Session

from domain import database
from domain.actors import system
from domain.books import book_queries, reversal_reminders
from domain.transitions import Why

_BY = system("worker")


def remind() -> bool:
    """Open the case of each entry whose reversal is due, and settle those whose entry was reversed.

    Writes, emits: as `reversal_reminders.remind` and `settle`. Transaction: opens its own, one for each.
    """
    with database.reading() as session:
        # Asked first without the write lock, since most of the time nothing is due.
        due = reversal_reminders.find_due(session)
        reversed_since = reversal_reminders.find_settled(session)
    for entry_id in due:
        with database.transaction() as session:
            why = Why(_BY, f"journal:{entry_id}", "its reversal is due")
            reversal_reminders.remind(session, entry_id, why=why)
    for entry_id in reversed_since:
        with database.transaction() as session:
            _settle(session, entry_id)
    return len(due) == reversal_reminders.BATCH


def _settle(session: Session, entry_id: str) -> None:
    by = book_queries.reversals_of(session, [entry_id])[entry_id]
    why = Why(_BY, f"journal:{entry_id}", "the entry was reversed")
    reversal_reminders.settle(session, entry_id, by, by=_BY.id, why=why)

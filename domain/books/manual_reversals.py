"""Reversing what people posted: asked for by one, agreed to by another, once, dated in the open period."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound, invalid
from core.money import Money
from core.money_out import Act
from domain.actors import Actor
from domain.books import (
    book_queries,
    journal_news,
    ledger,
    manual,
    manual_lines,
    reversal_reminders,
)
from domain.control import money_out
from domain.control.warrants import Content, Warrant
from domain.transitions import Why
from models.control import Approval
from models.ledger import JournalEntry


def why_not(session: Session, entry: JournalEntry) -> str | None:
    """Say why an entry cannot be reversed by hand, in a sentence; None: it can be.

    What follows from facts is corrected by facts: a refund, a dispute, a provider's own adjustment.
    Transaction: caller's, reads only.
    """
    if entry.kind == "reversal":
        return "A reversal is not reversed. Post a new entry instead."
    if entry.kind != manual.KIND:
        return "Only entries that people posted are reversed by hand; this one follows from a fact."
    if book_queries.reversals_of(session, [entry.id]):
        return "That entry is reversed already."
    return None


def content(session: Session, entry: JournalEntry, note: str) -> Content:
    """Say what reversing an entry is. Transaction: caller's, reads only."""
    movements = ledger.movements_of(session, entry.id)
    units = {amount.asset for _, _, amount in movements}
    total = None
    if len(units) == 1:
        total = Money(sum(amount.minor for _, _, amount in movements), units.pop())
    moved = f"{total.major()} {total.asset.code}" if total else "several currencies"
    return Content(
        Act.ENTRY_REVERSAL,
        object_kind="journal_entry",
        object_id=entry.id,
        text=f"Reverse the journal entry of {moved}: {entry.note}",
        amount=total,
        order_id=entry.order_id,
        details={
            "note": note,
            "entryHash": entry.content_hash,
            "invoiceId": entry.invoice_id,
            "providerReference": entry.provider_reference,
            "postings": [
                {
                    "debit": credit,
                    "credit": debit,
                    "amount": amount.major(),
                    "currency": amount.asset.code,
                }
                for debit, credit, amount in movements
            ],
        },
        livemode=entry.livemode,
        demo=entry.demo,
    )


def ask(session: Session, entry_id: str, *, note: str, actor: Actor, source: str) -> Approval:
    """Ask that an entry be reversed; a second person always agrees.

    Writes: approvals, event_log, audit_log. Emits: approval.requested. Raises: NotFound, InvalidInput,
    Forbidden, also STEP_UP_REQUIRED; Conflict. Transaction: caller's.
    """
    words = note.strip()
    if not 0 < len(words) <= manual.LONGEST_NOTE:
        raise invalid("note", f"Say why, in up to {manual.LONGEST_NOTE} characters.")
    entry = book_queries.get_entry(session, entry_id)
    _assert_reversible(session, entry)
    asked = money_out.ask(
        session, content(session, entry, words), actor=actor, source=source, reason=words
    )
    assert isinstance(asked, Approval)  # for the type checker; the table always wants two people
    return asked


def _assert_reversible(session: Session, entry: JournalEntry) -> None:
    if (said := why_not(session, entry)) is not None:
        by = book_queries.reversals_of(session, [entry.id]).get(entry.id)
        details = {"reversedBy": by, "link": f"/journal/{by}"} if by else {}
        raise Conflict(said, details=details)


def reverse(session: Session, warrant: Warrant) -> str:
    """Post the mirror of an entry as two people agreed, in the open period. Gives the new entry's id.

    The entry's row is locked, so that of two who reverse it at once the second finds it reversed.
    Writes: journal, account_balances, exception_cases, event_log, audit_log. Emits: journal.posted,
    exception.resolved. Raises: NotFound, Conflict, also AMOUNT_EXCEEDED. Transaction: caller's.
    """
    asked = warrant.content
    locked = select(JournalEntry).where(JournalEntry.id == asked.object_id).with_for_update()
    entry = session.scalars(locked).first()
    if entry is None:
        raise NotFound
    _assert_reversible(session, entry)
    note = str(asked.details["note"])
    warrant.assert_covers(content(session, entry, note))
    manual_lines.assert_covered(session, ledger.mirror_of(session, entry.id))
    new_id = ledger.reverse(session, entry.id, source=warrant.source, note=note)
    ties = ledger.ties_of(entry)
    journal_news.tell(session, new_id, ties, warrant=warrant, reverses=entry.id)
    why = Why(warrant.actor, warrant.source, note)
    reversal_reminders.settle(session, entry.id, new_id, by=warrant.maker_id, why=why)
    return new_id

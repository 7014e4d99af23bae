"""The reversal of a journal entry that people posted, agreed to by two."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain.books import manual_reversals
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from models.ledger import JournalEntry


def _read(session: Session, asked: Content) -> Content | None:
    entry = session.get(JournalEntry, asked.object_id)
    if entry is None or manual_reversals.why_not(session, entry) is not None:
        return None
    return manual_reversals.content(session, entry, str(asked.details["note"]))


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    return {"entryId": manual_reversals.reverse(session, warrant)}


KIND = Kind(read=_read, carry_out=_carry_out)

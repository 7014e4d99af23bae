"""What an entry that people posted tells the staff and the audit log."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain import audit, events, pending
from domain.books.ledger import Ties
from domain.control.warrants import Warrant
from models.ledger import JournalEntry


def tell(
    session: Session, entry_id: str, ties: Ties, *, warrant: Warrant, reverses: str | None = None
) -> None:
    """Tell that an entry was posted by two people, in the transaction that posted it.

    Writes: event_log, audit_log. Emits: journal.posted. Transaction: caller's.
    """
    period = _period(session, entry_id)
    about = events.About(
        object_id=entry_id,
        order_id=ties.order_id,
        audience="staff",
        demo=ties.demo,
        livemode=ties.livemode,
    )
    body: dict[str, Json] = {"entryId": entry_id, "periodId": period, "reverses": reverses}
    events.append(session, [events.row("journal.posted", about, source=warrant.source, body=body)])
    audit.write(
        session,
        "journal.reverse" if reverses else "journal.post",
        actor=warrant.actor,
        object_kind="journal_entry",
        object_id=entry_id,
        source=warrant.source,
        after=body | {"askedBy": warrant.maker_id, "contentHash": warrant.content.hash()},
    )


def _period(session: Session, entry_id: str) -> str:
    rows = pending.kept_rows(session, JournalEntry)
    return next(str(row["period"]) for row in rows if row["id"] == entry_id)

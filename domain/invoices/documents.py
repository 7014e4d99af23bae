"""Documents: a row of the printer's queue at first, then the bytes as they were printed, sealed, for ever.

A document is printed once. What changes later (it is paid, it is void) makes no new one; an invoice
that is issued anew and a credit note have documents of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.book_states import Document as State
from core.errors import LostRace
from core.strictjson import Json
from domain import audit, database, pending
from domain.cases import cases
from domain.cases.cases import Finding
from domain.invoices.paper_kinds import Kind
from domain.queue import backoff, take
from domain.secrets import owners, person_keys
from domain.transitions import Why, move_together
from models.invoices import Document

# Longer than a printer may take to start and to print.
LEASE_SECONDS = 120
MOST_TRIES = 6
# What is to be installed by a person is looked for again and again, and never given up.
MISSING_SECONDS = 60
CASE = "DOCUMENT_FAILED"
PURPOSE = "document"


@dataclass(frozen=True)
class Claimed:
    """A document that is being printed. fence: what the worker that prints it holds."""

    id: str
    kind: str
    object_id: str
    fence: int


@dataclass(frozen=True)
class Failure:
    """Why nothing was printed. said: for people, without anything of the content.

    is_final: another try would end the same; is_missing: something is to be installed first.
    """

    said: str
    is_final: bool = False
    is_missing: bool = False


def queue(session: Session, kind: Kind | str, object_id: str) -> None:
    """Have a document printed, after the commit that makes what it shows.

    kind: as `paper_kinds.Kind`. Call it once for what it shows, where that is made.
    Writes: documents. Transaction: caller's.
    """
    pending.later(session, Document, _waiting(kind, object_id))
    database.mark(session, "work")


def ask_for(
    session: Session, kind: Kind, object_id: str, *, asked: Mapping[str, Json] | None = None
) -> None:
    """Have a document printed unless it is already; for what was made before documents were, and statements.

    asked: of a statement, what it is to show. Writes: documents. Transaction: caller's.
    """
    dialect = sqlite if database.is_sqlite() else postgresql
    more: dict[str, object] = {} if asked is None else {"asked": dict(asked)}
    statement = dialect.insert(Document).values(_waiting(kind, object_id) | more)
    session.execute(statement.on_conflict_do_nothing())
    database.mark(session, "work")


def _waiting(kind: Kind | str, object_id: str) -> dict[str, object]:
    now = clock.now()
    return {
        "id": ids.new("doc"),
        "object_kind": Kind(kind).value,
        "object_id": object_id,
        "state": State.WAITING.value,
        "sealed_pdf": None,
        "sealed_xml": None,
        "pdf_sha256": None,
        "pdf_bytes": None,
        "attempts": 0,
        "due_at": now,
        "fence": 0,
        "last_error": None,
        "created_at": now,
        "printed_at": None,
    }


def is_any_due(session: Session) -> bool:
    """Tell whether a document waits to be printed now. Transaction: caller's, reads only."""
    statement = select(Document.id).where(
        Document.state == State.WAITING.value, Document.due_at <= clock.now()
    )
    return session.scalar(statement.limit(1)) is not None


def claim(session: Session) -> Claimed | None:
    """Take the document that has waited longest; nobody else takes it while the lease lasts.

    Writes: documents.due_at, fence. Transaction: caller's; commit before anything is printed.
    """
    waits = Document.state == State.WAITING.value
    row = take(session, Document, waits, seconds=LEASE_SECONDS)
    if row is None:
        return None
    return Claimed(row.id, row.object_kind, row.object_id, row.fence)


def _held(session: Session, claimed: Claimed) -> Document:
    statement = select(Document).where(Document.id == claimed.id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).one()
    if row.fence != claimed.fence or row.state != State.WAITING:
        raise LostRace
    return row


def place(document_id: str, part: str) -> str:
    """Name where a part of a document (`pdf` or `xml`) is sealed."""
    return f"documents|{part}|{document_id}"


def keep(session: Session, claimed: Claimed, *, pdf: bytes, xml: bytes, why: Why) -> None:
    """Keep what was printed, sealed, with the hash of the plain bytes.

    xml: the machine's invoice within, or empty. Writes: documents. Raises: LostRace when another worker
    has taken it since. Transaction: caller's.
    """
    row = _held(session, claimed)
    whose = owners.of_document(session, row.object_kind, row.object_id)
    sealed_xml = None
    if xml:
        where = place(row.id, "xml")
        sealed_xml = person_keys.seal(session, whose, xml, purpose=PURPOSE, place=where)
    where = place(row.id, "pdf")
    values: dict[str, object] = {
        "sealed_pdf": person_keys.seal(session, whose, pdf, purpose=PURPOSE, place=where),
        "sealed_xml": sealed_xml,
        "pdf_sha256": hashing.sha256(pdf),
        "pdf_bytes": len(pdf),
        "attempts": row.attempts + 1,
        "due_at": None,
        "last_error": None,
        "printed_at": clock.now(),
    }
    move_together(session, row, moves={"document": State.PRINTED.value}, values=values, why=why)


def note_failure(session: Session, claimed: Claimed, failure: Failure, *, why: Why) -> bool:
    """Put a document back to be tried again, later each time; in the end people must see it.

    Gives True when it is given up. Writes: documents, exception_cases. Emits: exception.opened.
    Raises: LostRace. Transaction: caller's.
    """
    row = _held(session, claimed)
    tries = row.attempts + (0 if failure.is_missing else 1)
    is_over = failure.is_final or tries >= MOST_TRIES
    due_at = clock.after(MISSING_SECONDS) if failure.is_missing else backoff(max(tries, 1))
    values: dict[str, object] = {
        "attempts": tries,
        "last_error": failure.said,
        "due_at": None if is_over else due_at,
    }
    moves = {"document": State.DEAD.value} if is_over else {}
    move_together(session, row, moves=moves, values=values, why=why)
    if is_over:
        _tell_people(session, row, failure, why)
    return is_over


def _tell_people(session: Session, row: Document, failure: Failure, why: Why) -> None:
    what = row.object_kind.replace("_", " ")
    finding = Finding(
        kind=CASE,
        subject_key=row.id,
        sentence=f"The document of {what} {row.object_id} could not be printed: {failure.said}",
        expected="a printed document",
        found=f"{row.attempts} tries, {failure.said}",
    )
    cases.open_case(session, finding, why=why)


def given_up(session: Session) -> list[str]:
    """List the documents that could not be printed, oldest first. Transaction: caller's, reads only."""
    dead = select(Document.id).where(Document.state == State.DEAD.value)
    return list(session.scalars(dead.order_by(Document.created_at, Document.id)))


def print_again(session: Session, document_id: str, *, why: Why) -> bool:
    """Let a document that was given up be tried again from the start. Gives False when it was not.

    Writes: documents, audit_log. Transaction: caller's.
    """
    statement = select(Document).where(Document.id == document_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None or row.state != State.DEAD:
        return False
    values: dict[str, object] = {"attempts": 0, "due_at": clock.now()}
    move_together(session, row, moves={"document": State.WAITING.value}, values=values, why=why)
    audit.write(
        session,
        "document.print_again",
        actor=why.actor,
        object_kind=row.object_kind,
        object_id=row.object_id,
        source=why.source,
        reason=why.reason,
        before={"state": State.DEAD.value},
        after={"state": row.state, "documentId": row.id},
    )
    database.mark(session, "work")
    return True

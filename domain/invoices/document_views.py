"""Who may read a document, and who has: the stored bytes, and an audit row of each time they were shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, undefer

from core import hashing
from core.book_states import Document as State
from core.book_states import Invoice as Status
from core.errors import Conflict, Detail, Gone, NotFound
from core.person_seal import KeyDestroyed
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.events import About
from domain.invoices import documents, electronic, readers
from domain.invoices.paper_kinds import Kind
from domain.orders.orders import visible
from domain.secrets import person_keys
from models.audit import AuditRow
from models.invoices import CreditNote, Document, Invoice
from models.orders import Order

NO_XML = "INVOICE_HAS_NO_XML"
VIEW = "invoice.view"
# A document is usually printed within a second.
SOON_SECONDS, LATER_SECONDS = 2, 300
_ORDER = "ord_"


@dataclass(frozen=True)
class Paper:
    """A document as it is handed over. sha256: of these very bytes; name: of the file."""

    body: bytes
    sha256: str
    name: str


@dataclass(frozen=True)
class NotPrinted:
    """There is no document yet. said: a sentence; retry_after: seconds until it is worth asking again."""

    said: str
    retry_after: int


@dataclass(frozen=True)
class View:
    """One time that a document was shown. part: pdf or xml; mark: its place in the list."""

    at: datetime
    actor: str
    role: str
    part: str
    mark: str


class Damaged(RuntimeError):
    """The stored bytes are not those that were printed."""


def invoice_of(session: Session, name: str, *, actor: Actor) -> Invoice:
    """Find an invoice by its id, or by its order's: then the newest that stands.

    Raises: NotFound, the same for a foreign one. Transaction: caller's, reads only.
    """
    statement = select(Invoice).join(Order, Order.id == Invoice.order_id)
    statement = statement.where(*visible(actor, Order))
    if name.startswith(_ORDER):
        stands = (Invoice.order_id == name, Invoice.status != Status.VOID.value)
        newest = (Invoice.created_at.desc(), Invoice.id.desc())
        statement = statement.where(*stands).order_by(*newest).limit(1)
    else:
        statement = statement.where(Invoice.id == name)
    found = session.scalars(statement).first()
    if found is None:
        raise NotFound
    readers.assert_may_know_buyer(session, found, actor)
    return found


def get_pdf(session: Session, name: str, *, actor: Actor, source: str) -> Paper | NotPrinted:
    """Give an invoice's document. name: the invoice's id or its order's.

    One that was never asked for is printed now. Writes: audit_log, event_log, documents.
    Emits: invoice.viewed. Raises: NotFound. Transaction: caller's.
    """
    invoice = invoice_of(session, name, actor=actor)
    row = printed(session, Kind.INVOICE, invoice.id)
    if isinstance(row, NotPrinted):
        return row
    paper = opened(row, "pdf", row.sealed_pdf, name=f"invoice-{invoice.number}.pdf")
    _note(session, _Shown("invoice", invoice.id, invoice), "pdf", paper, actor=actor, source=source)
    return paper


def get_xml(session: Session, name: str, *, actor: Actor, source: str) -> Paper | NotPrinted:
    """Give the machine's invoice that lies in the document. name: as `get_pdf`.

    Writes, emits: as `get_pdf`. Raises: NotFound; Conflict INVOICE_HAS_NO_XML where EN 16931 cannot express
    it. Transaction: caller's.
    """
    invoice = invoice_of(session, name, actor=actor)
    row = printed(session, Kind.INVOICE, invoice.id, "xml")
    if isinstance(row, NotPrinted):
        return row
    if row.sealed_xml is None:
        raise _no_xml(session, invoice)
    paper = opened(row, "xml", row.sealed_xml, name=f"invoice-{invoice.number}.xml")
    _note(session, _Shown("invoice", invoice.id, invoice), "xml", paper, actor=actor, source=source)
    return paper


def _no_xml(session: Session, invoice: Invoice) -> Conflict:
    found = electronic.lacks(session, invoice.id)
    if not found:
        return Conflict("The invoice was printed before its parties were known.", code=NO_XML)
    missing: dict[str, Detail] = {"missing": electronic.detail(found)}
    return Conflict(electronic.sentence(found), code=NO_XML, details=missing)


def get_credit_note_pdf(
    session: Session, credit_note_id: str, *, actor: Actor, source: str
) -> Paper | NotPrinted:
    """Give a credit note's document.

    Writes, emits, raises: as `get_pdf`. Transaction: caller's.
    """
    statement = (
        select(CreditNote, Invoice)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .join(Order, Order.id == CreditNote.order_id)
        .where(CreditNote.id == credit_note_id, *visible(actor, Order))
    )
    found = session.execute(statement).first()
    if found is None:
        raise NotFound
    note, invoice = found
    readers.assert_may_know_buyer(session, invoice, actor)
    row = printed(session, Kind.CREDIT_NOTE, note.id)
    if isinstance(row, NotPrinted):
        return row
    paper = opened(row, "pdf", row.sealed_pdf, name=f"credit-note-{note.number}.pdf")
    shown = _Shown("credit_note", note.id, invoice, note.id)
    _note(session, shown, "pdf", paper, actor=actor, source=source)
    return paper


def list_views(
    session: Session,
    name: str,
    *,
    actor: Actor,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> Sequence[View]:
    """List who was shown an invoice's document, newest first. name: as `get_pdf`.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    invoice = invoice_of(session, name, actor=actor)
    statement = select(AuditRow).where(
        AuditRow.object_id == invoice.id, AuditRow.action == VIEW, AuditRow.refused.is_(False)
    )
    if before is not None:
        statement = statement.where(tuple_(AuditRow.at, AuditRow.id) < before)
    rows = session.scalars(statement.order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(limit))
    return [
        View(row.at, row.actor, row.role, str(row.after.get("kind", "pdf")), row.id) for row in rows
    ]


def sha256_of(session: Session, kind: Kind, object_ids: Sequence[str]) -> dict[str, str]:
    """Give the hashes of what is printed already, by the id of what it shows.

    Transaction: caller's, reads only.
    """
    statement = select(Document.object_id, Document.pdf_sha256).where(
        Document.object_kind == kind.value,
        Document.object_id.in_(object_ids),
        Document.pdf_sha256.is_not(None),
    )
    return {object_id: str(found) for object_id, found in session.execute(statement)}


@dataclass(frozen=True)
class _Shown:
    kind: str
    id: str
    invoice: Invoice
    credit_note_id: str | None = None


def printed(
    session: Session, kind: Kind, object_id: str, part: str = "pdf"
) -> Document | NotPrinted:
    """Fetch a document with one part of its bytes; one that nobody asked for is printed now.

    Access is the caller's to check. Writes: documents. Transaction: caller's.
    """
    statement = select(Document).where(
        Document.object_kind == kind.value, Document.object_id == object_id
    )
    # The other part stays where it is: it may be large.
    wanted = Document.sealed_pdf if part == "pdf" else Document.sealed_xml
    row = session.scalars(statement.options(undefer(wanted))).first()
    if row is None:
        documents.ask_for(session, kind, object_id)
    elif row.state == State.PRINTED:
        return row
    elif row.state == State.DEAD:
        return NotPrinted("The document could not be printed; people look into it.", LATER_SECONDS)
    return NotPrinted("The document is being printed.", SOON_SECONDS)


def opened(row: Document, part: str, sealed: bytes | None, *, name: str) -> Paper:
    """Open the bytes of a printed document. Raises: Gone, Damaged."""
    assert sealed is not None  # a printed document has its bytes
    place = documents.place(row.id, part)
    try:
        body = person_keys.open_sealed(row, sealed, purpose=documents.PURPOSE, place=place)
    except KeyDestroyed as error:
        raise Gone("This document is kept no longer; its number and amounts are.") from error
    found = hashing.sha256(body)
    if part == "pdf" and found != row.pdf_sha256:
        raise Damaged(f"the document {row.id} is not what was printed")
    return Paper(body, found, name)


def _note(
    session: Session, shown: _Shown, part: str, paper: Paper, *, actor: Actor, source: str
) -> None:
    after: dict[str, Json] = {"kind": part, "orderId": shown.invoice.order_id}
    audit.write(
        session,
        VIEW,
        actor=actor,
        object_kind=shown.kind,
        object_id=shown.id,
        source=source,
        after=after | {"sha256": paper.sha256},
    )
    body: dict[str, Json] = {
        "invoiceId": shown.invoice.id,
        "creditNoteId": shown.credit_note_id,
        "kind": part,
        "viewedBy": actor.id,
        "role": actor.role.value,
    }
    about = About(
        object_id=shown.invoice.id,
        order_id=shown.invoice.order_id,
        merchant_id=shown.invoice.merchant_id,
        audience="staff",
        demo=shown.invoice.demo,
        livemode=shown.invoice.livemode,
    )
    told = events.row(
        "invoice.viewed", about, source=source, status=shown.invoice.status, body=body
    )
    events.append(session, [told])

"""Reading invoices and credit notes within one's own tenancy: one, a page of many, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, false, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from core.book_states import Document as DocumentState
from core.book_states import Invoice as Status
from core.errors import NotFound
from domain.actors import Actor
from domain.orders import order_queries
from domain.orders.order_queries import MOST_NAMED, minors_of
from domain.orders.orders import visible
from domain.payments.payments import LONGEST_PAGE, Page
from models.invoices import CreditNote, Document, Invoice, InvoicePayment
from models.orders import Order
from models.payments import Payment
from models.people import Merchant

_ORDER = "ord_"
# Still to be paid, at least in part.
UNPAID = (Status.OPEN.value, Status.PENDING_PAYMENT.value)
Mark = tuple[datetime, str]


@dataclass(frozen=True)
class InvoiceFilter:
    """What to list; empty means all. q: a number, id, reference, order, payment, e-mail (staff) or amount.

    due_from, due_before: of those still to be paid, when they are due; from inclusive, before exclusive.
    """

    status: Sequence[str] = ()
    order_id: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    q: str | None = None
    due_from: date | None = None
    due_before: date | None = None


@dataclass(frozen=True)
class CreditNoteFilter:
    """What to list; empty means all."""

    invoice_id: Sequence[str] = ()
    order_id: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True)
class Around:
    """What a few invoices are shown with, by their ids: the hash of their document, who pays, what credits them."""

    sha256: dict[str, str] = field(default_factory=dict)
    payment_ids: dict[str, list[str]] = field(default_factory=dict)
    credit_note_ids: dict[str, list[str]] = field(default_factory=dict)
    followers: dict[str, str] = field(default_factory=dict)


def get_invoice(session: Session, name: str, *, actor: Actor) -> Invoice:
    """Fetch an invoice by its id, or by its order's: then the newest that stands.

    Raises: NotFound, the same for a foreign id. Transaction: caller's, reads only.
    """
    statement = select(Invoice).where(*visible(actor, Invoice))
    if name.startswith(_ORDER):
        stands = (Invoice.order_id == name, Invoice.status != Status.VOID.value)
        newest = (Invoice.created_at.desc(), Invoice.id.desc())
        statement = statement.where(*stands).order_by(*newest).limit(1)
    else:
        statement = statement.where(Invoice.id == name)
    found = session.scalars(statement.execution_options(populate_existing=True)).first()
    if found is None:
        raise NotFound
    return found


def _own_names(text: str) -> Iterable[Select[str]]:
    """Give one indexed query per kind of name that an invoice may be known by.

    The unique keys begin with merchant and mode; naming them all lets the database use them.
    """
    number = text.upper()
    for model, wanted in ((Invoice, Invoice.id), (CreditNote, CreditNote.invoice_id)):
        every = select(wanted).where(
            model.merchant_id.in_(select(Merchant.id)), model.livemode.in_((True, False))
        )
        yield select(wanted).where(model.id == text)
        yield every.where(model.number == number)
        yield every.where(model.reference == text)


def _matching(session: Session, text: str, actor: Actor) -> ColumnElement[bool]:
    """Turn the search box's text into a condition over few ids, so that no list is scanned."""
    text = text.strip()
    every = union_all(*_own_names(text)).limit(MOST_NAMED)
    own = sorted({row[0] for row in session.execute(every)})
    parts: list[ColumnElement[bool]] = [Invoice.id.in_(own)] if own else []
    if minors := minors_of(text):
        parts.append(_amount(session, minors))
    else:
        named = order_queries.matching(session, text, actor=actor)
        orders = select(Order.id).where(*visible(actor, Order), named).limit(MOST_NAMED)
        found = sorted(session.scalars(orders))
        parts += [Invoice.order_id.in_(found)] if found else []
    return or_(*parts) if parts else false()


def _amount(session: Session, minors: Sequence[int]) -> ColumnElement[bool]:
    """Choose how to find a total: a rare one by its ids, a common one by walking the list."""
    few = select(Invoice.id).where(Invoice.total_minor.in_(minors)).limit(MOST_NAMED + 1)
    found = list(session.scalars(few))
    if len(found) <= MOST_NAMED:
        return Invoice.id.in_(found)
    # Left to an index, SQLite would sort every invoice of this total for one page of them.
    return (Invoice.total_minor + 0).in_(minors)


def _conditions(session: Session, wanted: InvoiceFilter, actor: Actor) -> list[ColumnElement[bool]]:
    found = visible(actor, Invoice)
    if wanted.status:
        found.append(Invoice.status.in_(wanted.status))
    if wanted.order_id:
        found.append(Invoice.order_id.in_(wanted.order_id))
    if wanted.created_from:
        found.append(Invoice.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(Invoice.created_at < wanted.created_to)
    if wanted.q and wanted.q.strip():
        found.append(_matching(session, wanted.q, actor))
    if wanted.due_from or wanted.due_before:
        found.append(Invoice.status.in_(UNPAID))
    if wanted.due_from:
        found.append(Invoice.due_on >= wanted.due_from)
    if wanted.due_before:
        found.append(Invoice.due_on < wanted.due_before)
    return found


def list_invoices(
    session: Session, wanted: InvoiceFilter, *, actor: Actor, page: Page
) -> tuple[list[Invoice], Mark | None]:
    """List invoices, newest first, with where the next page begins. Transaction: caller's, reads only."""
    statement = select(Invoice).where(*_conditions(session, wanted, actor))
    if page.before:
        statement = statement.where(tuple_(Invoice.created_at, Invoice.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    ordered = statement.order_by(Invoice.created_at.desc(), Invoice.id.desc()).limit(limit + 1)
    rows = list(session.scalars(ordered))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.created_at, more.id) if more else None


def around(session: Session, invoices: Sequence[Invoice]) -> Around:
    """Fetch at once what invoices are shown with. Transaction: caller's, reads only."""
    ids = [row.id for row in invoices]
    found = Around(
        payment_ids={row_id: [] for row_id in ids}, credit_note_ids={row_id: [] for row_id in ids}
    )
    found.sha256.update(sha256_of(session, "invoice", ids))
    _payments(session, found, [row.order_id for row in invoices])
    notes = select(CreditNote.invoice_id, CreditNote.id).where(CreditNote.invoice_id.in_(ids))
    for invoice_id, note_id in session.execute(notes.order_by(CreditNote.created_at)):
        found.credit_note_ids[invoice_id].append(note_id)
    later = select(Invoice.supersedes_id, Invoice.id).where(Invoice.supersedes_id.in_(ids))
    for superseded, follower in session.execute(later):
        found.followers[str(superseded)] = follower
    return found


def _payments(session: Session, found: Around, order_ids: Sequence[str]) -> None:
    """Add the attempts that are for each invoice, and those that pay it although they are for another."""
    own = select(Payment.invoice_id, Payment.id).where(Payment.order_id.in_(order_ids))
    for invoice_id, payment_id in session.execute(own.order_by(Payment.created_at, Payment.id)):
        if invoice_id in found.payment_ids:
            found.payment_ids[invoice_id].append(payment_id)
    pays = select(InvoicePayment.invoice_id, InvoicePayment.payment_id).where(
        InvoicePayment.invoice_id.in_(list(found.payment_ids)), InvoicePayment.paid_minor > 0
    )
    for paid_id, payer_id in session.execute(pays.order_by(InvoicePayment.created_at)):
        if payer_id not in found.payment_ids[paid_id]:
            found.payment_ids[paid_id].append(payer_id)


def sha256_of(session: Session, kind: str, object_ids: Sequence[str]) -> dict[str, str]:
    """Give the hashes of the documents that are printed, by what they show. kind: `invoice`, `credit_note`.

    Transaction: caller's, reads only.
    """
    statement = select(Document.object_id, Document.pdf_sha256).where(
        Document.object_kind == kind,
        Document.object_id.in_(object_ids),
        Document.state == DocumentState.PRINTED.value,
    )
    return {object_id: str(digest) for object_id, digest in session.execute(statement)}


def list_credit_notes(
    session: Session, wanted: CreditNoteFilter, *, actor: Actor, page: Page
) -> Sequence[CreditNote]:
    """List credit notes, newest first, one more than the page holds when there are more.

    Transaction: caller's, reads only.
    """
    found = visible(actor, Invoice)
    if wanted.invoice_id:
        found.append(CreditNote.invoice_id.in_(wanted.invoice_id))
    if wanted.order_id:
        found.append(CreditNote.order_id.in_(wanted.order_id))
    if wanted.created_from:
        found.append(CreditNote.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(CreditNote.created_at < wanted.created_to)
    if page.before:
        found.append(tuple_(CreditNote.created_at, CreditNote.id) < page.before)
    statement = (
        select(CreditNote)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .where(*found)
        .order_by(CreditNote.created_at.desc(), CreditNote.id.desc())
        .limit(min(page.limit, LONGEST_PAGE) + 1)
    )
    return session.scalars(statement).all()

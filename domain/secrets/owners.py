"""Whose key seals the values of a row: of the person it tells of. Asked by whoever seals, and by the walk that seals anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.disputes import Dispute
from models.invoices import CreditNote, Document, Invoice
from models.orders import InvoiceDraft, Order
from models.payments import Payment
from models.personal import DataExport
from models.proofs import Mail
from models.refunds import Refund
from models.statements import BankLine

# From the ids of some rows of a table to their people; of nobody where one is missing.
Owners = Callable[[Session, Sequence[str]], Mapping[str, Whose]]
_INVOICE, _CREDIT_NOTE = "invoice", "credit_note"


def of_users(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the people themselves."""
    del session
    return {each: Whose(each) for each in ids}


def of_mails(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name to whom letters were written. Transaction: caller's, reads only."""
    statement = select(Mail.id, Mail.user_id).where(Mail.id.in_(ids), Mail.user_id.is_not(None))
    return {key: Whose(str(user_id)) for key, user_id in session.execute(statement)}


def of_exports(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name whose copies they are. Transaction: caller's, reads only."""
    statement = select(DataExport.id, DataExport.user_id).where(DataExport.id.in_(ids))
    return {key: Whose(user_id) for key, user_id in session.execute(statement)}


def of_disputes(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the payers of disputed payments. Transaction: caller's, reads only."""
    statement = (
        select(Dispute.id, Payment.buyer_id)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(Dispute.id.in_(ids), Payment.buyer_id.is_not(None))
    )
    return {key: Whose(str(user_id)) for key, user_id in session.execute(statement)}


def of_drafts(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the buyers of orders with what their invoices need. Transaction: caller's, reads only."""
    statement = (
        select(InvoiceDraft.order_id, Order.buyer_id, Order.created_at)
        .join(Order, Order.id == InvoiceDraft.order_id)
        .where(InvoiceDraft.order_id.in_(ids))
    )
    found = {key: person_keys.books_of(user, at) for key, user, at in session.execute(statement)}
    return {key: whose for key, whose in found.items() if whose is not None}


def of_invoices(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the buyers of invoices. Transaction: caller's, reads only."""
    statement = select(Invoice.id, Invoice.buyer_id, Invoice.issued_on)
    rows = session.execute(statement.where(Invoice.id.in_(ids)))
    return _buyers(rows.all())


def of_credit_notes(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the buyers of what was given back. Transaction: caller's, reads only."""
    statement = (
        select(CreditNote.id, Invoice.buyer_id, CreditNote.issued_on)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .where(CreditNote.id.in_(ids))
    )
    return _buyers(session.execute(statement).all())


def of_documents(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the buyers of what was printed. Transaction: caller's, reads only."""
    invoices = (
        select(Document.id, Invoice.buyer_id, Invoice.issued_on)
        .join(Invoice, Invoice.id == Document.object_id)
        .where(Document.id.in_(ids), Document.object_kind == _INVOICE)
    )
    notes = (
        select(Document.id, Invoice.buyer_id, CreditNote.issued_on)
        .join(CreditNote, CreditNote.id == Document.object_id)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .where(Document.id.in_(ids), Document.object_kind == _CREDIT_NOTE)
    )
    return _buyers(session.execute(union_all(invoices, notes)).all())


def of_document(session: Session, object_kind: str, object_id: str) -> Whose | None:
    """Name the buyer of what is printed. Transaction: caller's, reads only."""
    find = of_invoices if object_kind == _INVOICE else of_credit_notes
    return find(session, [object_id]).get(object_id)


def of_bank_lines(session: Session, ids: Sequence[str]) -> Mapping[str, Whose]:
    """Name the buyers of the payments that bank lines show. Transaction: caller's, reads only."""
    payments = (
        select(BankLine.id, Payment.buyer_id, BankLine.booked_on)
        .join(Payment, Payment.id == BankLine.payment_id)
        .where(BankLine.id.in_(ids))
    )
    refunds = (
        select(BankLine.id, Payment.buyer_id, BankLine.booked_on)
        .join(Refund, Refund.id == BankLine.refund_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(BankLine.id.in_(ids))
    )
    return _buyers(session.execute(union_all(payments, refunds)).all())


def _buyers(rows: Sequence[tuple[str, str | None, date]]) -> Mapping[str, Whose]:
    found = {key: person_keys.books_of(user_id, day) for key, user_id, day in rows}
    return {key: whose for key, whose in found.items() if whose is not None}

"""What the desk shows around invoices: who pays them, how their documents stand, how many are overdue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.invoices.invoice_queries import UNPAID
from domain.orders.orders import visible
from models.invoices import CreditNote, Document, Invoice, InvoicePayment
from models.payments import Payment

# Counting goes no further.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Paying:
    """One payment of an invoice, and what of it counts for that invoice; None: nothing yet."""

    payment: Payment
    share: InvoicePayment | None


def payments_of(session: Session, invoice: Invoice, *, actor: Actor) -> list[Paying]:
    """List the attempts that are for an invoice and those that pay it, oldest first.

    Transaction: caller's, reads only.
    """
    pair = and_(InvoicePayment.payment_id == Payment.id, InvoicePayment.invoice_id == invoice.id)
    pays = InvoicePayment.paid_minor > 0
    statement = (
        select(Payment, InvoicePayment)
        .outerjoin(InvoicePayment, pair)
        .where(
            Payment.order_id == invoice.order_id,
            or_(Payment.invoice_id == invoice.id, pays),
            *visible(actor, Payment),
        )
        .order_by(Payment.created_at, Payment.id)
    )
    return [Paying(payment, share) for payment, share in session.execute(statement)]


def documents_of(session: Session, kind: str, object_ids: Sequence[str]) -> Mapping[str, Document]:
    """Give the documents of several invoices or credit notes, by the id of what they show.

    kind: `invoice` or `credit_note`. Transaction: caller's, reads only.
    """
    own = Document.object_kind == kind, Document.object_id.in_(object_ids)
    return {row.object_id: row for row in session.scalars(select(Document).where(*own))}


def credit_notes_of(session: Session, invoice_id: str) -> Sequence[CreditNote]:
    """List all credit notes of an invoice, void ones too, oldest first.

    Transaction: caller's, reads only.
    """
    statement = select(CreditNote).where(CreditNote.invoice_id == invoice_id)
    return session.scalars(statement.order_by(CreditNote.created_at, CreditNote.id)).all()


def of_order(session: Session, order_id: str, *, actor: Actor) -> Sequence[Invoice]:
    """List an order's invoices, void ones too, newest first. Transaction: caller's, reads only."""
    statement = select(Invoice).where(Invoice.order_id == order_id, *visible(actor, Invoice))
    return session.scalars(statement.order_by(Invoice.created_at.desc(), Invoice.id.desc())).all()


def of_payment(session: Session, payment: Payment, *, actor: Actor) -> Sequence[Invoice]:
    """List the invoices that a payment is for or pays, oldest first. Transaction: caller's, reads only."""
    pays = select(InvoicePayment.invoice_id).where(
        InvoicePayment.payment_id == payment.id, InvoicePayment.paid_minor > 0
    )
    own = or_(Invoice.id == payment.invoice_id, Invoice.id.in_(pays))
    statement = select(Invoice).where(own, *visible(actor, Invoice))
    return session.scalars(statement.order_by(Invoice.created_at, Invoice.id)).all()


def named(session: Session, invoice_ids: Sequence[str]) -> dict[str, str]:
    """Give the numbers of several invoices by their ids. Transaction: caller's, reads only."""
    statement = select(Invoice.id, Invoice.number).where(Invoice.id.in_(invoice_ids))
    return {each.id: each.number for each in session.execute(statement)}


def numbered(session: Session, number: str, *, actor: Actor) -> list[str]:
    """Find the invoices that bear a number, or whose credit note does; each merchant has its own series.

    Transaction: caller's, reads only.
    """
    credited = select(CreditNote.invoice_id).where(CreditNote.number == number)
    own = or_(Invoice.number == number, Invoice.id.in_(credited))
    statement = select(Invoice.id).where(own, *visible(actor, Invoice))
    return list(session.scalars(statement.order_by(Invoice.id).limit(2)))


def list_overdue(session: Session, day: date, *, actor: Actor, limit: int) -> Sequence[Invoice]:
    """List the invoices that should have been paid before a day, longest overdue first.

    Transaction: caller's, reads only.
    """
    statement = select(Invoice).where(*_overdue(day, actor))
    return session.scalars(statement.order_by(Invoice.due_on, Invoice.id).limit(limit)).all()


def _overdue(day: date, actor: Actor) -> list[ColumnElement[bool]]:
    return [Invoice.status.in_(UNPAID), Invoice.due_on < day, *visible(actor, Invoice)]


def count_overdue(session: Session, day: date, *, actor: Actor) -> int:
    """Count the invoices that should have been paid before a day, up to a number.

    Transaction: caller's, reads only.
    """
    some = select(Invoice.id).where(*_overdue(day, actor)).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0

"""An invoice's own pay page: an address that its document bears for ever, and where that leads as things stand.

Attempts end, their pages with them; what is printed on paper leads to whichever can be paid now.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.book_states import Invoice as Status
from core.errors import NotFound
from core.money import Money
from core.states import Payment as PaymentStatus
from domain.invoices import figures
from models.invoices import Invoice
from models.orders import Order
from models.payments import Payment
from models.people import Merchant

PREFIX = "ip_"
_ON_ITS_WAY = (PaymentStatus.PENDING.value, PaymentStatus.PROCESSING.value)
_UNPAID = (Status.OPEN.value, Status.PENDING_PAYMENT.value)


@dataclass(frozen=True)
class Led:
    """Where a pay page leads. attempt: the payment that can be paid or is on its way; successor: the
    invoice that took this one's place; due: what is still to be paid.
    """

    invoice: Invoice
    order: Order
    merchant: str
    due: Money
    attempt: Payment | None
    successor: Invoice | None


def path_of(invoice: Invoice) -> str | None:
    """Give the path of an invoice's pay page; None where it has none. Whoever knows it may see what is due."""
    return f"/pay/{invoice.public_id}" if invoice.public_id else None


def asks_for_money(invoice: Invoice) -> bool:
    """Tell whether something is to be paid of an invoice as it stands."""
    return invoice.status in _UNPAID and figures.due(invoice).minor > 0


def find(session: Session, public_id: str) -> Led:
    """Find an invoice by the unguessable name of its pay page, and where that leads now.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    invoice = session.scalars(select(Invoice).where(Invoice.public_id == public_id)).first()
    if invoice is None:
        raise NotFound
    order = session.get_one(Order, invoice.order_id)
    return Led(
        invoice=invoice,
        order=order,
        merchant=session.get_one(Merchant, invoice.merchant_id).name,
        due=figures.due(invoice),
        attempt=_attempt(session, invoice) if invoice.status in _UNPAID else None,
        successor=_successor(session, invoice, order) if invoice.status == Status.VOID else None,
    )


def _attempt(session: Session, invoice: Invoice) -> Payment | None:
    """Find the newest attempt that its payer can go on with, or that is on its way."""
    can_be_paid = or_(
        Payment.status == PaymentStatus.PROCESSING.value, Payment.provider_reference.is_not(None)
    )
    statement = select(Payment).where(
        Payment.order_id == invoice.order_id,
        Payment.invoice_id == invoice.id,
        Payment.status.in_(_ON_ITS_WAY),
        can_be_paid,
    )
    newest = (Payment.created_at.desc(), Payment.id.desc())
    return session.scalars(statement.order_by(*newest).limit(1)).first()


def _successor(session: Session, invoice: Invoice, order: Order) -> Invoice | None:
    """Find the invoice that stands instead of a void one."""
    found = session.get(Invoice, order.invoice_id) if order.invoice_id else None
    if found is None or found.id == invoice.id or found.status == Status.VOID:
        return None
    return found if found.public_id else None

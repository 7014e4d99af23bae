"""Everything a printed invoice or credit note shows, read at once; whoever prints needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Gone, NotFound
from core.money import Asset, Money, asset
from core.person_seal import KeyDestroyed
from domain.invoices import drafting, figures, sheets
from domain.invoices.sheets import Deducted, Party, Sheet
from domain.invoices.totals import Line, Totals
from models.invoices import CreditNote, Invoice, InvoicePayment
from models.orders import Order
from models.payments import Payment


@dataclass(frozen=True)
class Paid:
    """What one payment pays of an invoice. reference: what its provider calls it; at: when it began."""

    payment_id: str
    rail: str
    provider: str
    reference: str | None
    paid: Money
    confirmed: Money
    refunded: Money
    at: datetime


@dataclass(frozen=True)
class Content:
    """One document. whole: what the lines add up to; own: less what earlier invoices asked for.

    of: for a credit note the invoice that it takes back from, else the one it was issued anew for;
    as number and day. asset: carries the currency's scale. status: the invoice's; `issued` or
    `void` of a credit note. order_reference: the buyer's or merchant's own name for the order.
    """

    kind: Literal["invoice", "credit_note"]
    id: str
    number: str
    purpose: str
    status: str
    issued_on: date
    due_on: date | None
    asset: Asset
    order_id: str
    order_description: str
    order_reference: str | None
    reference: str | None
    merchant_id: str
    seller: Party
    buyer: Party | None
    lines: tuple[Line, ...]
    whole: Totals
    own: Totals
    deducted: tuple[Deducted, ...]
    paid: Money
    refunded: Money
    due: Money
    payments: tuple[Paid, ...]
    of: tuple[str, date] | None
    reason: str | None
    note: str | None
    livemode: bool
    demo: bool


def category(content: Content, rate_is_zero: bool) -> str:
    """Give the code of the VAT category of a line or row: S taxed, Z at zero, O outside of its scope.

    A seller without a VAT number who taxes nothing is outside of its scope.
    Source: EN 16931-1 BT-118 and BT-151, UNTDID 5305
    """
    if not rate_is_zero:
        return "S"
    untaxed = all(not row.rate for row in content.whole.taxes)
    return "O" if untaxed and content.seller.vat_id is None else "Z"


def of_invoice(session: Session, invoice_id: str) -> Content:
    """Gather what an invoice's document shows. Raises: NotFound. Transaction: caller's, reads only."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound
    order = session.get_one(Order, invoice.order_id)
    sheet = sheet_of(session, invoice)
    of = asset(invoice.asset)
    before = session.get(Invoice, invoice.supersedes_id) if invoice.supersedes_id else None
    return Content(
        kind="invoice",
        id=invoice.id,
        number=invoice.number,
        purpose=invoice.purpose,
        status=invoice.status,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        asset=of,
        order_id=order.id,
        order_description=order.description,
        order_reference=order.reference,
        reference=invoice.reference,
        merchant_id=invoice.merchant_id,
        seller=sheet.seller,
        buyer=sheet.buyer,
        lines=sheet.lines,
        whole=sheet.whole,
        own=sheet.own,
        deducted=sheet.deducted,
        paid=Money(invoice.paid_minor, of),
        refunded=Money(invoice.refunded_minor, of),
        due=figures.due(invoice),
        payments=_payments(session, invoice, of),
        of=(before.number, before.issued_on) if before is not None else None,
        reason=None,
        note=sheet.note,
        livemode=invoice.livemode,
        demo=invoice.demo,
    )


def of_credit_note(session: Session, credit_note_id: str) -> Content:
    """Gather what a credit note's document shows; its amounts are positive and mean given back.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    note = session.get(CreditNote, credit_note_id)
    if note is None:
        raise NotFound
    invoice = session.get_one(Invoice, note.invoice_id)
    order = session.get_one(Order, note.order_id)
    sheet = sheet_of_note(note)
    of = asset(note.asset)
    return Content(
        kind="credit_note",
        id=note.id,
        number=note.number,
        purpose=invoice.purpose,
        status="issued" if note.voided_at is None else "void",
        issued_on=note.issued_on,
        due_on=None,
        asset=of,
        order_id=order.id,
        order_description=order.description,
        order_reference=order.reference,
        reference=note.reference,
        merchant_id=note.merchant_id,
        seller=sheet.seller,
        buyer=sheet.buyer,
        lines=sheet.lines,
        whole=sheet.whole,
        own=sheet.own,
        deducted=(),
        paid=Money(0, of),
        refunded=Money(0, of),
        due=Money(0, of),
        payments=(),
        of=(invoice.number, invoice.issued_on),
        reason=note.reason,
        note=sheet.note,
        livemode=note.livemode,
        demo=note.demo,
    )


def sheet_of(session: Session, invoice: Invoice) -> Sheet:
    """Open what an invoice says; one without a sheet is of an order from before there were invoices.

    Of one that is kept no longer, its number and amounts are left.

    Transaction: caller's, reads only.
    """
    if invoice.sealed is not None:
        try:
            return sheets.unseal(invoice, invoice.sealed, f"invoices|sealed|{invoice.id}")
        except KeyDestroyed:
            return drafting.bare_sheet(session, invoice)
    return drafting.plain_sheet(session, invoice)


def sheet_of_note(note: CreditNote) -> Sheet:
    """Open what a credit note says. Raises: NotFound when there is none, Gone when it is kept no longer."""
    if note.sealed is None:
        raise NotFound
    try:
        return sheets.unseal(note, note.sealed, f"credit_notes|sealed|{note.id}")
    except KeyDestroyed as error:
        raise Gone("What this credit note says is kept no longer.") from error


def _payments(session: Session, invoice: Invoice, of: Asset) -> tuple[Paid, ...]:
    statement = (
        select(InvoicePayment, Payment)
        .join(Payment, Payment.id == InvoicePayment.payment_id)
        .where(InvoicePayment.invoice_id == invoice.id, InvoicePayment.paid_minor > 0)
        .order_by(Payment.created_at, Payment.id)
    )
    return tuple(
        Paid(
            payment.id,
            payment.rail,
            payment.provider,
            payment.provider_reference,
            Money(pair.paid_minor, of),
            Money(pair.confirmed_minor, of),
            Money(pair.refunded_minor, of),
            payment.created_at,
        )
        for pair, payment in session.execute(statement)
    )

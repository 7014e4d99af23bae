"""Invoices and credit notes as the API shows them: the records that document them and what writes them."""

from __future__ import annotations

from typing import Any, Literal

from api.contract import MoneyOut, Out, money_out
from api.shapes import amount
from core import clock
from core.money import Money, asset
from domain.invoices import figures
from domain.invoices.invoice_queries import Around
from domain.invoices.sheets import Address, Party, Sheet
from domain.invoices.totals import Line, TaxRow
from models.invoices import CreditNote, Invoice

InvoiceWord = Literal["open", "pending_payment", "paid", "confirmed", "refunded", "void"]


class InvoiceOut(Out):
    """One invoice, tax included in all amounts. paid: detected for it, due: still to be paid of it.

    refunded: given back of what was paid; credited: taken back by its credit notes; writtenOff: given up.
    sha256: of its document, null until that is printed; supersedes: the invoice it was issued anew for.
    """

    invoice_id: str
    number: str
    order_id: str
    merchant_id: str
    purpose: Literal["deposit", "balance", "full"]
    status: InvoiceWord
    total: MoneyOut
    tax: MoneyOut
    paid: MoneyOut
    due: MoneyOut
    refunded: MoneyOut
    credited: MoneyOut
    written_off: MoneyOut
    issued_on: str
    due_on: str | None
    sha256: str | None
    credit_note_ids: list[str]
    payment_ids: list[str]
    supersedes: str | None
    superseded_by: str | None
    reference: str | None
    livemode: bool
    demo: bool
    created_at: str
    updated_at: str


class BilledLineOut(Out):
    """One line. unitAmount and amount: without tax; taxRate: percent."""

    description: str
    quantity: str
    unit_amount: MoneyOut
    tax_rate: str
    amount: MoneyOut


class TaxOut(Out):
    """What is taxed at one rate, and its tax."""

    tax_rate: str
    base: MoneyOut
    tax: MoneyOut


class DeductedOut(Out):
    """An earlier invoice over a part of the same order, taken off this one."""

    invoice_id: str
    number: str
    amount: MoneyOut


class PostalOut(Out):
    """A postal address."""

    line1: str
    line2: str | None
    city: str
    postal_code: str
    country: str


class BilledPartyOut(Out):
    """Who sells or buys."""

    name: str
    address: PostalOut | None
    vat_id: str | None
    email: str | None


class InvoiceWholeOut(InvoiceOut):
    """An invoice with what it says. Null for whoever may only know how it stands."""

    lines: list[BilledLineOut] | None
    taxes: list[TaxOut] | None
    deducted: list[DeductedOut] | None
    seller: BilledPartyOut | None
    buyer: BilledPartyOut | None
    note: str | None


class CreditNoteOut(Out):
    """What was taken back of an invoice, tax included. status: `void` when its refund failed after all."""

    credit_note_id: str
    number: str
    status: Literal["issued", "void"]
    invoice_id: str
    order_id: str
    amount: MoneyOut
    tax: MoneyOut
    refund_id: str | None
    reason: str
    issued_on: str
    sha256: str | None
    reference: str | None
    livemode: bool
    demo: bool
    created_at: str


def invoice(row: Invoice, near: Around) -> dict[str, Any]:
    """Write an invoice without what it says."""
    of = asset(row.asset)
    return {
        "invoiceId": row.id,
        "number": row.number,
        "orderId": row.order_id,
        "merchantId": row.merchant_id,
        "purpose": row.purpose,
        "status": row.status,
        "total": amount(row.total_minor, of),
        "tax": amount(row.tax_minor, of),
        "paid": amount(row.paid_minor, of),
        "due": money_out(figures.due(row)),
        "refunded": amount(row.refunded_minor, of),
        "credited": amount(row.credited_minor, of),
        "writtenOff": amount(row.written_off_minor, of),
        "issuedOn": row.issued_on.isoformat(),
        "dueOn": row.due_on.isoformat() if row.due_on else None,
        "sha256": near.sha256.get(row.id),
        "creditNoteIds": near.credit_note_ids.get(row.id, []),
        "paymentIds": near.payment_ids.get(row.id, []),
        "supersedes": row.supersedes_id,
        "supersededBy": near.followers.get(row.id),
        "reference": row.reference,
        "livemode": row.livemode,
        "demo": row.demo,
        "createdAt": clock.rfc3339(row.created_at),
        "updatedAt": clock.rfc3339(row.updated_at),
    }


def whole(row: Invoice, near: Around, sheet: Sheet | None) -> dict[str, Any]:
    """Write an invoice with what it says; sheet None: for whoever may only know how it stands."""
    said: dict[str, Any] = dict.fromkeys(
        ("lines", "taxes", "deducted", "seller", "buyer", "note"), None
    )
    if sheet is not None:
        said = {
            "lines": [_line(each) for each in sheet.lines],
            "taxes": [_tax(each) for each in sheet.own.taxes],
            "deducted": [
                {
                    "invoiceId": each.invoice_id,
                    "number": each.number,
                    "amount": money_out(each.totals.gross),
                }
                for each in sheet.deducted
            ],
            "seller": _party(sheet.seller),
            "buyer": _party(sheet.buyer),
            "note": sheet.note,
        }
    return invoice(row, near) | said


def _line(line: Line) -> dict[str, Any]:
    return {
        "description": line.description,
        "quantity": f"{line.quantity:f}",
        "unitAmount": money_out(line.unit),
        "taxRate": f"{line.rate:f}",
        "amount": money_out(line.net),
    }


def _tax(row: TaxRow) -> dict[str, Any]:
    return {"taxRate": f"{row.rate:f}", "base": money_out(row.base), "tax": money_out(row.tax)}


def _party(party: Party | None) -> dict[str, Any] | None:
    if party is None:
        return None
    return {
        "name": party.name,
        "address": _address(party.address),
        "vatId": party.vat_id,
        "email": party.email,
    }


def _address(home: Address | None) -> dict[str, Any] | None:
    if home is None:
        return None
    return {
        "line1": home.line1,
        "line2": home.line2,
        "city": home.city,
        "postalCode": home.postal_code,
        "country": home.country,
    }


def credit_note(row: CreditNote, sha256: str | None) -> dict[str, Any]:
    """Write a credit note."""
    of = asset(row.asset)
    return {
        "creditNoteId": row.id,
        "number": row.number,
        "status": "issued" if row.voided_at is None else "void",
        "invoiceId": row.invoice_id,
        "orderId": row.order_id,
        "amount": money_out(Money(row.amount_minor, of)),
        "tax": money_out(Money(row.tax_minor, of)),
        "refundId": row.refund_id,
        "reason": row.reason,
        "issuedOn": row.issued_on.isoformat(),
        "sha256": sha256,
        "reference": row.reference,
        "livemode": row.livemode,
        "demo": row.demo,
        "createdAt": clock.rfc3339(row.created_at),
    }

"""What invoices and credit notes tell the world: ids, numbers, states and amounts, never whom they name."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from core.book_states import Invoice as Status
from core.money import Money, asset
from core.strictjson import Json
from domain import events
from domain.events import About
from domain.invoices import figures
from domain.transitions import Why, move_together
from models.invoices import CreditNote, Invoice

_TOLD: Mapping[Status, str] = {
    Status.OPEN: "invoice.opened",
    Status.PENDING_PAYMENT: "invoice.pending_payment",
    Status.PAID: "invoice.paid",
    Status.CONFIRMED: "invoice.confirmed",
    Status.REFUNDED: "invoice.refunded",
    Status.VOID: "invoice.voided",
}


def about(invoice: Invoice) -> About:
    """Point an event at an invoice and its parties."""
    return About(
        object_id=invoice.id,
        order_id=invoice.order_id,
        merchant_id=invoice.merchant_id,
        buyer_id=invoice.buyer_id,
        seller_id=invoice.seller_id,
        demo=invoice.demo,
        livemode=invoice.livemode,
    )


def stands(invoice: Invoice, *, why: Why) -> dict[str, object]:
    """Make the event row that says where an invoice stands now, under the number it has reached.

    Emits: the event of its state.
    """
    of = asset(invoice.asset)
    body: dict[str, Json] = {
        "invoiceId": invoice.id,
        "number": invoice.number,
        "due": figures.due(invoice).major(),
        "paid": Money(invoice.paid_minor, of).major(),
        "currency": of.code,
    }
    return events.row(
        _TOLD[Status(invoice.status)],
        about(invoice),
        source=why.source,
        sequence=invoice.event_sequence,
        status=invoice.status,
        body=body,
        is_replay=why.is_replay,
    )


def credit_note(
    session: Session, kind: str, note: CreditNote, invoice: Invoice, *, why: Why
) -> dict[str, object]:
    """Make the event row that tells of a credit note. kind: `credit_note.issued` or `credit_note.voided`.

    Writes: invoices.event_sequence. Transaction: caller's, with the order locked.
    """
    spent: dict[str, object] = {"event_sequence": invoice.event_sequence + 1}
    move_together(session, invoice, moves={}, values=spent, why=why)
    of = asset(note.asset)
    body: dict[str, Json] = {
        "creditNoteId": note.id,
        "invoiceId": invoice.id,
        "number": note.number,
        "amount": Money(note.amount_minor, of).major(),
        "currency": of.code,
        "refundId": note.refund_id,
    }
    return events.row(
        kind,
        about(invoice),
        source=why.source,
        sequence=invoice.event_sequence,
        status=invoice.status,
        body=body,
        is_replay=why.is_replay,
    )

"""Event types of invoices and credit notes: numbers, states and amounts, never whom they name."""

from __future__ import annotations

from collections.abc import Mapping

from domain.event_types.fields import EventType, Field
from domain.event_types.fields import text as _text

_MAJOR = "Decimal text in major units of `currency`."
_INVOICE = _text("inv_01jd7m4aaa0v5d3k8r6t9w1x2y3z", "The invoice.")
_CURRENCY = _text("EUR", "ISO 4217 code or token symbol.")


def _stands(name: str, meaning: str, status: str, *, due: str, paid: str) -> EventType:
    fields: Mapping[str, Field] = {
        "invoiceId": _INVOICE,
        "number": _text("INV-2026-000123", "Its number in its merchant's series."),
        "due": _text(due, f"Still to be paid of it. {_MAJOR}"),
        "paid": _text(paid, f"Detected for it; more than it asks for when too much came. {_MAJOR}"),
        "currency": _CURRENCY,
    }
    return EventType(name, meaning, "order", status, fields, outbound=True)


def _credit_note(name: str, meaning: str) -> EventType:
    fields: Mapping[str, Field] = {
        "creditNoteId": _text("cn_01jd7m5bbb0v5d3k8r6t9w1x2y3z", "The credit note."),
        "invoiceId": _INVOICE,
        "number": _text("CN-2026-000007", "Its number in its merchant's series."),
        "amount": _text("25.00", f"Tax included. {_MAJOR}"),
        "currency": _CURRENCY,
        "refundId": _text(
            "ref_01jd7m5ccc0v5d3k8r6t9w1x2y3z", "The refund it is for.", nullable=True
        ),
    }
    return EventType(name, meaning, "order", "confirmed", fields, outbound=True)


TYPES: tuple[EventType, ...] = (
    _stands(
        "invoice.opened",
        "It asks for money: newly issued, or again after an attempt ended or part of it was paid.",
        "open",
        due="25.00",
        paid="0.00",
    ),
    _stands(
        "invoice.pending_payment",
        "An attempt to pay it is open.",
        "pending_payment",
        due="25.00",
        paid="0.00",
    ),
    _stands("invoice.paid", "It is paid, and not final yet.", "paid", due="0.00", paid="25.00"),
    _stands("invoice.confirmed", "It is paid for good.", "confirmed", due="0.00", paid="25.00"),
    _stands(
        "invoice.refunded",
        "All that was paid of it was given back.",
        "refunded",
        due="0.00",
        paid="25.00",
    ),
    _stands(
        "invoice.voided",
        "It asks for nothing any more; its number stays.",
        "void",
        due="0.00",
        paid="0.00",
    ),
    _credit_note("credit_note.issued", "Part or all of an invoice was taken back."),
    _credit_note("credit_note.voided", "A credit note holds no more: its refund failed after all."),
    EventType(
        "invoice.viewed",
        "The document of an invoice or of a credit note of it was handed to somebody.",
        "staff",
        "confirmed",
        {
            "invoiceId": _INVOICE,
            "creditNoteId": _text(
                "cn_01jd7m5bbb0v5d3k8r6t9w1x2y3z", "The credit note that was shown.", nullable=True
            ),
            "kind": _text("pdf", "What was handed over: `pdf` or `xml`."),
            "viewedBy": _text("usr_01jd7m0aaa0v5d3k8r6t9w1x2y3z", "Who read it."),
            "role": _text("finance", "In which role."),
        },
        staff=True,
    ),
)

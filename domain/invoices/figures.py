"""What an invoice's amounts say; reading only."""

from __future__ import annotations

from core.book_states import Invoice as Status
from core.money import Money, asset
from models.invoices import Invoice

# Standing: it asks for money, or has been paid. A void one only keeps its number.
STANDING = tuple(status.value for status in Status if status != Status.VOID)


def asked_minor(invoice: Invoice) -> int:
    """Say what it asks for in the end: its total, less what was credited without a refund or given up."""
    return invoice.total_minor - invoice.allowed_minor - invoice.written_off_minor


def due(invoice: Invoice) -> Money:
    """Say what is still to be paid of it; nothing of a void one."""
    if invoice.status == Status.VOID:
        return Money(0, asset(invoice.asset))
    return Money(max(0, asked_minor(invoice) - invoice.paid_minor), asset(invoice.asset))


def creditable_minor(invoice: Invoice) -> int:
    """Say how much of it no credit note has taken back yet."""
    return invoice.total_minor - invoice.credited_minor

"""All invoices of a filter as one stream: rows for spreadsheets, or documents, page by page from the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api import invoice_shapes
from core import clock
from core.csvsafe import Cell
from core.money import Money, asset
from domain.actors import Actor
from domain.database import reading
from domain.invoices import figures, invoice_queries
from domain.invoices.invoice_queries import Around, InvoiceFilter
from domain.payments.payments import LONGEST_PAGE, Page
from models.invoices import Invoice

COLUMNS = (
    "invoiceId number orderId merchantId purpose status currency total tax paid due refunded credited "
    "writtenOff issuedOn dueOn sha256 creditNoteIds paymentIds supersedes supersededBy reference livemode "
    "demo createdAt updatedAt"
).split()
Found = tuple[Invoice, Around]


def _all(wanted: InvoiceFilter, actor: Actor) -> Iterator[Found]:
    """Walk every page; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        page = Page(LONGEST_PAGE, before)
        with reading() as session:
            rows, before = invoice_queries.list_invoices(session, wanted, actor=actor, page=page)
            near = invoice_queries.around(session, rows)
        yield from ((row, near) for row in rows)
        if before is None:
            return


def documents(wanted: InvoiceFilter, *, actor: Actor) -> Iterator[dict[str, Any]]:
    """Give every invoice of a filter as the API shows it."""
    for row, near in _all(wanted, actor):
        yield invoice_shapes.invoice(row, near)


def cells(wanted: InvoiceFilter, *, actor: Actor) -> Iterator[list[Cell]]:
    """Give every invoice of a filter as a row under `COLUMNS`; amounts are numbers in major units."""
    for row, near in _all(wanted, actor):
        yield _cells(row, near)


def _cells(row: Invoice, near: Around) -> list[Cell]:
    of = asset(row.asset)
    minors = (row.refunded_minor, row.credited_minor, row.written_off_minor)
    return [
        row.id,
        row.number,
        row.order_id,
        row.merchant_id,
        row.purpose,
        row.status,
        of.code,
        *(
            Money(minor, of).as_decimal()
            for minor in (row.total_minor, row.tax_minor, row.paid_minor)
        ),
        figures.due(row).as_decimal(),
        *(Money(minor, of).as_decimal() for minor in minors),
        row.issued_on.isoformat(),
        row.due_on.isoformat() if row.due_on else None,
        near.sha256.get(row.id),
        " ".join(near.credit_note_ids.get(row.id, [])),
        " ".join(near.payment_ids.get(row.id, [])),
        row.supersedes_id,
        near.followers.get(row.id),
        row.reference,
        row.livemode,
        row.demo,
        clock.rfc3339(row.created_at),
        clock.rfc3339(row.updated_at),
    ]

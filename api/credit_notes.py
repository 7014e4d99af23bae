"""Credit notes: issued by hand on an invoice, listed. Those of refunds are written by the worker."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from api import invoice_shapes
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyIn,
    NoBody,
    NoQuery,
    RangeQuery,
    Session,
    Several,
    endpoint,
    page,
    place_of,
    run_once,
)
from api.intents import Ref
from api.invoice_shapes import CreditNoteOut
from api.invoices import Id, Reason, locked
from api.order_invoices import InvoiceLineIn, written_lines
from core.errors import invalid
from core.money import asset, zero
from core.permissions import Permission
from domain.database import reading
from domain.invoices import credit_notes, drafting, invoice_queries
from domain.invoices.credit_notes import Wanted
from domain.invoices.invoice_queries import CreditNoteFilter
from domain.payments.payments import Page
from domain.transitions import Why

blueprint = Blueprint("credit_notes", __name__)


class CreditNoteIn(In):
    """What to take back: an amount with its tax, or lines; with a refund alone, all of that.

    refundId: the refund it is for; reference: the caller's own name for it, unique for the merchant.
    """

    amount: MoneyIn | None = None
    lines: list[InvoiceLineIn] = Field(default_factory=list, max_length=200)
    refund_id: Id | None = None
    reason: Reason
    reference: Ref | None = None


class CreditNoteQuery(RangeQuery):
    """Which credit notes."""

    invoice_id: Several = ()
    order_id: Several = ()


@endpoint(
    blueprint,
    "POST",
    "/api/invoices/{invoiceId}/credit-notes",
    access=Permission.CREDIT_NOTES_ISSUE,
    body=CreditNoteIn,
    answers={201: CreditNoteOut},
    key="R",
    errors=("NOT_FOUND", "AMOUNT_EXCEEDED", "INVALID_TRANSITION", "CONFLICT"),
    events=("credit_note.issued", "invoice.confirmed"),
    summary="Take back a part or all of an invoice that was paid, never more than it says.",
    requirement="S225",
)
def issue(call: Call[CreditNoteIn, NoQuery]) -> Answer:
    body = call.body
    if body.amount is not None and body.lines:
        raise invalid("lines", "Say an amount or lines, not both.")

    def work(session: Session) -> Answer:
        order, invoice = locked(session, call.path["invoiceId"], call.actor)
        of = asset(invoice.asset)
        said = written_lines(body.lines, of, place="lines")
        wanted = Wanted(
            reason=body.reason,
            amount=body.amount.money(default=of) if body.amount else None,
            lines=drafting.lines_of(said, zero(of)),
            refund_id=body.refund_id,
            reference=body.reference,
        )
        why = Why(call.actor, call.source, body.reason)
        note = credit_notes.issue(session, order, invoice, wanted, actor=call.actor, why=why)
        return Answer(201, invoice_shapes.credit_note(note, None))

    return run_once(call, work)


@endpoint(
    blueprint,
    "GET",
    "/api/credit-notes",
    access=Permission.INVOICES_READ,
    query=CreditNoteQuery,
    answers={200: Listed[CreditNoteOut]},
    summary="List one's own credit notes, newest first; finance, admins and auditors see all.",
    requirement="S225",
)
def index(call: Call[NoBody, CreditNoteQuery]) -> Answer:
    place, asked = place_of(call.query), call.query
    wanted = CreditNoteFilter(
        invoice_id=asked.invoice_id,
        order_id=asked.order_id,
        created_from=asked.since,
        created_to=asked.until,
    )
    with reading() as session:
        rows = invoice_queries.list_credit_notes(
            session, wanted, actor=call.actor, page=Page(place.limit, place.before)
        )
        digests = invoice_queries.sha256_of(session, "credit_note", [row.id for row in rows])
    body = page(
        rows,
        place,
        wire=lambda row: invoice_shapes.credit_note(row, digests.get(row.id)),
        mark=lambda row: (row.created_at, row.id),
    )
    return Answer(200, body)

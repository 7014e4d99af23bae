"""Invoices: listed, exported, read, made by hand, voided, issued anew. Their documents: `invoice_documents.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field, StringConstraints

from api import invoice_exports, invoice_shapes
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoBody,
    NoQuery,
    RangeQuery,
    Session,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    place_of,
    run_once,
)
from api.contract.paging import cursor
from api.days import Day
from api.intents import Ref
from api.invoice_shapes import InvoiceOut, InvoiceWholeOut
from api.order_invoices import InvoiceLineIn, PartyIn, written_lines, written_party
from core.book_states import Invoice as Status
from core.errors import invalid
from core.money import asset, zero
from core.permissions import Permission
from domain.actors import Actor
from domain.database import reading
from domain.invoices import content, drafting, invoice_queries, issuing, readers, sheets
from domain.invoices.invoice_queries import InvoiceFilter
from domain.invoices.issuing import Made
from domain.orders.order_progress import lock_order
from domain.orders.orders import get_order
from domain.payments.payments import Page
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order

blueprint = Blueprint("invoices", __name__)
Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
_STATUS = tuple(word.value for word in Status)


class InvoiceQuery(RangeQuery):
    """Which invoices. `q` searches numbers, ids, references, e-mail (staff) and amount; format: export all."""

    status: Several = ()
    order_id: Several = ()
    q: str | None = Field(default=None, max_length=255)
    format: Literal["csv", "json"] | None = None


class InvoiceMakeIn(In):
    """An order's next invoice. lines: of all that is billed; a deposit's invoice is taken off by itself."""

    order_id: Id
    lines: list[InvoiceLineIn] = Field(min_length=1, max_length=200)
    due_on: Day | None = None
    buyer: PartyIn | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None
    reference: Ref | None = None


class InvoiceVoidIn(In):
    """Why it asks for nothing any more."""

    reason: Reason
    reference: Ref | None = None


class InvoiceReissueIn(In):
    """Why it is issued anew, and by when that one is to be paid."""

    reason: Reason
    due_on: Day | None = None
    reference: Ref | None = None


def _filter(asked: InvoiceQuery) -> InvoiceFilter:
    if unknown := [word for word in asked.status if word not in _STATUS]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(_STATUS)}."
        raise invalid("status", sentence, code="unknown_value")
    return InvoiceFilter(
        status=asked.status,
        order_id=asked.order_id,
        created_from=asked.since,
        created_to=asked.until,
        q=asked.q,
    )


@endpoint(
    blueprint,
    "GET",
    "/api/invoices",
    access=Permission.INVOICES_READ,
    query=InvoiceQuery,
    answers={200: Listed[InvoiceOut]},
    summary="List one's own invoices, newest first, or export them; finance, admins and auditors see all.",
    requirement="S225",
)
def index(call: Call[NoBody, InvoiceQuery]) -> Answer | Response:
    wanted, place = _filter(call.query), place_of(call.query)
    if call.query.format == "csv":
        rows = invoice_exports.cells(wanted, actor=call.actor)
        return csv_answer("invoices", invoice_exports.COLUMNS, rows)
    if call.query.format == "json":
        around = (b'{"items":[', b'],"nextCursor":null}')
        return json_stream(invoice_exports.documents(wanted, actor=call.actor), around=around)
    page = Page(place.limit, place.before)
    with reading() as session:
        found, more = invoice_queries.list_invoices(session, wanted, actor=call.actor, page=page)
        near = invoice_queries.around(session, found)
    items = [invoice_shapes.invoice(row, near) for row in found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


def _shown(session: Session, invoice: Invoice, actor: Actor) -> dict[str, object]:
    """Write an invoice; whoever may only know how it stands reads nobody's name and no line."""
    near = invoice_queries.around(session, [invoice])
    may_read = actor.may(Permission.INVOICES_READ) and readers.may_know_buyer(
        session, invoice, actor
    )
    sheet = content.sheet_of(session, invoice) if may_read else None
    return invoice_shapes.whole(invoice, near, sheet)


@endpoint(
    blueprint,
    "GET",
    "/api/invoices/{invoiceId}",
    access=Permission.INVOICES_STATUS,
    answers={200: InvoiceWholeOut},
    errors=("NOT_FOUND",),
    summary="Read an invoice by its id, or by its order's the newest that stands; support sees no names.",
    requirement="S53",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        invoice = invoice_queries.get_invoice(session, call.path["invoiceId"], actor=call.actor)
        return Answer(200, _shown(session, invoice, call.actor))


@endpoint(
    blueprint,
    "POST",
    "/api/invoices",
    access=Permission.INVOICES_ISSUE,
    body=InvoiceMakeIn,
    answers={201: InvoiceWholeOut},
    key="R",
    money=True,
    errors=("NOT_FOUND", "CONFLICT", "AMOUNT_EXCEEDED", "INVALID_TRANSITION"),
    events=("invoice.opened",),
    summary="Make the invoice that an order lacks: its deposit's, its final one, or its only one.",
    requirement="S225",
)
def make(call: Call[InvoiceMakeIn, NoQuery]) -> Answer:
    body = call.body

    def work(session: Session) -> Answer:
        get_order(session, body.order_id, actor=call.actor)
        order = lock_order(session, body.order_id)
        of = asset(order.asset)
        lines = drafting.lines_of(written_lines(body.lines, of, place="lines"), zero(of))
        made = Made(
            lines=lines,
            due_on=body.due_on,
            buyer=sheets.party(written_party(body.buyer)),
            note=body.note,
            reference=body.reference,
        )
        invoice = issuing.make(session, order, made, why=Why(call.actor, call.source))
        shown = _shown(session, invoice, call.actor)
        return Answer(201, shown, location=f"/api/invoices/{invoice.id}")

    return run_once(call, work)


def locked(session: Session, name: str, actor: Actor) -> tuple[Order, Invoice]:
    """Lock the order of an invoice that the actor may see, and read the invoice under that lock.

    Raises: NotFound. Transaction: caller's.
    """
    seen = invoice_queries.get_invoice(session, name, actor=actor)
    order = lock_order(session, seen.order_id)
    return order, invoice_queries.get_invoice(session, seen.id, actor=actor)


@endpoint(
    blueprint,
    "POST",
    "/api/invoices/{invoiceId}/void",
    access=Permission.INVOICES_ISSUE,
    body=InvoiceVoidIn,
    answers={200: InvoiceWholeOut},
    key="R",
    money=True,
    errors=("NOT_FOUND", "INVALID_TRANSITION"),
    events=("invoice.voided",),
    summary="Void an invoice that nobody has paid or is paying; one that was paid takes a credit note.",
    requirement="S225",
)
def void(call: Call[InvoiceVoidIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        order, invoice = locked(session, call.path["invoiceId"], call.actor)
        why = Why(call.actor, call.source, call.body.reason)
        issuing.void(session, order, invoice, reason=call.body.reason, why=why)
        return Answer(200, _shown(session, invoice, call.actor))

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/invoices/{invoiceId}/reissue",
    access=Permission.INVOICES_ISSUE,
    body=InvoiceReissueIn,
    answers={201: InvoiceWholeOut},
    key="R",
    money=True,
    errors=("NOT_FOUND", "INVALID_TRANSITION", "CONFLICT"),
    events=("invoice.voided", "invoice.opened"),
    summary="Issue an unpaid invoice anew: a new number over the same lines, linked to the old one.",
    requirement="S225",
)
def reissue(call: Call[InvoiceReissueIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        order, invoice = locked(session, call.path["invoiceId"], call.actor)
        why = Why(call.actor, call.source, call.body.reason)
        new = issuing.reissue(session, order, invoice, due_on=call.body.due_on, why=why)
        shown = _shown(session, new, call.actor)
        return Answer(201, shown, location=f"/api/invoices/{new.id}")

    return run_once(call, work)

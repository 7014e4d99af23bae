"""The list of credit notes: what was taken back of which invoice, and why; live."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import invoice_words, listing, render
from dashboard.listing import Asked
from dashboard.shapes import Empty, View
from domain.actors import Actor
from domain.database import reading
from domain.invoices import invoice_desk, invoice_queries
from domain.invoices.invoice_queries import CreditNoteFilter
from web import access

routes = Blueprint("desk_credit_notes", __name__)
NAMES = ("invoice", "order", "from", "to")
_OWN = "staff but engineers, others their own; support their numbers and states"


def _rows_view(asked: Asked, actor: Actor) -> View:
    begin, end = listing.days(asked)
    wanted = CreditNoteFilter(
        invoice_id=(asked.get("invoice"),) if asked.get("invoice") else (),
        order_id=(asked.get("order"),) if asked.get("order") else (),
        created_from=begin,
        created_to=end,
    )
    with reading() as session:
        page = listing.page_of(asked)
        found = invoice_queries.list_credit_notes(session, wanted, actor=actor, page=page)
        shown = found[: page.limit]
        documents = invoice_desk.documents_of(session, "credit_note", [row.id for row in shown])
        numbers = invoice_desk.named(session, [row.invoice_id for row in shown])
    last = shown[-1] if len(found) > page.limit else None
    more = (last.created_at, last.id) if last else None
    return {
        "rows": [
            invoice_words.note_view(
                row, documents.get(row.id), actor, numbers.get(row.invoice_id, "–")
            )
            for row in shown
        ],
        "shows_sums": actor.may(Permission.INVOICES_READ),
        "rows_url": asked.href("/credit-notes/rows"),
        "page": listing.pages(asked, len(shown), more),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, or widen the days.",
            "search",
            href="/credit-notes",
            label="Clear all filters",
        )
    said = "A refund of an invoiced payment writes one by itself."
    return Empty("No credit notes yet", said, "undo")


@routes.get("/credit-notes")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def index() -> Response:
    asked, actor = listing.read("/credit-notes", NAMES), render.actor()
    texts = [
        listing.text_input(asked, name, label)
        for name, label in (("invoice", "Invoice"), ("order", "Order"))
    ]
    view = _rows_view(asked, actor) | {
        "lead": "What was taken back of invoices, each under a number of its own.",
        "inputs": [*texts, *listing.day_inputs(asked)],
    }
    return render.page("invoices/credit_notes.html", view)


@routes.get("/credit-notes/rows")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def rows() -> Response:
    asked = listing.read("/credit-notes", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("invoices/_credit_notes.html", _rows_view(asked, render.actor()))

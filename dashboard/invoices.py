"""The list of invoices: what was billed, what is paid and what is due, since when; live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from flask import Blueprint, Response

from core.book_states import Invoice as Status
from core.permissions import Permission
from dashboard import book_exports, invoice_words, listing, render
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, Input, View
from domain import calendar, desk
from domain.actors import Actor
from domain.database import reading
from domain.invoices import invoice_queries
from domain.invoices.invoice_queries import InvoiceFilter
from web import access

routes = Blueprint("desk_invoices", __name__)
NAMES = ("q", "state", "due", "from", "to")
_OWN = "staff but engineers, others their own; support their numbers and states"
_TABS: Mapping[str, str] = {
    "": "All",
    Status.OPEN.value: "Open",
    Status.PENDING_PAYMENT.value: "Being paid",
    Status.PAID.value: "Paid, not final",
    Status.CONFIRMED.value: "Paid",
    Status.REFUNDED.value: "Refunded",
    Status.VOID.value: "Void",
}
_DUE: Mapping[str, str] = {
    "": "Any day",
    "overdue": "Overdue",
    "week": "Within a week",
    "later": "Later",
}
_BAR = BarWords("Filter invoices", "Search invoices", "Number, order, payment, buyer or amount")
_SHORT_BAR = BarWords("Filter invoices", "Search invoices", "Number or order")
_WEEK = timedelta(days=7)


def wanted_of(asked: Asked) -> InvoiceFilter:
    """Read what the address wants to see; days are those of issue."""
    state, due = asked.one_of("state", list(_TABS)), asked.one_of("due", list(_DUE))
    begin, end = listing.days(asked)
    today = calendar.today()
    due_from, due_before = {
        "overdue": (None, today),
        "week": (today, today + _WEEK),
        "later": (today + _WEEK, None),
    }.get(due, (None, None))
    return InvoiceFilter(
        status=(state,) if state else (),
        created_from=begin,
        created_to=end,
        q=asked.get("q") or None,
        due_from=due_from,
        due_before=due_before,
    )


def _rows_view(asked: Asked, actor: Actor) -> View:
    with reading() as session:
        page = listing.page_of(asked)
        wanted = wanted_of(asked)
        found, more = invoice_queries.list_invoices(session, wanted, actor=actor, page=page)
        reads_all = actor.may(Permission.INVOICES_READ)
        buyers = [row.buyer_id for row in found] if reads_all else []
        names = desk.names_of(session, buyers, actor=actor)
    return {
        "rows": [invoice_words.row_view(row, names, actor) for row in found],
        "shows_sums": reads_all,
        "rows_url": asked.href("/invoices/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, _TABS, {}),
    }


def _empty(asked: Asked) -> Empty:
    if (empty := listing.none_there(asked, "No invoice stands so.", "file")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, widen the days, or paste a whole number or id.",
            "search",
            href="/invoices",
            label="Clear all filters",
        )
    return Empty("No invoices yet", "An order brings its first one with it.", "file")


def _inputs(asked: Asked, actor: Actor) -> list[Input]:
    if not actor.may(Permission.INVOICES_READ):
        return []
    return [listing.select(asked, "due", "Due", _DUE), *listing.day_inputs(asked)]


@routes.get("/invoices")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def index() -> Response:
    asked, actor = listing.read("/invoices", NAMES), render.actor()
    reads_all = actor.may(Permission.INVOICES_READ)
    lead = "What was billed for orders, what came for it and what is still due, tax included."
    view = _rows_view(asked, actor) | {
        "lead": lead if reads_all else "Each invoice by its number, and how it stands.",
        "exports": book_exports.invoices(wanted_of(asked)) if reads_all else [],
        "bar": listing.bar(asked, _BAR if reads_all else _SHORT_BAR, _inputs(asked, actor)),
    }
    return render.page("invoices/index.html", view)


@routes.get("/invoices/rows")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def rows() -> Response:
    asked = listing.read("/invoices", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("invoices/_live_rows.html", _rows_view(asked, render.actor()))

"""The journal: every entry of the books, newest first, narrowed by what it is tied to; live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import book_exports, journal_words, listing, render
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, Input, View
from domain import calendar
from domain.actors import Actor
from domain.books import book_queries
from domain.books.book_queries import EntryFilter
from domain.database import reading
from web import access

routes = Blueprint("desk_journal", __name__)
NAMES = (
    *("q", "state", "kind", "account", "order", "payment", "invoice", "period"),
    *("from", "to"),
)
_TABS: Mapping[str, str] = {
    "": "All",
    "manual": "Manual",
    "reversals": "Reversals",
    "due": "To be reversed",
    "late": "Late facts",
}
_BAR = BarWords(
    "Filter the journal", "Search the journal", "Id, order, payment, invoice or reference"
)


def wanted_of(asked: Asked) -> EntryFilter:
    """Read what the address wants to see."""
    begin, end = listing.days(asked)
    tab = asked.one_of("state", list(_TABS))
    kind = asked.one_of("kind", list(journal_words.KIND_CHOICES))
    if not kind and tab == "reversals":
        kind = "reversal"

    def one(name: str) -> tuple[str, ...]:
        return (asked.get(name),) if asked.get(name) else ()

    return EntryFilter(
        order_id=one("order"),
        invoice_id=one("invoice"),
        payment_id=one("payment"),
        account=asked.get("account") or None,
        manual=True if tab == "manual" else None,
        posted_from=begin,
        posted_to=end,
        kind=(kind,) if kind else (),
        period=asked.get("period") or None,
        is_late=tab == "late",
        is_due=tab == "due",
        text=asked.get("q") or None,
    )


def _rows_view(asked: Asked, actor: Actor) -> View:
    with reading() as session:
        page = listing.page_of(asked)
        found, more = book_queries.list_entries(session, wanted_of(asked), page=page)
        near = journal_words.near(session, found, actor)
    return {
        "rows": [journal_words.row_view(row, near) for row in found],
        "rows_url": asked.href("/journal/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, _TABS, {}),
    }


def _empty(asked: Asked) -> Empty:
    if (empty := listing.none_there(asked, "No entry is of this sort.", "ledger")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, widen the days, or paste a whole id or reference.",
            "search",
            href="/journal",
            label="Clear all filters",
        )
    return Empty("Nothing is posted yet", "The first money that moves is the first entry.", "book")


def _inputs(asked: Asked) -> list[Input]:
    month = calendar.month_of(calendar.begin_of(calendar.today()))
    texts = [
        replace(listing.text_input(asked, name, label), placeholder=example)
        for name, label, example in (
            ("account", "Account", "address"),
            ("order", "Order", "id"),
            ("payment", "Payment", "id"),
            ("invoice", "Invoice", "id"),
            ("period", "Month", month),
        )
        # The search box finds these too; a link that narrows by one shows it.
        if name in ("account", "period") or asked.get(name)
    ]
    kind = listing.select(asked, "kind", "Kind", journal_words.KIND_CHOICES)
    return [kind, *texts, *listing.day_inputs(asked)]


def _acts(actor: Actor) -> list[Act]:
    why_not = None
    if not actor.may(Permission.JOURNAL_POST):
        why_not = "Finance and admins write entries."
    new = Act("new", "New entry", "/journal/new", why_not is None, why_not, icon="note")
    return [new]


@routes.get("/journal")
@access.page(Permission.JOURNAL_READ)
def index() -> Response:
    asked, actor = listing.read("/journal", NAMES), render.actor()
    with reading() as session:
        exports = book_exports.journal(session, wanted_of(asked))
    view = _rows_view(asked, actor) | {
        "lead": "Every movement of money, as debits and credits that sum to nothing. Entries are never"
        " changed; a wrong one is reversed.",
        "acts": _acts(actor),
        "exports": exports,
        "bar": listing.bar(asked, _BAR, _inputs(asked)),
    }
    return render.page("journal/index.html", view)


@routes.get("/journal/rows")
@access.page(Permission.JOURNAL_READ)
def rows() -> Response:
    asked = listing.read("/journal", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("journal/_live_rows.html", _rows_view(asked, render.actor()))

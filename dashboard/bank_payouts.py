"""The list of payouts of providers to our bank: which no bank line shows yet, found by any name or amount."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import bank_payout_words, listing, render, words
from dashboard.bank_payout_words import HERE
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, Fact, Tab, View
from domain.database import reading
from domain.reconciliation import payout_queries
from domain.reconciliation.payout_queries import CAME_BACK, FOUND, WAITING
from web import access

routes = Blueprint("desk_bank_payouts", __name__)
NAMES = ("tab", "q")
_TABS = ((WAITING, "Not found yet"), (FOUND, "Found"), (CAME_BACK, "Came back"))
_EMPTY = {
    WAITING: ("Every payout was found at the bank", "The next one is listed here at once."),
    FOUND: ("No payout was found at the bank yet", "Match one under “Not found yet”."),
    CAME_BACK: ("No payout came back", "One that the bank returns is listed here, with why."),
}
_BAR = BarWords("Filter bank payouts", "Search payouts", "Payout, bank line or amount")


def rows_view(asked: Asked) -> View:
    """Prepare the payouts of a tab."""
    actor = render.actor()
    which = asked.one_of("tab", [name for name, _ in _TABS]) or WAITING
    page = listing.page_of(asked)
    with reading() as session:
        found = payout_queries.list_payouts(
            session, which, livemode=actor.livemode, page=page, q=asked.get("q") or None
        )
        waiting = payout_queries.on_their_way(session, livemode=actor.livemode)
        is_any = bool(found) or payout_queries.is_any(session, livemode=actor.livemode)
    shown = found[: page.limit]
    last = shown[-1] if len(found) > page.limit else None
    more = (last.created_at, last.id) if last else None
    return {
        "rows": [bank_payout_words.row_view(row, actor) for row in shown],
        "page": listing.pages(
            asked, len(shown), more, newest="oldest" if which == WAITING else "newest"
        ),
        "empty_note": _empty(asked, which, is_any=is_any),
        "waiting": [
            Fact(_on_their_way(count), money=words.shown(total)) for count, total in waiting
        ],
        "rows_url": asked.href(f"{HERE}/rows"),
        "tabs_items": [
            Tab(
                label,
                asked.href(HERE, tab=name if name != WAITING else None, cursor=None),
                name == which,
            )
            for name, label in _TABS
        ],
        "bar": listing.bar(asked, _BAR, [], tab="tab"),
    }


def _on_their_way(count: int) -> str:
    return f"{words.counted(count, 'payout')} on the way"


def _empty(asked: Asked, which: str, *, is_any: bool) -> Empty:
    if asked.get("q"):
        clear = asked.href(q=None, cursor=None)
        text = "Whole names only, or an amount such as 1250.00; the other tabs may have it."
        return Empty("No payout matches", text, "search", href=clear, label="Clear the search")
    if not is_any:
        text = "What a provider pays out is listed here once it says so."
        return Empty("Nothing was paid out yet", text, "bank")
    title, text = _EMPTY[which]
    return Empty(title, text, "check" if which == WAITING else "bank")


@routes.get(HERE)
@access.page(Permission.RECONCILIATION_READ)
def index() -> Response:
    return render.page("bank_payouts/index.html", rows_view(listing.read(HERE, NAMES)))


@routes.get(f"{HERE}/rows")
@access.page(Permission.RECONCILIATION_READ)
def rows() -> Response:
    asked = listing.read(HERE, NAMES)
    return render.fragment("bank_payouts/_rows.html", rows_view(asked), page_href=asked.href())

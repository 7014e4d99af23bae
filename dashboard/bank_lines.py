"""The list of bank lines: what is not matched, what each may show, found by any reference or amount; live."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import bank_words, listing, render
from dashboard.bank_words import LINES
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, Input, View
from domain.actors import Actor
from domain.bank import bank_accounts, bank_queries, suggesting
from domain.bank.bank_queries import LineFilter
from domain.bank.seen import seen_of
from domain.database import reading
from domain.desk import Session
from web import access

routes = Blueprint("desk_bank_lines", __name__)
NAMES = ("q", "state", "account", "statement", "from", "to")
_TABS = {
    "": "All",
    "suggested": "Suggested",
    "unmatched": "Nothing suggested",
    "matched": "Matched",
}
_BAR = BarWords("Filter bank lines", "Search bank lines", "Reference, id or amount")


def wanted_of(asked: Asked) -> LineFilter:
    """Read what the address wants to see; days are those of booking."""
    state = asked.one_of("state", list(_TABS))
    begin, end = listing.day_of(asked, "from")[0], listing.day_of(asked, "to")[0]
    return LineFilter(
        state=(state,) if state else (),
        statement_id=asked.get("statement") or None,
        account=(asked.get("account"),) if asked.get("account") else (),
        since=begin.date() if begin else None,
        until=end.date() if end else None,
        q=asked.get("q") or None,
    )


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare a page of lines with what each may show."""
    page = listing.page_of(asked)
    with reading() as session:
        found = bank_queries.list_lines(session, wanted_of(asked), page=page)
        shown = found[: page.limit]
        open_lines = [seen_of(row) for row in shown if row.state != "matched"]
        suggested = suggesting.suggest(session, open_lines)
        counts = bank_queries.count_states(session)
        rows = [bank_words.line_view(row, suggested.get(row.id, ()), actor) for row in shown]
    last = shown[-1] if len(found) > page.limit else None
    return {
        "rows": rows,
        "rows_url": asked.href(f"{LINES}/rows"),
        "page": listing.pages(asked, len(shown), (last.created_at, last.id) if last else None),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(
            asked, _TABS, {name: str(count) for name, count in counts.items()}
        ),
    }


def _empty(asked: Asked) -> Empty:
    if asked.values:
        return Empty(
            "No line matches",
            "Clear the filters, or look under another tab.",
            "search",
            href=LINES,
            label="Clear all filters",
        )
    return Empty(
        "No bank lines yet", "They come with the first statement that is imported.", "bank"
    )


def _inputs(session: Session, asked: Asked) -> list[Input]:
    names = {row.name: row.name for row in bank_accounts.list_all(session)}
    return [
        listing.select(asked, "account", "Account", {"": "Any account"} | names),
        *listing.day_inputs(asked),
    ]


def _acts(actor: Actor) -> list[Act]:
    if not actor.may(Permission.BANK_STATEMENTS):
        return []
    may = actor.may(Permission.BANK_MATCH)
    why = None if may else bank_words.WHO
    return [
        Act("certain", "Match certain ones", f"{LINES}/certain", may, why, icon="check"),
        bank_words.import_act(actor),
    ]


@routes.get(LINES)
@access.page(Permission.BANK_LINES)
def index() -> Response:
    asked, actor = listing.read(LINES, NAMES), render.actor()
    with reading() as session:
        inputs = _inputs(session, asked)
    view = rows_view(asked, actor) | {
        "places": bank_words.places(actor, LINES),
        "acts": _acts(actor),
        "exports": bank_words.exports(wanted_of(asked)),
        "bar": listing.bar(asked, _BAR, inputs),
    }
    return render.page("bank/lines.html", view)


@routes.get(f"{LINES}/rows")
@access.page(Permission.BANK_LINES)
def rows() -> Response:
    asked = listing.read(LINES, NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("bank/_live_lines.html", rows_view(asked, render.actor()))

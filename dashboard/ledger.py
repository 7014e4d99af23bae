"""The ledger: the trial balance and the chart of accounts with what each line holds, also as of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, Response, request

from core import clock
from core.chart import CHART, Kind, Pattern, Side
from core.money import asset
from core.permissions import Permission
from dashboard import (
    book_exports,
    book_names,
    books,
    ledger_words,
    listing,
    render,
    verification_words,
    words,
)
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, Input, Tab, View
from domain import calendar
from domain.actors import Actor
from domain.books import account_search, chart_sums
from domain.books.chart_sums import LineSum, Wanted
from domain.books.trial_balance import When
from domain.database import reading
from domain.desk import Session
from web import access

routes = Blueprint("desk_ledger", __name__)
NAMES = ("q", "side", "kind", "currency", "line", "on", "known")
# A line with no more accounts than this shows them in place.
FEW = 6
# Entries since a page was drawn are counted up to here.
MOST_NEWS = 100
# Entries are kept to the millisecond.
_INSTANT = timedelta(milliseconds=1)
_TABS = {"": "All", **{each.value: ledger_words.SIDES[each] for each in Side}}
_KINDS = {"": "Any", **{each.value: each.value.capitalize() for each in Kind}}
_BAR = BarWords("Filter the ledger", "Search accounts", "Address, id, name or reference")


@dataclass(frozen=True)
class Scope:
    """What the address asks of the books: which lines, in which currency, and when."""

    patterns: Sequence[Pattern]
    asset: str | None
    when: When
    is_narrowed: bool


def scope_of(asked: Asked) -> Scope:
    """Read what the address wants to see."""
    side = asked.one_of("side", list(_TABS))
    kind = asked.one_of("kind", list(_KINDS))
    slug = asked.get("line")
    patterns = [
        each
        for each in CHART
        if (not side or each.side == side)
        and (not kind or each.kind == kind)
        and (not slug or ledger_words.slug(each) == slug)
    ]
    return Scope(
        patterns,
        ledger_words.asset_name(asked.get("currency")),
        When(_end_of(asked, "on"), _end_of(asked, "known")),
        bool(side or kind or slug),
    )


def _end_of(asked: Asked, name: str) -> datetime | None:
    """Give the last instant of a day of the address, on the house's clock."""
    day = _day(asked, name)
    return None if day is None else calendar.begin_of(day + timedelta(days=1)) - _INSTANT


def _day(asked: Asked, name: str) -> date | None:
    at, _ = listing.day_of(asked, name)
    return None if at is None else at.date()


def _view(asked: Asked, actor: Actor) -> View:
    scope, now = scope_of(asked), clock.now()
    with reading() as session:
        sums = chart_sums.of_chart(session, scope.when)
        view: View = {
            "totals": ledger_words.totals(sums, scope.asset),
            "verification": verification_words.badge(session),
            "bar": listing.bar(asked, _BAR, _inputs(asked, sums), tab="side"),
        }
        if asked.get("q") or asked.get("line"):
            view |= _list(session, asked, scope, actor)
        else:
            tree = _tree(session, asked, scope, sums, actor)
            view |= {"tree": tree, "empty_note": _nothing(asked)}
    return view | {
        "lead": "What every account holds, summed from the journal. Each is positive on its own side:"
        " what an asset holds, what is owed, earned or spent.",
        "as_of": ledger_words.when_words(_day(asked, "on"), _day(asked, "known")),
        "drawn": words.moment(now),
        "tabs_items": _tabs(asked),
        "exports": book_exports.trial_balance(scope.when),
        "news_url": _news_url(asked, now),
        "news": None,
    }


def _tabs(asked: Asked) -> list[Tab]:
    return listing.tabs(asked, _TABS, {}, name="side")


def _inputs(asked: Asked, sums: Sequence[LineSum]) -> list[Input]:
    codes = sorted({asset(each.asset).code for each in sums})
    currencies = {"": "All"} | {code: code for code in codes}
    days = [
        Input(
            name,
            label,
            "date",
            value=asked.get(name),
            error=listing.day_of(asked, name)[1],
            submits=True,
            is_set=bool(asked.get(name)),
        )
        for name, label in (("on", "As of"), ("known", "Known on"))
    ]
    found = [
        listing.select(asked, "kind", "Kind", _KINDS),
        listing.select(asked, "currency", "Currency", currencies),
        *days,
    ]
    if asked.get("line"):
        lines = {"": "All"} | {ledger_words.slug(each): books.line(each) for each in CHART}
        found.insert(0, listing.select(asked, "line", "Line", lines))
    return found


def _tree(
    session: Session, asked: Asked, scope: Scope, sums: Sequence[LineSum], actor: Actor
) -> list[View]:
    """Prepare the chart as a tree: whose ledger, which line, and where they are few, which accounts."""
    wanted = [
        each
        for each in sums
        if (each.pattern in scope.patterns or (each.pattern is None and not scope.is_narrowed))
        and (not scope.asset or each.asset == scope.asset)
    ]
    few = [
        pattern
        for pattern in scope.patterns
        if 0 < sum(each.accounts for each in wanted if each.pattern == pattern) <= FEW
    ]
    own = chart_sums.list_accounts(
        session,
        Wanted(few, asset=scope.asset),
        scope.when,
        limit=(FEW + 1) * len(CHART),
    )
    names = book_names.of_accounts(session, [each.address for each in own], actor)
    children = {pattern: [each for each in own if each.pattern == pattern] for pattern in few}
    return ledger_words.branches(asked, wanted, children, names)


def _list(session: Session, asked: Asked, scope: Scope, actor: Actor) -> View:
    """Prepare the accounts of one line, or those that a text may mean, page by page."""
    named = account_search.meaning(session, asked.get("q")) if asked.get("q") else None
    patterns = scope.patterns if scope.is_narrowed else None
    found = chart_sums.list_accounts(
        session,
        Wanted(patterns, named, scope.asset),
        scope.when,
        limit=listing.ROWS + 1,
        after=ledger_words.read_place(asked.get("cursor")),
    )
    shown = found[: listing.ROWS]
    names = book_names.of_accounts(session, [each.address for each in shown], actor)
    more = None
    if len(found) > listing.ROWS:
        more = ledger_words.write_place(shown[-1].address, shown[-1].asset)
    return {
        "tree": None,
        "rows": ledger_words.account_rows(shown, names),
        "page": ledger_words.pages(asked, len(shown), more),
        "empty_note": _empty(asked),
    }


def _nothing(asked: Asked) -> Empty:
    if asked.is_narrowed("side", "kind", "currency", "on", "known"):
        said = "No account of this sort holds or held anything."
        return Empty("Nothing here", said, "book", href="/ledger", label="Clear all filters")
    said = "An account is opened by the first entry that touches it."
    return Empty("No account holds anything yet", said, "book")


def _empty(asked: Asked) -> Empty:
    said = "Paste a whole id or address, or a part of a merchant's name."
    cleared = {"q": None, "line": None, "cursor": None, "kind": None, "currency": None}
    href = asked.href(**cleared)
    return Empty("No account matches", said, "search", href=href, label="Back to the chart")


@routes.get("/ledger/news")
@access.page(Permission.LEDGER_TOTALS)
def news() -> Response:
    """Say how much was posted since a page of the ledger was drawn; its numbers stay as they are."""
    asked, since = listing.read("/ledger", NAMES), _instant(request.args.get("since", ""))
    if not render.wants_fragment() or since is None:
        return render.to(asked.href())
    with reading() as session:
        count = chart_sums.count_since(session, since, most=MOST_NEWS)
    view: View = {"news_url": _news_url(asked, since), "news": None}
    if count:
        number = f"{MOST_NEWS} or more" if count == MOST_NEWS else str(count)
        said = "entry was" if count == 1 else "entries were"
        view["news"] = {"text": f"{number} {said} posted since.", "href": asked.href()}
    return render.part("ledger/_news.html", view)


def _news_url(asked: Asked, since: datetime) -> str | None:
    """Give where news of what was posted since come from; None: the page shows a day that is over."""
    if asked.get("on") or asked.get("known"):
        return None
    return asked.href("/ledger/news", since=clock.rfc3339(since))


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


@routes.get("/ledger")
@access.page(Permission.LEDGER_TOTALS)
def index() -> Response:
    asked = listing.read("/ledger", NAMES)
    return render.page("ledger/index.html", _view(asked, render.actor()))

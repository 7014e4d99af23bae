"""The queue of exception cases: what waits, for whom, by when, at what risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import case_words, listing, render, states, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, Link, View
from domain import naming
from domain.actors import Actor
from domain.cases import case_suggestions, case_targets
from domain.cases.case_queries import (
    MOST_COUNTED,
    NOBODY,
    UNRESOLVED,
    CaseFilter,
    QueueCounts,
    count_queue,
    list_cases,
)
from domain.cases.case_suggestions import Suggestion
from domain.cases.case_targets import Target
from domain.database import reading
from models.cases import ExceptionCase
from web import access

routes = Blueprint("desk_exceptions", __name__)
LIST = "/exceptions"
NAMES = ("q", "state", "kind", "team", "overdue", "risk", "from", "to")
TABS: Mapping[str, str] = {
    "": "To be settled",
    "mine": "Mine",
    "open": "Nobody’s",
    "assigned": "Assigned",
    "overdue": "Overdue",
    "waiting": "Waiting for approval",
    "resolved": "Settled",
    "all": "All",
}
_NONE: Mapping[str, str] = {
    "mine": "No open case is yours. Take one from those to be settled.",
    "open": "Every open case has an owner.",
    "assigned": "No open case has an owner.",
    "overdue": "No open case is past its target.",
    "waiting": "No case waits for a second person.",
    "resolved": "No case has been settled yet.",
    "all": "No case has been opened yet.",
}
TEAMS = {"": "Any"} | case_words.TEAMS
MOST_SUMS = 3
_BAR = BarWords("Filter cases", "Search cases", "Case, payment, order or reference")
_OWN = "staff all, merchants those of their own payments"


@dataclass(frozen=True)
class Around:
    """What a page of rows is shown with, fetched at once."""

    names: Mapping[str, str]
    targets: Mapping[str, Target]
    suggested: Mapping[str, Suggestion]
    actor: Actor
    back: str


def wanted_of(asked: Asked, actor: Actor) -> CaseFilter:
    """Read what the address wants to see; at first what nobody has settled."""
    state = asked.one_of("state", list(TABS))
    kind, team = asked.one_of("kind", list(states.KINDS)), asked.one_of("team", list(TEAMS))
    begin, end = listing.days(asked)
    unsettled = state in ("", "mine", "overdue", "waiting")
    if not actor.is_staff:
        return CaseFilter(
            kind=[kind] if kind else [],
            state=UNRESOLVED if unsettled else () if state == "all" else (state,),
            q=asked.get("q") or None,
            opened_from=begin,
            opened_to=end,
        )
    return CaseFilter(
        kind=[kind] if kind else [],
        state=UNRESOLVED if unsettled else () if state == "all" else (state,),
        owner={"mine": [actor.id], "open": [NOBODY]}.get(state, []),
        team=[team] if team else [],
        overdue=True if asked.get("overdue") == "yes" or state == "overdue" else None,
        waits=state == "waiting",
        at_risk=asked.get("risk") == "yes",
        q=asked.get("q") or None,
        opened_from=begin,
        opened_to=end,
    )


def row_view(row: ExceptionCase, around: Around) -> View:
    """Prepare one row. press: what the keys do in it."""
    actor, href = around.actor, f"{LIST}/{row.id}"
    unsettled = row.state != "resolved"
    back = f"?back={quote(around.back, safe='')}"
    suggestion = around.suggested.get(row.id)
    takes = unsettled and row.owner_id != actor.id and actor.may(Permission.EXCEPTIONS_ASSIGN)
    return {
        "id": row.id,
        "version": listing.version(row.state, row.owner_id or "", row.approval_id or ""),
        "href": href,
        "sentence": row.sentence,
        "kind": case_words.kind(row),
        "state": case_words.state(row),
        "team": case_words.TEAMS.get(row.team, row.team),
        "payment": words.short(row.payment_id) if row.payment_id else None,
        "owner": "You" if row.owner_id == actor.id else around.names.get(row.owner_id or ""),
        "opened": words.moment(row.opened_at),
        "due": case_words.due(row, around.targets),
        "settled": case_words.verb(row.verb) if not unsettled else None,
        "at_risk": case_words.at_risk(row),
        "suggestion": suggestion.why if suggestion else None,
        "selects": unsettled and actor.may(Permission.EXCEPTIONS_BULK),
        "take": {"action": f"{href}/assign", "user": actor.id, "back": around.back}
        if takes
        else None,
        "resolve_href": f"{href}/resolve{back}"
        if unsettled and actor.may(Permission.EXCEPTIONS_RESOLVE)
        else None,
        "note_href": f"{href}#field-note" if actor.may(Permission.EXCEPTIONS_NOTE) else None,
        "evidence_href": _evidence(row, actor),
        "demo": row.demo,
    }


def _evidence(row: ExceptionCase, actor: Actor) -> str | None:
    if row.payment_id:
        return f"/payments/{row.payment_id}"
    if row.inbound_id and actor.may(Permission.INBOUND_READ):
        return f"/webhooks/{row.inbound_id}"
    return None


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare the rows of a page of the queue with its foot, its tabs and what it adds up to."""
    with reading() as session:
        wanted = wanted_of(asked, actor)
        page = listing.page_of(asked)
        found, more = list_cases(session, wanted, actor=actor, page=page)
        owners = [row.owner_id for row in found if row.owner_id]
        around = Around(
            naming.actor_names(session, owners, for_staff=actor.is_staff),
            {each.kind: each for each in case_targets.list_targets(session)},
            case_suggestions.suggest_many(session, found) if actor.is_staff else {},
            actor,
            asked.href(),
        )
        every_tab = Asked(asked.path, {**asked.values, "state": ""})
        counted = count_queue(session, wanted_of(every_tab, actor), actor=actor)
    return {
        "rows": [row_view(case_words.for_reader(row, actor), around) for row in found],
        "rows_url": asked.href("/exceptions/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, _tabs(actor), _counts(counted)),
        "risk_sums": [words.shown(each) for each in counted.at_risk[:MOST_SUMS]]
        if actor.is_staff
        else [],
        "bulk": {"back": asked.href()} if actor.may(Permission.EXCEPTIONS_BULK) else None,
    }


def _tabs(actor: Actor) -> Mapping[str, str]:
    own = {"mine", "open", "assigned", "waiting", "overdue"}
    return TABS if actor.is_staff else {k: v for k, v in TABS.items() if k not in own}


def _counts(counted: QueueCounts) -> dict[str, str]:
    numbers = {
        "": counted.unsettled,
        "mine": counted.mine,
        "open": counted.nobodys,
        "overdue": counted.overdue,
        "waiting": counted.waiting,
    }
    more = "+" if counted.is_capped else ""
    return {name: f"{min(number, MOST_COUNTED):,}{more}" for name, number in numbers.items()}


def _empty(asked: Asked) -> Empty:
    if (
        empty := listing.none_there(asked, _NONE.get(asked.get("state"), ""), "shield")
    ) is not None:
        return empty
    if asked.is_narrowed(*NAMES):
        return Empty(
            "Nothing matches these filters",
            "Clear them, or paste a whole id.",
            "search",
            href=LIST,
            label="Clear all filters",
        )
    return Empty("No case to be settled", "Nothing waits for a decision.", "shield")


def _acts(actor: Actor) -> list[Act]:
    found = []
    if actor.is_staff:
        found.append(Act("targets", "Targets", "/exceptions/targets", icon="clock"))
    if actor.may(Permission.RULES_READ):
        found.append(Act("rules", "Rules", "/exceptions/rules", icon="list"))
    return found


@routes.get("/exceptions")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def index() -> Response:
    asked, actor = listing.read(LIST, NAMES), render.actor()
    of_staff = [
        listing.select(asked, "team", "Team", TEAMS),
        listing.select(asked, "overdue", "Overdue", {"": "Shown too", "yes": "Only"}),
        listing.select(asked, "risk", "Money at risk", {"": "Any", "yes": "Only"}),
    ]
    inputs = [
        listing.select(asked, "kind", "Kind", {"": "Any"} | dict(states.KINDS)),
        *(of_staff if actor.is_staff else []),
        *listing.day_inputs(asked),
    ]
    view = rows_view(asked, actor)
    view |= {
        "lead": "What the machine would not decide alone. Each case says what was expected, what was "
        "found and how much is at risk."
        if actor.is_staff
        else "What of your payments the machine would not decide alone. Our people look at each.",
        "acts": _acts(actor),
        "bar": listing.bar(asked, _BAR, inputs),
    }
    return render.page("exceptions/index.html", view)


@routes.get("/exceptions/rows")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def rows() -> Response:
    asked = listing.read(LIST, NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return live_rows(asked)


def live_rows(asked: Asked) -> Response:
    """Give the list as a part, with its tabs."""
    return render.part("exceptions/_live_rows.html", rows_view(asked, render.actor()))


def asked_in(href: str) -> Asked | None:
    """Read the filters out of an address of this list; None when it is another page's."""
    parts = urlsplit(href)
    if parts.path != LIST:
        return None
    given = dict(parse_qsl(parts.query))
    kept = {name: given[name][: listing.LONGEST_QUERY] for name in NAMES if given.get(name)}
    if given.get("cursor"):
        kept["cursor"] = given["cursor"]
    return Asked(LIST, kept)


def crumb(row: ExceptionCase) -> list[Link]:
    """Say where a page about a case is."""
    return [Link("Exceptions", LIST), Link(words.short(row.id), f"{LIST}/{row.id}")]

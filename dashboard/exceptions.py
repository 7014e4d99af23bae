"""Exception cases: the queue, and one case with what was expected, what was found and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from core.money import Money, asset
from core.permissions import Permission
from dashboard import listing, render, states, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, Fact, Link, State, View
from domain import desk, desk_queries, naming
from domain.actors import Actor
from domain.case_queries import (
    UNRESOLVED,
    CaseFilter,
    CaseMoment,
    events_behind,
    get_case,
    list_cases,
    moments_of,
)
from domain.database import reading
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from web import access

routes = Blueprint("desk_exceptions", __name__)
MOST_EVENTS = 12
NAMES = ("q", "state", "kind", "team", "overdue", "from", "to")
TABS: Mapping[str, str] = {
    "": "To be settled",
    "open": "Open",
    "assigned": "Assigned",
    "resolved": "Resolved",
    "all": "All",
}
TEAMS = {"": "Any", "support": "Support", "finance": "Finance", "engineering": "Engineering"}
_BAR = BarWords("Filter cases", "Search cases", "Case, payment, order or reference")
_OWN = "staff all, merchants those of their own payments"


def wanted_of(asked: Asked) -> CaseFilter:
    """Read what the address wants to see; at first what nobody has settled."""
    state = asked.one_of("state", list(TABS))
    kind, team = asked.one_of("kind", list(states.KINDS)), asked.one_of("team", list(TEAMS))
    begin, end = listing.days(asked)
    by_tab = {"": UNRESOLVED, "all": ()}
    return CaseFilter(
        kind=[kind] if kind else [],
        state=by_tab.get(state, (state,)),
        team=[team] if team else [],
        overdue=True if asked.get("overdue") == "yes" else None,
        q=asked.get("q") or None,
        opened_from=begin,
        opened_to=end,
    )


def row_view(row: ExceptionCase, names: Mapping[str, str]) -> View:
    """Prepare one row."""
    kind = states.KINDS.get(row.kind, row.kind)
    return {
        "id": row.id,
        "version": row.state,
        "href": f"/exceptions/{row.id}",
        "sentence": row.sentence,
        "kind": kind,
        "state": states.CASE[row.state],
        "payment": words.short(row.payment_id) if row.payment_id else None,
        "owner": names.get(row.owner_id or ""),
        "opened": words.moment(row.opened_at),
        "due": words.moment(row.sla_due_at) if row.sla_due_at and row.state != "resolved" else None,
        "at_risk": words.money(row.risk_minor, row.asset) if row.risk_minor and row.asset else None,
        "demo": row.demo,
    }


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare the rows of a page of the queue with its foot."""
    with reading() as session:
        page = listing.page_of(asked)
        found, more = list_cases(session, wanted_of(asked), actor=actor, page=page)
        owners = [row.owner_id for row in found if row.owner_id]
        names = naming.actor_names(session, owners, for_staff=actor.is_staff)
    return {
        "rows": [row_view(row, names) for row in found],
        "rows_url": asked.href("/exceptions/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, or paste a whole id.",
            "search",
            href="/exceptions",
            label="Clear all filters",
        )
    return Empty("No case to be settled", "Nothing waits for a decision.", "shield")


@routes.get("/exceptions")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def index() -> Response:
    asked, actor = listing.read("/exceptions", NAMES), render.actor()
    inputs = [
        listing.select(asked, "kind", "Kind", {"": "Any"} | dict(states.KINDS)),
        listing.select(asked, "team", "Team", TEAMS),
        listing.select(asked, "overdue", "Overdue", {"": "Shown too", "yes": "Only"}),
        *listing.day_inputs(asked),
    ]
    view = rows_view(asked, actor)
    view |= {
        "lead": "What the machine would not decide alone. Each case says what was expected, what was "
        "found and how much is at risk.",
        "acts": [],
        "tabs_items": listing.tabs(asked, TABS, _counts(actor)),
        "bar": listing.bar(asked, _BAR, inputs),
    }
    return render.page("exceptions/index.html", view)


def _counts(actor: Actor) -> dict[str, str]:
    with reading() as session:
        counted = desk_queries.case_counts(session, actor=actor)
    return {state: desk.capped(number) for state, number in counted.items()}


@routes.get("/exceptions/rows")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def rows() -> Response:
    asked = listing.read("/exceptions", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    actor = render.actor()
    tabs = listing.tabs(asked, TABS, _counts(actor))
    return render.part("exceptions/_live_rows.html", rows_view(asked, actor) | {"tabs_items": tabs})


@routes.get("/exceptions/<case_id>")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def show(case_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        row = get_case(session, case_id, actor=actor)
        moments = moments_of(session, case_id)
        ids = [moment.actor for moment in moments] + ([row.owner_id] if row.owner_id else [])
        names = naming.actor_names(session, ids, for_staff=actor.is_staff)
        events = events_behind(session, row) if actor.may(Permission.INBOUND_READ) else []
    view: View = {
        "case": _case(row, names, actor) | {"evidence": _evidence(row) + _events(row, events)},
        "story": [_moment(each, names, is_staff=actor.is_staff) for each in moments],
    }
    return render.page("exceptions/show.html", view, live=False)


def _case(row: ExceptionCase, names: Mapping[str, str], actor: Actor) -> View:
    payment, inbound = row.payment_id, row.inbound_id
    sees_events = inbound and actor.may(Permission.INBOUND_READ)
    return {
        "kind": states.KINDS.get(row.kind, row.kind),
        "short": words.short(row.id),
        "state": states.CASE[row.state],
        "sentence": row.sentence,
        "ref": words.ref("case id", row.id),
        "payment": Link(words.short(payment), f"/payments/{payment}") if payment else None,
        "event": Link(words.short(inbound), f"/webhooks/{inbound}")
        if inbound and sees_events
        else None,
        "opened": words.moment(row.opened_at),
        "acts": [],
        "more_acts": _acts(row, actor),
        "facts": _facts(row, names),
    }


def _acts(row: ExceptionCase, actor: Actor) -> list[Act]:
    """Offer what leads to the decision: the event's replay, the payment and its notes."""
    found = []
    if row.inbound_id and actor.may(Permission.INBOUND_READ):
        reason = None if actor.may(Permission.INBOUND_REPLAY) else "Your role reads events only."
        href, said = f"/webhooks/{row.inbound_id}/preview", "Shows what applying it now would do."
        found.append(
            Act(
                "replay",
                "Replay the event",
                href,
                reason is None,
                reason,
                text=said,
                verb="Preview",
            )
        )
    if row.payment_id:
        href, said = (
            f"/payments/{row.payment_id}",
            "Ask the provider, read the timeline, add a note.",
        )
        found.append(Act("payment", "Work on the payment", href, text=said, verb="Open"))
    return found


def _evidence(row: ExceptionCase) -> list[Fact]:
    code = asset(row.asset).code if row.asset else ""
    found = [
        Fact(label, f"{value} {code}".strip() if _is_number(value) else value)
        for label, value in (("Expected", row.expected), ("Found", row.found))
        if value is not None
    ]
    if row.risk_minor is not None and row.asset:
        sum_ = Money(row.risk_minor, asset(row.asset))
        found.append(Fact("At risk", money=words.shown(sum_)))
    return found


def _events(row: ExceptionCase, events: Sequence[InboundEvent]) -> list[Fact]:
    """List the provider's events that the case rests on; never leave the panel empty."""
    found = []
    for event in events[:MOST_EVENTS]:
        name = words.short(event.provider_event_id or event.id)
        state = states.of_inbound(event).word.lower()
        note = f"{name}, {state}, {words.absolute(event.received_at)}"
        found.append(Fact("Event", event.type, href=f"/webhooks/{event.id}", note=note))
    if not found and row.expected is None and row.found is None:
        found.append(Fact("Found", "Nothing to compare; the sentence above says it all."))
    return found


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _facts(row: ExceptionCase, names: Mapping[str, str]) -> list[Fact]:
    found = [
        Fact("State", state=states.CASE[row.state]),
        Fact("Owner", names.get(row.owner_id or "", "Nobody yet")),
        Fact("Team", row.team.capitalize()),
        Fact("Opened", at=words.moment(row.opened_at)),
    ]
    if row.sla_due_at is not None:
        found.append(Fact("Due", at=words.moment(row.sla_due_at)))
    if row.resolved_at is not None:
        found.append(Fact("Resolved", at=words.moment(row.resolved_at), note=row.verb))
    if row.order_id:
        found.append(Fact("Order", words.short(row.order_id), href=f"/orders/{row.order_id}"))
    return found


def _moment(moment: CaseMoment, names: Mapping[str, str], *, is_staff: bool) -> View:
    is_opening = moment.text == "exception.open"
    new = moment.text.rpartition("→")[2].strip()
    state: State | None = states.CASE["open"] if is_opening else states.CASE.get(new)
    return {
        "icon": "flag" if is_opening else "person",
        "state": state,
        "text": "Opened" if is_opening else words.sentence(moment.text.replace("_", " ")),
        "reason": moment.reason if is_staff and not is_opening else None,
        "actor": words.person(moment.actor, names),
        "at": words.moment(moment.at),
    }

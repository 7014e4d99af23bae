"""Freezes on the desk: what is held now and was held, one freeze with what it holds and its story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from core.money_out import Act as Guarded
from core.permissions import Permission
from core.states import Freeze as State
from core.states import Refund
from dashboard import controls_view, listing, refund_words, render, states, words
from dashboard.listing import Asked
from dashboard.shapes import Act, Empty, Fact, Link, View
from dashboard.shapes import State as Mark
from domain import desk, naming
from domain.actors import Actor
from domain.control import approvals, freeze_queries, held, invariants
from domain.control.freeze_queries import FreezeFilter, Moment
from domain.control.held import Forecast, Item, Place
from domain.database import reading
from domain.desk import Session
from models.control import Approval, Freeze
from web import access

routes = Blueprint("desk_freezes", __name__)
NAMES = ("state", "scope")
TABS: Mapping[str, str] = {
    "": "Holding now",
    "lifted": "Lifted",
    "expired": "Ended by time",
    "all": "All",
}
SCOPES = {"": "Any", "all": "Everything", "rail": "Rails", "merchant": "Merchants"}
SCOPES |= {"order": "Orders"}
STATES: Mapping[State, Mark] = {
    State.ACTIVE: Mark("Holding", "hold", "bad"),
    State.LIFTED: Mark("Lifted", "done", "quiet"),
    State.EXPIRED: Mark("Ended by time", "expired", "quiet"),
}
CAUSES = {"person": "A person", "invariant": "A rule of the books broke", "failover": "A failover"}
KINDS = {"releases": "Releases", "payouts": "Payouts", "refunds": "Refunds"}
KINDS |= {"withdrawals": "Withdrawals"}
_STORY = {
    "freeze.engage": ("Frozen", STATES[State.ACTIVE]),
    "freeze.raise": ("A rule of the books broke here as well", STATES[State.ACTIVE]),
    "freeze.prolong": ("Made to last longer", STATES[State.ACTIVE]),
    "freeze.lift": ("Lifted", STATES[State.LIFTED]),
    "freeze.expire": ("Ended by time", STATES[State.EXPIRED]),
    "approval.request": ("Asked for it to be lifted", Mark("Asked", "open", "info")),
    "approval.approve": ("Agreed to lift it", Mark("Agreed", "done", "good")),
    "approval.refuse": ("Refused to lift it", Mark("Refused", "failed", "warn")),
    "approval.cancel": (
        "The request was taken back or no longer stood",
        Mark("Cancelled", "cancelled", "quiet"),
    ),
    "approval.expire": ("Nobody agreed within a day", Mark("Expired", "expired", "quiet")),
}


def wanted_of(asked: Asked) -> FreezeFilter:
    """Read what the address wants to see; at first what holds now."""
    state, scope = asked.one_of("state", list(TABS)), asked.one_of("scope", list(SCOPES))
    by_tab = {"": (State.ACTIVE.value,), "all": ()}
    return FreezeFilter(state=by_tab.get(state, (state,)), scope=(scope,) if scope else ())


def _until(row: Freeze) -> str:
    return f"until {words.absolute(row.until)}" if row.until else "until it is lifted"


def title_of(place: str) -> str:
    """Name a freeze by what it holds."""
    return place[0].upper() + place[1:]


def row_view(row: Freeze, place: str, names: Mapping[str, str]) -> View:
    """Prepare one row."""
    return {
        "id": row.id,
        "version": listing.version(row.state, row.until or ""),
        "href": f"/freezes/{row.id}",
        "title": title_of(place),
        "state": STATES[freeze_queries.state_of(row)],
        "reason": row.reason,
        "by": names.get(row.engaged_by, row.engaged_by),
        "engaged": words.moment(row.engaged_at),
        "until": _until(row) if row.ended_at is None else None,
        "ended": words.moment(row.ended_at) if row.ended_at else None,
        "demo": row.demo,
    }


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare the rows of a page with its tabs and its foot."""
    with reading() as session:
        page = listing.page_of(asked)
        found, more = freeze_queries.list_freezes(session, wanted_of(asked), actor=actor, page=page)
        names = naming.actor_names(session, [row.engaged_by for row in found], for_staff=True)
        places = freeze_queries.place_names(session, found)
        active = freeze_queries.count_active(session)
    return {
        "rows": [row_view(row, places[row.id], names) for row in found],
        "rows_url": asked.href("/freezes/rows"),
        "page": listing.pages(asked, len(found), more),
        "tabs_items": listing.tabs(asked, TABS, {"": desk.capped(active)}),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if asked.get("scope") or asked.get("cursor"):
        text = "Clear the filter to see the others."
        return Empty("Nothing matches this filter", text, "search", href="/freezes", label="Clear")
    if asked.get("state"):
        return Empty("No freeze here yet", "Whatever is frozen and let go is kept here.", "freeze")
    text = "Money goes out as people ask and agree."
    return Empty("Nothing is frozen", text, "shield")


def engage_act(actor: Actor) -> Act:
    """Offer to freeze, or say why not."""
    may = actor.may(Permission.FREEZES_ENGAGE)
    reason = None if may else "Finance, admins and engineers freeze money out."
    return Act(
        "engage", "Freeze money out", "/freezes/new", may, reason, icon="freeze", tone="danger"
    )


@routes.get("/freezes")
@access.page(Permission.CONTROLS_READ)
def index() -> Response:
    asked, actor = listing.read("/freezes", NAMES), render.actor()
    view = rows_view(asked, actor)
    with reading() as session:
        view |= controls_view.panels(session, actor)
    view |= {
        "lead": "A freeze holds refunds, releases, payouts and withdrawals from the moment it is made. "
        "One person freezes; two people let go.",
        "acts": [engage_act(actor)],
        "scope": listing.select(asked, "scope", "What is held", SCOPES),
        "kept": {"state": asked.get("state")} if asked.get("state") else {},
    }
    return render.page("freezes/index.html", view)


@routes.get("/freezes/rows")
@access.page(Permission.CONTROLS_READ)
def rows() -> Response:
    asked = listing.read("/freezes", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("freezes/_live_rows.html", rows_view(asked, render.actor()))


@routes.get("/freezes/controls")
@access.page(Permission.CONTROLS_READ)
def switches() -> Response:
    with reading() as session:
        view = controls_view.panels(session, render.actor())
    return render.fragment("freezes/_controls.html", view, page_href="/freezes")


@routes.get("/freezes/<freeze_id>")
@access.page(Permission.CONTROLS_READ)
def show(freeze_id: str) -> Response:
    return render.page("freezes/show.html", body_view(freeze_id, render.actor()))


@routes.get("/freezes/<freeze_id>/body")
@access.page(Permission.CONTROLS_READ)
def body(freeze_id: str) -> Response:
    view = body_view(freeze_id, render.actor())
    return render.fragment("freezes/_body.html", view, page_href=f"/freezes/{freeze_id}")


def body_view(freeze_id: str, actor: Actor) -> View:
    """Prepare one freeze, what it holds, what it is too late for, and what was done about it."""
    with reading() as session:
        row = freeze_queries.get_freeze(session, freeze_id)
        place = freeze_queries.place_of(session, row)
        holds = freeze_queries.state_of(row) == State.ACTIVE
        at = Place(row.scope, row.scope_id)
        asked = approvals.find_open(session, Guarded.FREEZE_LIFT, row.id) if holds else None
        story = freeze_queries.story_of(session, row)
        ids = [row.engaged_by, *(each.actor for each in story), *map(str, row.lifted_by)]
        names = naming.actor_names(session, ids, for_staff=True)
        view: View = {
            "freeze": _freeze(row, place, names, asked)
            | {"acts": [lift_act(row, asked, actor, red=invariants.known_red(session, row))]},
            "links": {"body": f"/freezes/{row.id}/body"},
            "story": [_moment(each, names) for each in story],
            "holds": holds,
        }
        return view | (holding_view(session, at) if holds else {"held": [], "going": []})


def holding_view(session: Session, place: Place) -> View:
    """Prepare what a freeze of a place holds now: counts of everything, the oldest acts one by one."""
    found = held.forecast(session, place)
    waiting = held.list_waiting(session, place)
    return {
        "forecast": forecast_view(found),
        "held": [_item(each, is_held=True) for each in waiting],
        "held_more": max(0, found.held - len(waiting)),
        "going": [_item(each) for each in held.list_on_their_way(session, place)],
    }


def forecast_view(found: Forecast) -> View:
    """Prepare the counts and sums of what a freeze holds or would hold."""
    going = words.counted(found.in_flight, "act is", "acts are")
    return {
        "counts": [{"label": KINDS[kind], "count": found.counts[kind]} for kind in found.counts],
        "sums": [words.shown(each) for each in found.amounts],
        "in_flight": f"{going} on the way already and cannot be held."
        if found.in_flight
        else "Nothing is on its way already.",
    }


def _item(item: Item, *, is_held: bool = False) -> View:
    href = f"/approvals/{item.approval_id}" if item.approval_id else None
    stands = states.APPROVAL.get(item.status)
    if item.kind == "refund":
        href, stands = f"/refunds/{item.id}", refund_words.STATES.get(item.status)
        # Agreed to and not sent yet: nothing of it is on its way while it is held.
        if is_held and item.status == Refund.PENDING:
            stands = refund_words.HELD
    return {
        "kind": "Request of a refund" if item.kind == "approval" else item.kind.capitalize(),
        "id": words.short(item.id),
        "href": href,
        "status": stands.word if stands else item.status.replace("_", " ").capitalize(),
        "amount": words.shown(item.amount) if item.amount else None,
        "at": words.moment(item.at),
    }


def _freeze(row: Freeze, place: str, names: Mapping[str, str], asked: Approval | None) -> View:
    return {
        "id": row.id,
        "short": words.short(row.id),
        "title": title_of(place),
        "state": STATES[freeze_queries.state_of(row)],
        "reason": row.reason,
        "ref": words.ref("freeze id", row.id),
        "engaged": words.moment(row.engaged_at),
        "by": words.person(row.engaged_by, names),
        "until": _until(row) if row.ended_at is None else None,
        "demo": row.demo,
        "waiting": Link("Open the request", f"/approvals/{asked.id}") if asked else None,
        "facts": _facts(row, place, names),
    }


def lift_act(row: Freeze, asked: Approval | None, actor: Actor, *, red: str | None = None) -> Act:
    """Offer to ask for the freeze to be lifted, or say why not. red: why it must stay, if it must."""
    reason = red
    if freeze_queries.state_of(row) != State.ACTIVE:
        reason = "It holds nothing any more."
    elif not actor.may(Permission.FREEZES_LIFT):
        reason = "Finance and admins lift a freeze."
    elif asked is not None:
        reason = "It was asked for; somebody else must agree."
    href = f"/freezes/{row.id}/lift"
    return Act("lift", "Lift the freeze", href, reason is None, reason, icon="undo")


def _facts(row: Freeze, place: str, names: Mapping[str, str]) -> Sequence[Fact]:
    pages = {"order": "/orders", "merchant": None}
    path = pages.get(row.scope)
    found = [
        Fact("Holds", title_of(place), href=f"{path}/{row.scope_id}" if path else None),
        Fact("Why", row.reason),
        Fact("Cause", CAUSES.get(row.cause, row.cause)),
        Fact("Frozen by", names.get(row.engaged_by, row.engaged_by)),
        Fact("Since", at=words.moment(row.engaged_at)),
    ]
    if row.until is not None:
        found.append(Fact("Ends by itself", at=words.moment(row.until)))
    elif row.ended_at is None:
        found.append(Fact("Ends", "When two people lift it"))
    if row.ended_at is not None:
        found.append(Fact("Ended", at=words.moment(row.ended_at)))
    if row.lifted_by:
        people = [names.get(str(each), str(each)) for each in row.lifted_by]
        found.append(Fact("Lifted by", " and ".join(people)))
    return found


def _moment(moment: Moment, names: Mapping[str, str]) -> View:
    text, state = _STORY.get(moment.text, (moment.text, None))
    return {
        "text": text,
        "state": state,
        "icon": "freeze" if moment.text.startswith("freeze.") else "approvals",
        "reason": moment.reason,
        "actor": words.person(moment.actor, names),
        "at": words.moment(moment.at),
        "href": f"/approvals/{moment.approval_id}" if moment.approval_id else None,
    }

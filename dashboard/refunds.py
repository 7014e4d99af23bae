"""The list of refunds: what waits, what is on its way, what went back; live."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.permissions import Permission
from core.states import Refund as State
from dashboard import listing, refund_words, render
from dashboard.listing import Asked
from dashboard.shapes import Empty, View
from domain import desk
from domain.actors import Actor
from domain.database import reading
from domain.refunds import refund_queries
from domain.refunds.refund_queries import NOT_OVER, RefundFilter
from web import access

routes = Blueprint("desk_refunds", __name__)
NAMES = ("state", "payment", "order", "from", "to")
_OWN = "staff all, merchants their own"
_TABS: Mapping[str, str] = {
    "": "All",
    "waiting": "Waiting for approval",
    "moving": "On their way",
    "done": "Refunded",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
_STATES: Mapping[str, tuple[str, ...]] = {
    "waiting": (State.PENDING_APPROVAL.value,),
    "moving": refund_queries.ON_ITS_WAY,
    "done": (State.SUCCEEDED.value,),
    "failed": (State.FAILED.value,),
    "cancelled": (State.CANCELLED.value,),
}


def wanted_of(asked: Asked) -> RefundFilter:
    """Read what the address wants to see."""
    begin, end = listing.days(asked)
    return RefundFilter(
        status=_STATES.get(asked.one_of("state", list(_TABS)), ()),
        payment_id=(asked.get("payment"),) if asked.get("payment") else (),
        order_id=(asked.get("order"),) if asked.get("order") else (),
        created_from=begin,
        created_to=end,
    )


def _rows_view(asked: Asked, actor: Actor) -> View:
    with reading() as session:
        page = listing.page_of(asked)
        found = refund_queries.list_refunds(session, wanted_of(asked), actor=actor, page=page)
        shown = found[: page.limit]
        near = refund_words.around(session, shown, actor=actor)
        counted = refund_queries.counts(session, actor=actor)
    last = shown[-1] if len(found) > page.limit else None
    more = (last.created_at, last.id) if last else None
    told = {
        tab: desk.capped(sum(counted[state] for state in _STATES[tab] if state in NOT_OVER))
        for tab in ("waiting", "moving")
    }
    return {
        "rows": [refund_words.row_view(row, near) for row in shown],
        "rows_url": asked.href("/refunds/rows"),
        "page": listing.pages(asked, len(shown), more),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, _TABS, told),
    }


def _empty(asked: Asked) -> Empty:
    if (empty := listing.none_there(asked, "No refund stands so.", "undo")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, or widen the days.",
            "search",
            href="/refunds",
            label="Clear all filters",
        )
    return Empty("No refunds yet", "A confirmed payment is refunded from its own page.", "undo")


@routes.get("/refunds")
@access.page(Permission.REFUNDS_LIST, note=_OWN)
def index() -> Response:
    asked, actor = listing.read("/refunds", NAMES), render.actor()
    inputs = [
        listing.text_input(asked, "payment", "Payment"),
        listing.text_input(asked, "order", "Order"),
        *listing.day_inputs(asked),
    ]
    view = _rows_view(asked, actor) | {
        "lead": "Money on its way back to payers. Small ones one person sends, large ones two; a"
        " freeze holds what has not been sent.",
        "inputs": inputs,
        "kept": {"state": asked.get("state")} if asked.get("state") else {},
    }
    return render.page("refunds/index.html", view)


@routes.get("/refunds/rows")
@access.page(Permission.REFUNDS_LIST, note=_OWN)
def rows() -> Response:
    asked = listing.read("/refunds", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("refunds/_live_rows.html", _rows_view(asked, render.actor()))

"""The list of disputes, the soonest deadline first, live; and the lines about them on a payment's page."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.disputes import Status
from core.permissions import Permission
from dashboard import dispute_words, listing, render
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, View
from domain import desk
from domain.actors import Actor
from domain.database import reading
from domain.disputes import dispute_queries
from domain.disputes.dispute_queries import NOT_DECIDED, WAITING, DisputeFilter
from domain.payments.payments import get_payment
from web import access

routes = Blueprint("desk_disputes", __name__)
NAMES = ("state", "q")
_OWN = "staff all, merchants their own"
_TABS: Mapping[str, str] = {
    "": "Open",
    "answer": "To answer",
    "review": "The bank decides",
    "won": "Won",
    "lost": "Lost",
    "all": "All",
}
_STATES: Mapping[str, tuple[str, ...]] = {
    "": NOT_DECIDED,
    "answer": WAITING,
    "review": tuple(sorted(set(NOT_DECIDED) - set(WAITING))),
    "won": (Status.WON.value, Status.WARNING_CLOSED.value, Status.PREVENTED.value),
    "lost": (Status.LOST.value,),
    "all": (),
}
# Lists in which a deadline still counts.
_BY_DEADLINE = ("", "answer", "review")


def _rows_view(asked: Asked, actor: Actor) -> View:
    tab = asked.one_of("state", list(_TABS))
    wanted = DisputeFilter(status=_STATES[tab], q=asked.get("q") or None)
    page = listing.page_of(asked)
    by_deadline = tab in _BY_DEADLINE
    with reading() as session:
        listed = dispute_queries.list_by_deadline if by_deadline else dispute_queries.list_disputes
        found = listed(session, wanted, actor=actor, page=page)
        counted = dispute_queries.counts(session, actor=actor)
    shown = found[: page.limit]
    last = shown[-1] if len(found) > page.limit else None
    more = None
    if last is not None:
        at = dispute_queries.due_of(last) if by_deadline else last.created_at
        more = (at, last.id)
    told = {name: desk.capped(sum(counted[s] for s in _STATES[name])) for name in _BY_DEADLINE}
    return {
        "rows": [dispute_words.row_view(row, actor) for row in shown],
        "rows_url": asked.href("/disputes/rows"),
        "page": listing.pages(
            asked, len(shown), more, newest="soonest" if by_deadline else "newest"
        ),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, _TABS, told),
    }


def _empty(asked: Asked) -> Empty:
    if asked.get("q"):
        return Empty(
            "No dispute has this name",
            "Search by the id of a dispute, payment or order, or by the provider's own name.",
            "search",
            href="/disputes",
            label="Clear the search",
        )
    if asked.get("state") in ("", "answer"):
        return Empty(
            "No dispute is open", "When a payer's bank asks for money back, it is here.", "check"
        )
    return Empty("None here", "Look under another tab.", "inbox")


@routes.get("/disputes")
@access.page(Permission.DISPUTES_READ, note=_OWN)
def index() -> Response:
    asked = listing.read("/disputes", NAMES)
    said = BarWords("Filter disputes", "Search disputes", "Id of a dispute, payment or order")
    view = _rows_view(asked, render.actor()) | {
        "lead": "Money that a payer's bank asks back. The soonest deadline comes first; nothing of a"
        " disputed order is released or refunded until the bank has decided.",
        "bar": listing.bar(asked, said, []),
    }
    return render.page("disputes/index.html", view)


@routes.get("/disputes/rows")
@access.page(Permission.DISPUTES_READ, note=_OWN)
def rows() -> Response:
    asked = listing.read("/disputes", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("disputes/_live_rows.html", _rows_view(asked, render.actor()))


@routes.get("/payments/<payment_id>/disputes")
@access.page(Permission.PAYMENTS_READ, note="staff all, others their own")
def of_payment(payment_id: str) -> Response:
    """Give the lines about a payment's disputes, as its page fetches them."""
    actor = render.actor()
    if not render.wants_fragment():
        return render.to(f"/payments/{payment_id}")
    with reading() as session:
        payment = get_payment(session, payment_id, actor=actor)
        found = dispute_queries.of_payment(session, payment.id)
    view: View = {"disputes": dispute_words.lines(found, actor), "payment": {"id": payment.id}}
    return render.part("disputes/_of_payment.html", view)

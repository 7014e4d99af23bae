"""The list of inbound events: what each provider sent, what became of it, live rows."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import listing, render, states, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, Link, View
from domain import desk, desk_queries
from domain.actors import Actor
from domain.database import reading
from domain.inbox.inbox_queries import InboundFilter, list_inbound, secret_numbers
from models.inbound import InboundEvent
from models.payments import Payment
from providers import registry
from web import access

routes = Blueprint("desk_webhooks", __name__)
NAMES = ("q", "state", "provider", "type", "from", "to")
TABS: Mapping[str, str] = {
    "": "All",
    "received": "Received",
    "failed": "Will retry",
    "dead": "Dead",
    "quarantined": "Quarantined",
    "unmatched": "Unmatched",
    "processed": "Processed",
    "no_effect": "No effect",
    "ignored": "Ignored",
}
_BAR = BarWords("Filter events", "Search events", "Event, payment, order or object id")


def wanted_of(asked: Asked) -> InboundFilter:
    """Read what the address wants to see."""
    state = asked.one_of("state", list(TABS))
    provider = asked.one_of("provider", list(registry.PROVIDERS))
    begin, end = listing.days(asked)
    return InboundFilter(
        provider=[provider] if provider else [],
        type=[asked.get("type")] if asked.get("type") else [],
        state=[state] if state else [],
        q=asked.get("q") or None,
        received_from=begin,
        received_to=end,
    )


def verified_by(row: InboundEvent, numbers: Mapping[str, int]) -> str:
    """Say which version of the secret verified a delivery."""
    number = numbers.get(row.secret_version_id or "")
    return f"v{number}" if number else "unknown"


def row_view(
    row: InboundEvent, payments: Mapping[str, Payment], numbers: Mapping[str, int], actor: Actor
) -> View:
    """Prepare one row."""
    payment = payments.get(row.payment_id or "")
    may_replay = actor.may(Permission.INBOUND_REPLAY) and row.state != "received"
    return {
        "id": row.id,
        "version": listing.version(row.attempts, row.duplicates, row.state),
        "href": f"/webhooks/{row.id}",
        "type": row.type,
        "demo": bool(payment and payment.demo),
        "error": row.last_error or (row.verdict if row.state == "quarantined" else None),
        "provider_event": row.provider_event_id or words.short(row.id),
        "provider": words.provider(row.provider),
        "state": states.of_inbound(row),
        "payment": Link(words.short(payment.id), f"/payments/{payment.id}") if payment else None,
        "attempts": row.attempts,
        "copies": row.duplicates + 1,
        "verified_by": verified_by(row, numbers),
        "received": words.moment(row.received_at),
        "replay_href": f"/webhooks/{row.id}/preview" if may_replay else None,
    }


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare the rows of a page of the list with its foot."""
    with reading() as session:
        found, more = list_inbound(session, wanted_of(asked), page=listing.page_of(asked))
        payments = desk.payments_by_id(session, (row.payment_id for row in found))
        numbers = secret_numbers(session)
    return {
        "rows": [row_view(row, payments, numbers, actor) for row in found],
        "rows_url": asked.href("/webhooks/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if (empty := listing.none_there(asked, "No event stands so.", "webhooks")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, widen the days, or paste a whole id.",
            "search",
            href="/webhooks",
            label="Clear all filters",
        )
    paths = ", ".join(f"/api/webhooks/{each.door}" for each in registry.every())
    said = f"Point the provider's webhooks to {paths} and send one."
    return Empty("Nothing was received yet", said, "webhooks")


@routes.get("/webhooks")
@access.page(Permission.INBOUND_READ)
def index() -> Response:
    asked, actor = listing.read("/webhooks", NAMES), render.actor()
    providers = {"": "Any"} | {each.name: each.label for each in registry.every()}
    inputs = [
        listing.select(asked, "provider", "Provider", providers),
        listing.text_input(asked, "type", "Type"),
        *listing.day_inputs(asked),
    ]
    view = rows_view(asked, actor)
    view |= {
        "lead": "Everything the providers sent us: verified, stored, then applied. Any event can be "
        "replayed; a preview comes first.",
        "acts": [],
        "tabs_items": listing.tabs(asked, TABS, _counts()),
        "bar": listing.bar(asked, _BAR, inputs),
    }
    return render.page("webhooks/index.html", view)


def _counts() -> dict[str, str]:
    with reading() as session:
        counted = desk_queries.inbound_counts(session)
    return {state: desk.capped(number) for state, number in counted.items()}


@routes.get("/webhooks/rows")
@access.page(Permission.INBOUND_READ)
def rows() -> Response:
    asked = listing.read("/webhooks", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    tabs = listing.tabs(asked, TABS, _counts())
    view = rows_view(asked, render.actor()) | {"tabs_items": tabs}
    return render.part("webhooks/_live_rows.html", view)

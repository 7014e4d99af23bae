"""The list of orders: filters in the address, one search box, live rows."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import listing, render, states, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, View
from domain import desk, desk_queries
from domain.actors import Actor
from domain.database import reading
from domain.desk import Around
from domain.orders.order_queries import OrderFilter, list_orders
from models.orders import Order
from web import access

routes = Blueprint("desk_orders", __name__)
NAMES = ("q", "state", "from", "to")
TABS: Mapping[str, str] = {
    "": "All",
    "awaiting_deposit": "Awaiting deposit",
    "deposit_paid": "Deposit paid",
    "paid": "Paid",
    "completed": "Completed",
    "refunded": "Refunded",
    "cancelled": "Cancelled",
    "expired": "Expired",
}
_BAR = BarWords("Filter orders", "Search orders", "Id, reference, buyer or amount")
_OWN_BAR = BarWords("Filter orders", "Search orders", "Id, reference or amount")


def wanted_of(asked: Asked) -> OrderFilter:
    """Read what the address wants to see."""
    state = asked.one_of("state", list(TABS))
    begin, end = listing.days(asked)
    return OrderFilter(
        status=[state] if state else [],
        q=asked.get("q") or None,
        created_from=begin,
        created_to=end,
    )


def row_view(order: Order, around: Around) -> View:
    """Prepare one row."""
    waits = order.status == "awaiting_deposit" and order.deposit_due_at
    name = f"{order.reference} · " if order.reference else ""
    return {
        "id": order.id,
        "version": listing.version(order.updated_at, order.status),
        "href": f"/orders/{order.id}",
        "title": order.description,
        "sub": f"{name}{words.short(order.id)}",
        "state": states.of_order(order),
        "total": words.money(order.total_minor, order.asset),
        "paid": words.money(order.paid_minor, order.asset),
        "buyer": around.people.get(order.buyer_id or ""),
        "seller": around.people.get(order.seller_id or ""),
        "due": words.moment(order.deposit_due_at) if waits and order.deposit_due_at else None,
        "created": words.moment(order.created_at),
        "demo": order.demo,
    }


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare the rows of a page of the list with its foot."""
    with reading() as session:
        page = listing.page_of(asked)
        found, more = list_orders(session, wanted_of(asked), actor=actor, page=page)
        around = desk.around_orders(session, found, actor=actor)
    return {
        "rows": [row_view(order, around) for order in found],
        "rows_url": asked.href("/orders/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked, actor),
    }


def _empty(asked: Asked, actor: Actor) -> Empty:
    if (empty := listing.none_there(asked, "No order stands so.", "orders")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, widen the days, or paste a whole id or reference.",
            "search",
            href="/orders",
            label="Clear all filters",
        )
    said = "An order is what a payment is for: the marketplace creates it over the API."
    if not actor.is_staff:
        said = "They appear here as soon as one names you."
    return Empty("No orders yet", said, "orders", None, "/api/docs", "Read the API reference")


@routes.get("/orders")
@access.page(Permission.ORDERS_READ, note="staff all, others their own")
def index() -> Response:
    asked, actor = listing.read("/orders", NAMES), render.actor()
    view = rows_view(asked, actor)
    view |= {
        "lead": "Purchase requests, and what has been paid on them.",
        "acts": [],
        "tabs_items": listing.tabs(asked, TABS, _counts(actor)),
        "bar": listing.bar(asked, _BAR if actor.is_staff else _OWN_BAR, listing.day_inputs(asked)),
    }
    return render.page("orders/index.html", view)


def _counts(actor: Actor) -> dict[str, str]:
    if not actor.is_staff:
        return {}
    with reading() as session:
        counted = desk_queries.order_counts(session)
    return {state: desk.capped(number) for state, number in counted.items()}


@routes.get("/orders/rows")
@access.page(Permission.ORDERS_READ, note="staff all, others their own")
def rows() -> Response:
    asked = listing.read("/orders", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    actor = render.actor()
    tabs = listing.tabs(asked, TABS, _counts(actor))
    return render.part("orders/_live_rows.html", rows_view(asked, actor) | {"tabs_items": tabs})

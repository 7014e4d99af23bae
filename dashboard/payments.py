"""The list of payments: filters in the address, one search box, live rows."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from config import Settings
from core.permissions import Permission
from core.states import Lifecycle, Role
from dashboard import coupon_words, listing, render, states, wallet_words, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Empty, Link, View
from domain import desk, desk_queries
from domain.actors import Actor
from domain.database import reading
from domain.desk import Around
from domain.payments.payment_queries import list_payments
from domain.payments.payments import PaymentFilter
from models.effects import CouponUse
from models.orders import Order
from models.payments import Payment
from web import access

routes = Blueprint("desk_payments", __name__)
NAMES = ("q", "state", "rail", "demo", "order", "from", "to")
TABS: Mapping[str, str] = {
    "": "All",
    "pending": "Pending",
    "paid": "Paid, not final",
    "confirmed": "Confirmed",
    "failed": "Failed",
    "expired": "Expired",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "released": "Released",
}
_COUNTED = {"pending": "pending", "paid": "processing"}
_BAR = BarWords("Filter payments", "Search payments", "Id, order, reference, e-mail or amount")
_OWN_BAR = BarWords("Filter payments", "Search payments", "Id, order, reference or amount")


def wanted_of(asked: Asked) -> PaymentFilter:
    """Read what the address wants to see."""
    state = asked.one_of("state", list(TABS))
    demo = asked.one_of("demo", list(listing.DEMO))
    begin, end = listing.days(asked)
    rail = asked.one_of("rail", list(words.rail_names()))
    return PaymentFilter(
        lifecycle=[Lifecycle(state.capitalize())] if state else [],
        rail=[rail] if rail else [],
        order_id=[asked.get("order")] if asked.get("order") else [],
        demo=None if not demo else demo == "only",
        q=asked.get("q") or None,
        created_from=begin,
        created_to=end,
    )


def purpose(payment: Payment) -> str:
    """Name what a payment is for."""
    return words.PURPOSES.get(payment.purpose, payment.purpose.replace("_", " ").capitalize())


def order_link(order: Order) -> Link:
    """Link an order by the name its merchant gave it, or by its own id."""
    return Link(order.reference or words.short(order.id), f"/orders/{order.id}")


def sub_of(payment: Payment) -> str:
    """Say under a payment's title what it is, or with what it is paid."""
    if wallet_words.is_without_order(payment):
        return wallet_words.sub_of(payment)
    return f"{purpose(payment)} · {words.short(payment.id)}"


def title_of(payment: Payment, order: Order | None, coupon: CouponUse | None) -> str:
    """Name a payment in a list: by its order, its coupon, or what it is for."""
    if order is not None:
        return order.description
    return coupon_words.title(coupon) if coupon is not None else purpose(payment)


def row_view(payment: Payment, around: Around) -> View:
    """Prepare one row."""
    order = around.orders.get(payment.order_id or "")
    coupon = around.coupons.get(payment.id)
    cases = around.cases.get(payment.id, [])
    reference = payment.provider_reference
    refunded = payment.refunded_minor
    return {
        "id": payment.id,
        "version": listing.version(payment.updated_at, payment.status, len(cases)),
        "href": f"/payments/{payment.id}",
        "title": title_of(payment, order, coupon),
        "sub": coupon_words.sub(coupon, payment) if coupon else sub_of(payment),
        "state": states.of_payment(payment),
        "amount": words.money(payment.amount_minor, payment.asset),
        "refunded": words.money(refunded, payment.asset) if refunded else None,
        "order": order_link(order) if order else wallet_words.place_of(payment),
        "payer": around.people.get(payment.buyer_id or ""),
        "rail": words.rail(payment.rail),
        "reference": words.ref("provider reference", reference) if reference else None,
        "exceptions": [states.of_kind(kind) for kind in cases],
        "created": words.moment(payment.created_at),
        "demo": payment.demo,
    }


def rows_view(asked: Asked, actor: Actor, settings: Settings) -> View:
    """Prepare the rows of a page of the list with its foot."""
    with reading() as session:
        page = listing.page_of(asked)
        found, more = list_payments(session, wanted_of(asked), actor=actor, page=page)
        around = desk.around_payments(session, found, actor=actor)
    return {
        "rows": [row_view(payment, around) for payment in found],
        "rows_url": asked.href("/payments/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked, actor, settings),
    }


def _empty(asked: Asked, actor: Actor, settings: Settings) -> Empty:
    if (empty := listing.none_there(asked, "No payment stands so.", "payments")) is not None:
        return empty
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, widen the days, or paste a whole id or reference.",
            "search",
            href="/payments",
            label="Clear all filters",
        )
    if not actor.is_staff:
        return Empty("No payments yet", "They appear here as soon as one is started.", "payments")
    code = (
        f"curl -X POST {settings.public_url}/api/payments/intents \\\n"
        "  -H 'Authorization: Bearer pd_test_…' \\\n"
        "  -H 'Idempotency-Key: first-payment' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        '  -d \'{"orderId": "ord_…"}\''
    )
    said = "Create the first one with the API, or start the demo traffic."
    return Empty("No payments yet", said, "payments", code, "/api/docs", "Read the API reference")


@routes.get("/payments")
@access.page(Permission.PAYMENTS_READ, note="staff all, others their own")
def index() -> Response:
    asked, actor = listing.read("/payments", NAMES), render.actor()
    inputs = [
        listing.select(asked, "rail", "Rail", {"": "Any"} | words.rail_names()),
        *([listing.select(asked, "demo", "Demo data", listing.DEMO)] if actor.is_staff else []),
        *([listing.text_input(asked, "order", "Order")] if asked.get("order") else []),
        *listing.day_inputs(asked),
    ]
    view = rows_view(asked, actor, render.settings())
    every = "Every payment on every rail" if actor.is_staff else "Your payments"
    view |= {
        "lead": f"{every}, newest first. The list changes as the providers speak.",
        "acts": _acts(actor),
        "tabs_items": listing.tabs(asked, TABS, _counts(actor)),
        "bar": listing.bar(asked, _BAR if actor.is_staff else _OWN_BAR, inputs),
    }
    return render.page("payments/index.html", view)


def _acts(actor: Actor) -> list[Act]:
    """Lead a payer to what they may spend."""
    if actor.role != Role.BUYER:
        return []
    return [Act("wallet", "Your wallet", wallet_words.href(actor.id), icon="card")]


def _counts(actor: Actor) -> dict[str, str]:
    """Count only what waits: other counts grow for ever and tell nobody what to do."""
    if not actor.is_staff:
        return {}
    with reading() as session:
        counted = desk_queries.status_counts(session)
    return {tab: desk.capped(counted[status]) for tab, status in _COUNTED.items()}


@routes.get("/payments/rows")
@access.page(Permission.PAYMENTS_READ, note="staff all, others their own")
def rows() -> Response:
    asked = listing.read("/payments", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    actor = render.actor()
    view = rows_view(asked, actor, render.settings())
    view["tabs_items"] = listing.tabs(asked, TABS, _counts(actor))
    return render.part("payments/_live_rows.html", view)

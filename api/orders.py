"""Orders: made, listed, read with their timeline, cancelled."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field, StringConstraints

from api import shapes, timelines
from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Listed,
    Metadata,
    MoneyIn,
    NoBody,
    NoQuery,
    RangeQuery,
    Session,
    Several,
    Text,
    endpoint,
    place_of,
    run_once,
)
from api.contract.paging import cursor
from api.order_invoices import InvoiceIn, sealed
from api.shapes import OrderOut
from core import clock
from core.errors import invalid
from core.money import Asset
from core.permissions import Permission
from core.states import ORDER_ON_API, PurchaseRequest
from domain.actors import Actor
from domain.database import reading
from domain.orders import order_queries, orders
from domain.orders.order_queries import OrderFilter
from domain.orders.orders import MilestoneWanted, OrderWanted
from domain.payments import timeline
from domain.payments.payments import Page
from models.orders import Order
from providers import registry

blueprint = Blueprint("orders", __name__)
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]
# What canonical JSON can hash exactly, and what every JSON reader reads back exactly.
# Source: RFC 8785 section 3.2.2.3, RFC 7493 section 2.2
LARGEST_MINOR = 2**53 - 1
_STORED = {word.lower(): stored.value for stored, word in ORDER_ON_API.items()} | {
    stored.value: stored.value for stored in ORDER_ON_API
}


class MilestoneIn(In):
    """One part of the work with its share of the money."""

    title: Name
    amount: MoneyIn


class OrderIn(In):
    """What is ordered. A bare amount takes the currency of `total`."""

    description: Text
    total: MoneyIn
    deposit: MoneyIn | None = None
    seller_id: Id | None = None
    buyer_id: Id | None = None
    milestones: list[MilestoneIn] = Field(default_factory=list, max_length=100)
    deposit_due_at: Instant | None = None
    subscription_ref: Name | None = None
    subscription_period: Name | None = None
    reference: Name | None = None
    metadata: Metadata = Field(default_factory=dict)
    invoice: InvoiceIn | None = None


class OrderQuery(RangeQuery):
    """Which orders. `q` searches ids, references, e-mail (staff) and amount."""

    status: Several = ()
    request_status: Several = ()
    buyer_id: Several = ()
    seller_id: Several = ()
    subscription_ref: Several = ()
    q: str | None = Field(default=None, max_length=255)


class CancelIn(In):
    """Why."""

    reason: Text


def _livemode(actor: Actor) -> bool:
    """Choose the mode of what is made: a key's own, else the one that this installation's rail is in."""
    if actor.livemode is not None:
        return actor.livemode
    return registry.mode() == "live"


def _wanted(call: Call[OrderIn, NoQuery]) -> OrderWanted:
    said = call.body
    total = said.total.money(field="total")
    of = total.asset
    if total.minor > LARGEST_MINOR:
        raise invalid("total", "The amount is too large.", code="too_large")
    if said.deposit_due_at is not None and said.deposit_due_at <= clock.now():
        raise invalid("depositDueAt", "The deposit must be due in the future.")
    return OrderWanted(
        description=said.description,
        total=total,
        deposit=said.deposit.money(default=of, field="deposit") if said.deposit else None,
        seller_id=said.seller_id,
        buyer_id=said.buyer_id,
        milestones=_milestones(said.milestones, of),
        deposit_due_at=said.deposit_due_at,
        subscription_ref=said.subscription_ref,
        subscription_period=said.subscription_period,
        reference=said.reference,
        metadata=dict(said.metadata),
        invoice=sealed(said.invoice, of),
        livemode=_livemode(call.actor),
    )


def _milestones(parts: list[MilestoneIn], of: Asset) -> list[MilestoneWanted]:
    return [
        MilestoneWanted(part.title, part.amount.money(default=of, field=f"milestones.{no}.amount"))
        for no, part in enumerate(parts)
    ]


def shown_of(session: Session, rows: list[Order]) -> list[dict[str, Any]]:
    """Write orders with their milestones and the ids of their payments."""
    ids = [row.id for row in rows]
    milestones = orders.milestones_of(session, ids)
    payments = orders.payment_ids_of(session, ids)
    return [
        shapes.order(row, milestones=milestones[row.id], payment_ids=payments[row.id])
        for row in rows
    ]


@endpoint(
    blueprint,
    "POST",
    "/api/orders",
    access=Permission.ORDERS_CREATE,
    body=OrderIn,
    answers={201: OrderOut},
    key="R",
    money=True,
    errors=("KYC_REQUIRED", "CONFLICT"),
    events=("order.created",),
    summary="Make an order that awaits its deposit.",
    requirement="S14",
)
def create(call: Call[OrderIn, NoQuery]) -> Answer:
    wanted = _wanted(call)

    def work(session: Session) -> Answer:
        order = orders.create_order(session, wanted, actor=call.actor, source=call.source)
        (shown,) = shown_of(session, [order])
        return Answer(201, shown, location=f"/api/orders/{order.id}")

    return run_once(call, work)


def _words(query: OrderQuery) -> tuple[str, ...]:
    unknown = [word for word in query.status if word.lower() not in _STORED]
    if unknown:
        known = ", ".join(ORDER_ON_API.values())
        raise invalid("status", f"{unknown[0][:40]!r} is no status of an order: {known}.")
    return tuple(_STORED[word.lower()] for word in query.status)


def _request_words(query: OrderQuery) -> tuple[str, ...]:
    known = [word.value for word in PurchaseRequest]
    unknown = [word for word in query.request_status if word not in known]
    if unknown:
        sentence = f"{unknown[0][:40]!r} is no status of a purchase request: {', '.join(known)}."
        raise invalid("requestStatus", sentence)
    return tuple(query.request_status)


@endpoint(
    blueprint,
    "GET",
    "/api/orders",
    access=Permission.ORDERS_READ,
    query=OrderQuery,
    answers={200: Listed[OrderOut]},
    summary="List one's own orders, newest first; staff see all.",
    requirement="S14",
)
def index(call: Call[NoBody, OrderQuery]) -> Answer:
    asked, place = call.query, place_of(call.query)
    wanted = OrderFilter(
        status=_words(asked),
        request_status=_request_words(asked),
        buyer_id=asked.buyer_id,
        seller_id=asked.seller_id,
        subscription_ref=asked.subscription_ref,
        q=asked.q,
        created_from=asked.since,
        created_to=asked.until,
    )
    page = Page(place.limit, place.before)
    with reading() as session:
        rows, more = order_queries.list_orders(session, wanted, actor=call.actor, page=page)
        items = shown_of(session, rows)
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/orders/{orderId}",
    access=Permission.ORDERS_READ,
    answers={200: OrderOut},
    summary="Read an order.",
    requirement="S17",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        order = orders.get_order(session, call.path["orderId"], actor=call.actor)
        (shown,) = shown_of(session, [order])
    return Answer(200, shown)


@endpoint(
    blueprint,
    "GET",
    "/api/orders/{orderId}/timeline",
    access=Permission.ORDERS_READ,
    answers={200: timelines.TimelineOut},
    summary="Read what happened to an order and its payments: provider, us, books on one axis.",
    requirement="S7",
)
def history(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        order = orders.get_order(session, call.path["orderId"], actor=call.actor)
        items = timeline.order_timeline(session, order, actor=call.actor)
    return Answer(200, timelines.items(items, actor=call.actor))


@endpoint(
    blueprint,
    "POST",
    "/api/orders/{orderId}/cancel",
    access=Permission.ORDERS_CANCEL,
    body=CancelIn,
    answers={200: OrderOut},
    key="R",
    money=True,
    errors=("INVALID_TRANSITION", "CONFLICT"),
    events=("order.cancelled",),
    summary="Cancel an order to which no money has come.",
    requirement="S14",
)
def cancel(call: Call[CancelIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        order = orders.cancel_order(
            session,
            call.path["orderId"],
            actor=call.actor,
            reason=call.body.reason,
            source=call.source,
        )
        (shown,) = shown_of(session, [order])
        return Answer(200, shown)

    return run_once(call, work)

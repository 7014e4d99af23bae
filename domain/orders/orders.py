"""Orders: made with milestones, read within one's own tenancy, cancelled while no money has come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, IllegalTransition, NotFound, invalid
from core.money import Money, asset
from core.states import OPEN_PAYMENT, ORDER_ON_API, PurchaseRequest, Role
from core.states import Order as Status
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.invoices import opening
from domain.orders.order_progress import lock_order
from domain.secrets import person_keys
from domain.transitions import Why, move_together
from models.invoices import Invoice
from models.orders import InvoiceDraft, Milestone, Order
from models.payments import Payment
from models.people import Merchant, User


@dataclass(frozen=True)
class MilestoneWanted:
    """One part of the work with its share of the money."""

    title: str
    amount: Money


@dataclass(frozen=True)
class OrderWanted:
    """What a caller asks for. invoice: what an EN 16931 invoice will need, or None."""

    description: str
    total: Money
    deposit: Money | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    merchant_id: str | None = None
    milestones: Sequence[MilestoneWanted] = ()
    deposit_due_at: datetime | None = None
    subscription_ref: str | None = None
    subscription_period: str | None = None
    reference: str | None = None
    metadata: dict[str, Json] = field(default_factory=dict)
    invoice: dict[str, Json] | None = None
    livemode: bool = False
    demo: bool = False


def house_merchant(session: Session) -> Merchant:
    """Fetch the merchant that owns what has no other."""
    return session.scalars(select(Merchant).where(Merchant.is_house)).one()


def _assert_sums(wanted: OrderWanted) -> None:
    if wanted.total.minor <= 0:
        raise invalid("total", "The total must be positive.")
    if wanted.deposit is not None:
        if wanted.deposit.asset != wanted.total.asset:
            raise invalid("deposit", "The deposit must be in the currency of the total.")
        if not 0 < wanted.deposit.minor <= wanted.total.minor:
            raise invalid("deposit", "The deposit must be positive and at most the total.")
    if any(part.amount.asset != wanted.total.asset for part in wanted.milestones):
        raise invalid("milestones", "Milestones must be in the currency of the total.")
    if any(part.amount.minor <= 0 for part in wanted.milestones):
        raise invalid("milestones", "Each milestone must be positive.")
    if sum(part.amount.minor for part in wanted.milestones) > wanted.total.minor:
        raise invalid("milestones", "The milestones add up to more than the total.")


def _person(session: Session, user_id: str | None, *, field_name: str, role: Role) -> str | None:
    if user_id is None:
        return None
    user = session.get(User, user_id)
    if user is None or user.role != role or user.state != "active":
        raise invalid(field_name, f"There is no active {role.value} with this id.")
    return user.id


def _parties(
    session: Session, wanted: OrderWanted, actor: Actor
) -> tuple[str | None, str | None, str]:
    """Say who buys, who sells and whose order it is; a buyer orders for themself only."""
    if actor.role == Role.BUYER:
        if wanted.buyer_id not in (None, actor.id):
            raise invalid("buyerId", "You can only order for yourself.")
        buyer: str | None = actor.id
    else:
        buyer = _person(session, wanted.buyer_id, field_name="buyerId", role=Role.BUYER)
    seller = _person(session, wanted.seller_id, field_name="sellerId", role=Role.SELLER)
    merchant_id = actor.merchant_id or wanted.merchant_id or house_merchant(session).id
    return buyer, seller, merchant_id


def create_order(session: Session, wanted: OrderWanted, *, actor: Actor, source: str) -> Order:
    """Make an order with its milestones and its first invoice, awaiting its deposit.

    Writes: orders, milestones, invoice_drafts, invoices, number_series, event_log, audit_log.
    Emits: order.created, invoice.opened. Raises: InvalidInput, also when the invoice's lines do not add up
    to the total; Conflict when the reference is taken. Transaction: caller's.
    """
    _assert_sums(wanted)
    if wanted.subscription_period is not None and wanted.subscription_ref is None:
        raise invalid("subscriptionPeriod", "A period needs the subscription that it is of.")
    buyer_id, seller_id, merchant_id = _parties(session, wanted, actor)
    _assert_reference_free(session, wanted, merchant_id)
    now = clock.now()
    order = Order(
        id=ids.new("ord"),
        status=Status.AWAITING_DEPOSIT.value,
        request_status=PurchaseRequest.OPEN.value,
        description=wanted.description,
        asset=str(wanted.total.asset),
        total_minor=wanted.total.minor,
        deposit_minor=wanted.deposit.minor if wanted.deposit else None,
        paid_minor=0,
        buyer_id=buyer_id,
        seller_id=seller_id,
        merchant_id=merchant_id,
        deposit_due_at=wanted.deposit_due_at,
        invoice_id=opening.new_id(),
        subscription_ref=wanted.subscription_ref,
        subscription_period=wanted.subscription_period,
        reference=wanted.reference,
        meta=wanted.metadata,
        event_sequence=1,
        livemode=wanted.livemode,
        demo=wanted.demo or _is_demo(session, merchant_id),
        created_at=now,
        updated_at=now,
    )
    session.add(order)
    session.flush()
    for position, part in enumerate(wanted.milestones, start=1):
        session.add(
            Milestone(
                id=ids.new("mil"),
                order_id=order.id,
                position=position,
                title=part.title,
                amount_minor=part.amount.minor,
                released_minor=0,
                refunded_minor=0,
                status="open",
            )
        )
    _keep_invoice_draft(session, order, wanted.invoice)
    session.flush()
    _announce(session, order, actor=actor, source=source)
    first = opening.first(session, order, wanted.invoice)
    opening.write(session, order, first, invoice_id=order.invoice_id, why=Why(actor, source))
    return order


def _is_demo(session: Session, merchant_id: str) -> bool:
    """Whatever the demo traffic's merchant orders is demo data."""
    merchant = session.get(Merchant, merchant_id)
    return merchant is not None and merchant.slug.startswith("demo")


def _assert_reference_free(session: Session, wanted: OrderWanted, merchant_id: str) -> None:
    if wanted.reference is None:
        return
    taken = session.scalar(
        select(Order.id).where(
            Order.merchant_id == merchant_id,
            Order.livemode.is_(wanted.livemode),
            Order.reference == wanted.reference,
        )
    )
    if taken is not None:
        raise Conflict(
            "There is an order with this reference already.",
            details={"orderId": taken, "link": f"/api/orders/{taken}"},
        )


def _keep_invoice_draft(session: Session, order: Order, invoice: dict[str, Json] | None) -> None:
    if invoice is None:
        return
    place = f"invoice_drafts|sealed|{order.id}"
    text = json.dumps(invoice, default=str)
    whose = person_keys.books_of(order.buyer_id, order.created_at)
    sealed = person_keys.seal_text(session, whose, text, purpose="person", place=place)
    session.add(InvoiceDraft(order_id=order.id, sealed=sealed, updated_at=clock.now()))


def _announce(session: Session, order: Order, *, actor: Actor, source: str) -> None:
    body: dict[str, Json] = {
        "total": _money(order, order.total_minor),
        "deposit": _money(order, order.deposit_minor),
        "currency": asset(order.asset).code,
        "buyerId": order.buyer_id,
        "sellerId": order.seller_id,
    }
    status = ORDER_ON_API[Status(order.status)]
    about = events.about_order(order)
    told = events.row("order.created", about, source=source, sequence=1, status=status, body=body)
    events.append(session, [told])
    audit.write(
        session,
        "order.create",
        actor=actor,
        object_kind="order",
        object_id=order.id,
        source=source,
        after={"totalMinor": order.total_minor, "asset": order.asset},
    )


def _money(order: Order, minor: int | None) -> str | None:
    return None if minor is None else Money(minor, asset(order.asset)).major()


def visible(actor: Actor, model: type[Order | Payment | Invoice]) -> list[ColumnElement[bool]]:
    """Give the conditions that keep a principal to their own rows; staff see all."""
    if actor.is_staff:
        return []
    own: list[ColumnElement[bool]] = []
    if actor.merchant_id:
        own.append(model.merchant_id == actor.merchant_id)
    if actor.kind == "user":
        own += [model.buyer_id == actor.id, model.seller_id == actor.id]
    conditions: list[ColumnElement[bool]] = [or_(*own)]
    if actor.livemode is not None:
        conditions.append(model.livemode.is_(actor.livemode))
    return conditions


def get_order(session: Session, order_id: str, *, actor: Actor) -> Order:
    """Fetch an order that the actor may see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = select(Order).where(Order.id == order_id, *visible(actor, Order))
    order = session.scalars(statement).first()
    if order is None:
        raise NotFound
    return order


def milestones_of(session: Session, order_ids: Sequence[str]) -> dict[str, list[Milestone]]:
    """Give the milestones of several orders, in their order."""
    found: dict[str, list[Milestone]] = {order_id: [] for order_id in order_ids}
    statement = select(Milestone).where(Milestone.order_id.in_(order_ids))
    for milestone in session.scalars(statement.order_by(Milestone.order_id, Milestone.position)):
        found[milestone.order_id].append(milestone)
    return found


def payment_ids_of(session: Session, order_ids: Sequence[str]) -> dict[str, list[str]]:
    """Give the payments of several orders, oldest first."""
    found: dict[str, list[str]] = {order_id: [] for order_id in order_ids}
    statement = select(Payment.order_id, Payment.id).where(Payment.order_id.in_(order_ids))
    for order_id, payment_id in session.execute(statement.order_by(Payment.created_at, Payment.id)):
        if order_id is not None:
            found[order_id].append(payment_id)
    return found


def cancel_order(
    session: Session, order_id: str, *, actor: Actor, reason: str, source: str
) -> Order:
    """Cancel an order to which no money has come and which has no open attempt.

    Writes: orders, invoices, state_changes, event_log, audit_log. Emits: order.cancelled, invoice.voided.
    Raises: NotFound, IllegalTransition when money arrived, Conflict while an attempt is open.
    Transaction: caller's.
    """
    get_order(session, order_id, actor=actor)
    order = lock_order(session, order_id)
    if order.status == Status.CANCELLED:
        return order
    still_open = session.scalar(
        select(func.count())
        .select_from(Payment)
        .where(Payment.order_id == order_id, Payment.status.in_(OPEN_PAYMENT))
    )
    if order.paid_minor:
        raise IllegalTransition("order", order.status, "cancelled")
    if still_open:
        raise Conflict(
            "A payment of this order is still open. Cancel the payment first.",
            details={"openPayments": still_open},
        )
    why = Why(actor, source, reason)
    values = {
        "request_status": PurchaseRequest.CANCELLED.value,
        "event_sequence": order.event_sequence + 1,
        "updated_at": clock.now(),
    }
    moves = {"order": Status.CANCELLED.value}
    move_together(session, order, moves=moves, values=values, why=why)
    told = events.row(
        "order.cancelled",
        events.about_order(order),
        source=source,
        sequence=order.event_sequence,
        status="Cancelled",
        body={"reason": reason},
    )
    events.append(session, [told])
    opening.close(session, order, reason="The order was cancelled", why=why)
    audit.write(
        session,
        "order.cancel",
        actor=actor,
        object_kind="order",
        object_id=order.id,
        source=source,
        reason=reason,
    )
    return order

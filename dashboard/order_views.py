"""The page of one order: money so far, milestones, payments, timeline, postings; and its cancelling."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.money import Money
from core.permissions import Permission
from core.states import Order as Status
from dashboard import (
    books,
    confirming,
    dispute_words,
    invoice_words,
    listing,
    payment_offers,
    payment_page,
    payments,
    provider_words,
    render,
    states,
    timelines,
    verified,
    words,
)
from dashboard.confirming import Question
from dashboard.shapes import Act, Alert, Fact, FactGroup, Link, Ref, View
from dashboard.timelines import Timeline, Told
from domain import desk
from domain.actors import Actor
from domain.books import book_queries
from domain.books.book_queries import EntryFilter
from domain.database import reading, transaction
from domain.desk import Session
from domain.disputes import dispute_queries
from domain.invoices import invoice_desk
from domain.orders import orders
from domain.payments import payment_links, timeline
from domain.payments.payments import LONGEST_PAGE, Page
from models.ledger import JournalEntry
from models.orders import Milestone, Order
from models.payments import Payment
from web import access

routes = Blueprint("desk_order", __name__)
_OWN = "staff all, others their own"
Movements = dict[str, list[tuple[str, str, Money]]]


def view_of(session: Session, order_id: str, actor: Actor) -> View:
    """Prepare the whole page of an order.

    Raises: NotFound, the same for a foreign id.
    """
    order = orders.get_order(session, order_id, actor=actor)
    paid_by = desk.payments_of_order(session, order.id, actor=actor)
    wanted = EntryFilter(order_id=[order.id])
    booked, _ = book_queries.list_entries(session, wanted, page=Page(limit=LONGEST_PAGE))
    entries = books.told_to(actor, booked)
    movements = book_queries.movements_of(session, [entry.id for entry in entries])
    reads_books = actor.may(Permission.JOURNAL_READ)
    milestones = orders.milestones_of(session, [order.id])[order.id]
    return {
        "order": _head(order, actor, paid_by),
        "milestones": _milestones(order, milestones),
        "payments": [_payment(payment) for payment in paid_by],
        "invoices": invoice_words.lines(
            invoice_desk.of_order(session, order.id, actor=actor), actor
        ),
        "disputes": dispute_words.lines(dispute_queries.of_order(session, order.id), actor),
        "timeline": _timeline(session, order, actor, paid_by, (entries, movements)),
        "entries": books.entries(entries, movements, actor) if reads_books else [],
        "shows_books": reads_books,
        "facts": [*_facts(session, order, actor), *_pay_links(paid_by)],
        "links": {"body": f"/orders/{order.id}/body"},
    }


def _head(order: Order, actor: Actor, paid_by: list[Payment]) -> View:
    reference = order.reference
    return {
        "id": order.id,
        "short": reference or words.short(order.id),
        "title": order.description,
        "total": words.money(order.total_minor, order.asset),
        "state": states.of_order(order),
        "demo": order.demo,
        "ref": words.ref("order id", order.id),
        "reference": words.ref("reference", reference, text=reference) if reference else None,
        "created": words.moment(order.created_at),
        "acts": [],
        "more_acts": [
            *_link_acts(actor, paid_by),
            *_deadline_acts(order, actor),
            _cancel_act(order, actor, paid_by),
        ],
        "progress": _progress(order),
    }


def _deadline_acts(order: Order, actor: Actor) -> list[Act]:
    """Offer those who may to move the deadline of an order that still waits."""
    waits = order.status == Status.AWAITING_DEPOSIT and order.deposit_due_at is not None
    may = actor.may(Permission.DEADLINES_EXTEND)
    return [provider_words.extend_act(actor, order_id=order.id)] if waits and may else []


def _progress(order: Order) -> View:
    left = max(0, order.total_minor - order.paid_minor)
    share = order.paid_minor * 100 // order.total_minor
    rows = [("Total", order.total_minor), ("Paid", order.paid_minor), ("Outstanding", left)]
    if order.deposit_minor is not None:
        rows.insert(1, ("Deposit asked", order.deposit_minor))
    return {
        "text": f"{share} % paid",
        "max": order.total_minor,
        "value": min(order.paid_minor, order.total_minor),
        "rows": [
            {"label": label, "money": words.money(minor, order.asset)} for label, minor in rows
        ],
    }


def _cancel_act(order: Order, actor: Actor, paid_by: list[Payment]) -> Act:
    reason = None
    if not actor.may(Permission.ORDERS_CANCEL):
        reason = "Your role reads orders only."
    elif verified.lacks_kyc(actor):
        reason = verified.KYC_WORDS
    elif order.status == Status.CANCELLED:
        reason = "It is cancelled already."
    elif order.paid_minor:
        reason = "Money has arrived. It has to be refunded first."
    elif any(payment.open_key for payment in paid_by):
        reason = "A payment of this order is still open. Cancel the payment first."
    elif order.status != Status.AWAITING_DEPOSIT:
        reason = "The order has ended."
    href, said = f"/orders/{order.id}/cancel", "Nobody can pay for it any more. Asks for a reason."
    return Act("cancel", "Cancel the order", href, reason is None, reason, text=said, verb="Cancel")


def _milestones(order: Order, rows: list[Milestone]) -> list[View]:
    """Prepare the milestones; money fills them from the first to the last."""
    found: list[View] = []
    left = order.paid_minor
    for row in rows:
        funded = left >= row.amount_minor
        left -= row.amount_minor
        state = states.of_milestone(row, funded=funded)
        found.append(
            {
                "title": row.title,
                "text": f"Milestone {row.position}",
                "state": state,
                "amount": words.money(row.amount_minor, order.asset),
            }
        )
    return found


def _payment(payment: Payment) -> View:
    rail = words.rail(payment.rail, payment.provider)
    return {
        "id": payment.id,
        "href": f"/payments/{payment.id}",
        "title": payments.purpose(payment),
        "sub": f"{rail.label} · {words.short(payment.id)}",
        "state": states.of_payment(payment),
        "amount": words.money(payment.amount_minor, payment.asset),
        "created": words.moment(payment.created_at),
        "version": listing.version(payment.updated_at),
    }


def _timeline(
    session: Session,
    order: Order,
    actor: Actor,
    paid_by: list[Payment],
    booked: tuple[list[JournalEntry], Movements],
) -> Timeline:
    providers = sorted({words.provider_label(payment.provider) for payment in paid_by})
    told = Told(
        items=timeline.order_timeline(session, order, actor=actor),
        entries=booked[0],
        movements=booked[1],
        provider=", ".join(providers) or "Provider",
        reads_journal=actor.may(Permission.JOURNAL_READ),
        asked=payment_page.asked_of(paid_by),
    )
    note = "All payments of this order, times in UTC"
    return timelines.build(told, links=actor.may(Permission.INBOUND_READ), note=note)


def _facts(session: Session, order: Order, actor: Actor) -> list[FactGroup]:
    names = desk.names_of(session, [order.buyer_id, order.seller_id], actor=actor)
    merchants = desk.merchants_of(session, [order.merchant_id])
    people = [
        Fact("Buyer", names.get(order.buyer_id or "", "Nobody named")),
        Fact("Seller", names.get(order.seller_id or "", "Nobody named")),
        Fact("Merchant", merchants.get(order.merchant_id, order.merchant_id)),
    ]
    dates = [Fact("Created", at=words.moment(order.created_at))]
    if order.deposit_due_at:
        dates.append(Fact("Deposit due", at=words.moment(order.deposit_due_at)))
    dates.append(Fact("Changed", at=words.moment(order.updated_at)))
    standing = [
        Fact("Status", order.status.replace("_", " ")),
        Fact("As a request", order.request_status.replace("_", " ")),
    ]
    if order.release_hold:
        standing.append(Fact("Release held", order.release_hold))
    if order.subscription_ref:
        standing.append(Fact("Subscription", order.subscription_ref))
        if order.subscription_period:
            standing.append(Fact("Period", order.subscription_period))
        standing.append(Fact("Entitlement", order.entitlement or "not granted yet"))
    return [
        FactGroup("people", "People", people),
        FactGroup("how", "How it stands", standing),
        FactGroup("dates", "Dates", dates),
    ]


def _pay_links(paid_by: list[Payment]) -> list[FactGroup]:
    """Show what the buyer can pay with now, to copy."""
    url = render.settings().public_url
    rows = [
        Fact(
            payments.purpose(each),
            ref=Ref(
                "payment link",
                f"{url}{payment_links.path_of(each)}",
                words.short(each.public_id),
            ),
        )
        for each in paid_by
        if payment_links.why_not(each) is None
    ]
    return [FactGroup("links", "Payment link", rows, "one click copies")] if rows else []


def _link_acts(actor: Actor, paid_by: list[Payment]) -> list[Act]:
    """Offer to send the buyer the link of each payment that can be paid."""
    return [
        payment_offers.send_link_act(each, actor)
        for each in paid_by
        if payment_links.why_not(each) is None
    ]


@routes.get("/orders/<order_id>")
@access.page(Permission.ORDERS_READ, note=_OWN)
def show(order_id: str) -> Response:
    with reading() as session:
        view = view_of(session, order_id, render.actor())
    return render.page("orders/show.html", view)


@routes.get("/orders/<order_id>/body")
@access.page(Permission.ORDERS_READ, note=_OWN)
def body(order_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/orders/{order_id}")
    with reading() as session:
        view = view_of(session, order_id, render.actor())
    return render.part("orders/_body.html", view)


def _question(order: Order) -> Question:
    href = f"/orders/{order.id}"
    return Question(
        title="Cancel this order",
        lead=f"“{order.description}”. It cannot be undone.",
        effects=[
            "Nobody can start a payment for it any more",
            "The buyer, the seller and the merchant are told",
        ],
        facts=[Fact("Total", money=words.money(order.total_minor, order.asset))],
        action=f"{href}/cancel",
        label="Cancel order",
        tone="danger",
        back=href,
        trail=[Link("Orders", "/orders"), Link(order.reference or words.short(order.id), href)],
    )


@routes.get("/orders/<order_id>/cancel")
@access.page(Permission.ORDERS_CANCEL, note=_OWN)
def ask_cancel(order_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        order = orders.get_order(session, order_id, actor=actor)
        act = _cancel_act(order, actor, desk.payments_of_order(session, order.id, actor=actor))
    if not act.enabled:
        render.tell(Alert("warn", "This order cannot be cancelled", act.reason))
        return render.to(f"/orders/{order_id}")
    return confirming.show(_question(order))


@routes.post("/orders/<order_id>/cancel")
@access.page(Permission.ORDERS_CANCEL, note=_OWN)
def cancel(order_id: str) -> Response:
    actor, reason = render.actor(), confirming.reason()
    verified.assert_kyc(actor)
    with reading() as session:
        order = orders.get_order(session, order_id, actor=actor)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(order), reason=reason, error=error)
    try:
        with transaction() as session:
            orders.cancel_order(
                session, order_id, actor=actor, reason=reason, source=f"user:{actor.id}"
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "The order was not cancelled", refused.message)
        return confirming.show(_question(order), reason=reason, problem=problem)
    render.tell(Alert("good", "The order is cancelled"))
    return render.to(f"/orders/{order_id}")

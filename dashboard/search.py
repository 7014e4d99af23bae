"""One box that finds: an exact id or reference opens what it names, anything else lists what matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import case_words, found_by_id, listing, payments, render, states, words
from dashboard.shapes import Empty, View
from domain import desk
from domain.actors import Actor
from domain.cases.case_queries import CaseFilter, list_cases
from domain.database import reading
from domain.desk import Around, Session
from domain.inbox.inbox_queries import InboundFilter, list_inbound
from domain.orders.order_queries import OrderFilter, list_orders
from domain.payments.payment_queries import list_payments
from domain.payments.payments import Page, PaymentFilter
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.orders import Order
from models.payments import Payment
from web import access

routes = Blueprint("desk_search", __name__)
FIRST = Page(limit=8)


@dataclass
class Found:
    """What matches, the newest of each kind."""

    payments: list[Payment] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    events: list[InboundEvent] = field(default_factory=list)
    cases: list[ExceptionCase] = field(default_factory=list)
    around: Around = field(default_factory=Around)
    references: dict[str, set[str]] = field(default_factory=dict)


def _look(session: Session, text: str, actor: Actor) -> Found:
    found = Found()
    wanted = PaymentFilter(q=text)
    found.payments = list_payments(session, wanted, actor=actor, page=FIRST)[0]
    found.orders = list_orders(session, OrderFilter(q=text), actor=actor, page=FIRST)[0]
    if actor.may(Permission.INBOUND_READ):
        found.events = list_inbound(session, InboundFilter(q=text), page=FIRST)[0]
    if actor.may(Permission.EXCEPTIONS_READ):
        rows = list_cases(session, CaseFilter(q=text), actor=actor, page=FIRST)[0]
        found.cases = [case_words.for_reader(row, actor) for row in rows]
    found.around = desk.around_payments(session, found.payments, actor=actor)
    for payment in found.payments:
        names = {row.reference for row in desk.references_of(session, payment.id)}
        found.references[payment.id] = names
    return found


def exact(found: Found, text: str) -> str | None:
    """Give the page of the one thing that bears this name; own ids win over references."""
    own = [f"/payments/{row.id}" for row in found.payments if text in (row.id, row.public_id)]
    own += [f"/orders/{row.id}" for row in found.orders if row.id == text]
    own += [
        f"/webhooks/{row.id}" for row in found.events if text in (row.id, row.provider_event_id)
    ]
    own += [f"/exceptions/{row.id}" for row in found.cases if row.id == text]
    if own:
        return own[0] if len(own) == 1 else None
    named = [
        f"/payments/{row.id}"
        for row in found.payments
        if text in (row.reference, row.provider_reference) or text in found.references[row.id]
    ]
    named += [f"/orders/{row.id}" for row in found.orders if row.reference == text]
    return named[0] if len(named) == 1 else None


def _payment(row: Payment, text: str, found: Found) -> View:
    shown = payments.row_view(row, found.around)
    names = {row.reference, row.provider_reference, *found.references[row.id]}
    return {
        "id": row.id,
        "href": shown["href"],
        "title": shown["title"],
        "sub": shown["sub"],
        "state": shown["state"],
        "amount": shown["amount"],
        "at": shown["created"],
        "demo": row.demo,
        "matched": "reference" if text in names else "e-mail" if "@" in text else _how(text),
    }


def _how(text: str) -> str | None:
    number = text.split(maxsplit=1)[0].replace(",", "").replace(".", "", 1)
    return "amount" if number.isdigit() else None


def _order(row: Order, text: str) -> View:
    name = f"{row.reference} · " if row.reference else ""
    return {
        "id": row.id,
        "href": f"/orders/{row.id}",
        "title": row.description,
        "sub": f"{name}{words.short(row.id)}",
        "state": states.of_order(row),
        "amount": words.money(row.total_minor, row.asset),
        "at": words.moment(row.created_at),
        "demo": row.demo,
        "matched": "reference" if row.reference == text else None,
    }


def _event(row: InboundEvent) -> View:
    return {
        "id": row.id,
        "href": f"/webhooks/{row.id}",
        "title": row.type,
        "sub": f"{words.provider_label(row.provider)} · {row.provider_event_id or words.short(row.id)}",
        "state": states.of_inbound(row),
        "amount": None,
        "at": words.moment(row.received_at),
        "demo": False,
        "matched": None,
    }


def _case(row: ExceptionCase) -> View:
    return {
        "id": row.id,
        "href": f"/exceptions/{row.id}",
        "title": row.sentence,
        "sub": states.KINDS.get(row.kind, row.kind),
        "state": states.CASE[row.state],
        "amount": words.money(row.risk_minor, row.asset) if row.risk_minor and row.asset else None,
        "at": words.moment(row.opened_at),
        "demo": row.demo,
        "matched": None,
    }


def _groups(found: Found, text: str) -> list[View]:
    kinds = (
        ("payments", "Payments", [_payment(row, text, found) for row in found.payments]),
        ("orders", "Orders", [_order(row, text) for row in found.orders]),
        ("webhooks", "Webhooks", [_event(row) for row in found.events]),
        ("exceptions", "Exceptions", [_case(row) for row in found.cases]),
    )
    return [
        {
            "id": kind,
            "title": title,
            "count": f"{FIRST.limit}+" if len(rows) == FIRST.limit else str(len(rows)),
            "href": f"/{kind}?q={quote(text)}" + ("&state=all" if kind == "exceptions" else ""),
            "link": "Open as a list",
            "rows": rows,
        }
        for kind, title, rows in kinds
        if rows
    ]


def _empty(text: str) -> Empty:
    said = "Paste a whole id, an order or provider reference, an e-mail address, or an amount such as 1250.00."
    if not text:
        return Empty("Search everything", said, "search")
    short = text if len(text) <= 60 else f"{text[:60]}…"
    return Empty(
        f"Nothing found for “{short}”", said, "search", href="/payments", label="Browse payments"
    )


@routes.get("/search")
@access.page(Permission.PAYMENTS_READ, note="finds what the person may see")
def index() -> Response:
    actor = render.actor()
    text = listing.asked_text("q")
    found = Found()
    if text:
        with reading() as session:
            found = _look(session, text, actor)
            href = exact(found, text) or found_by_id.page_of(session, text, actor)
        if href is not None:
            return render.to(href)
    groups = _groups(found, text)
    titles = [str(group["title"]).lower() for group in groups]
    lead = f"Matches among {', '.join(titles)}, the newest of each." if groups else ""
    view: View = {"q": text, "lead": lead, "groups": groups, "empty_note": _empty(text)}
    return render.page("search/index.html", view, live=False)

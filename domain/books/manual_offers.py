"""What the form of a manual entry offers to choose from: accounts of its order, invoices, names of its money."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chart
from core.chart import CHART, RESERVED, Pattern
from domain.books.manual_lines import NOT_BY_HAND
from models.invoices import Invoice
from models.ledger import LedgerAccount
from models.orders import Order
from models.payments import Payment, ProviderReference
from providers import registry

_PART = re.compile(r"\{(\w+)\}")
_MOST = 50


@dataclass(frozen=True)
class Offers:
    """What may be chosen. invoices: id and number; references: what providers call the order's money."""

    accounts: list[str]
    invoices: list[tuple[str, str]]
    references: list[str]
    asset: str | None


def order_named(session: Session, text: str) -> str | None:
    """Find the order of an id, or of a reference that only one order bears.

    Transaction: caller's, reads only.
    """
    if not text:
        return None
    if session.get(Order, text) is not None:
        return text
    found = list(session.scalars(select(Order.id).where(Order.reference == text).limit(2)))
    return found[0] if len(found) == 1 else None


def offers(session: Session, order_id: str) -> Offers:
    """Say what an entry of an order may name; without one, the accounts that are nobody's.

    Transaction: caller's, reads only.
    """
    order = session.get(Order, order_id) if order_id else None
    own = _parts_of(session, order) if order is not None else {}
    accounts = [
        address
        for pattern in CHART
        if pattern not in NOT_BY_HAND
        for address in _filled(session, pattern, own)
    ]
    if order is None:
        return Offers(accounts, [], [], None)
    invoices = select(Invoice.id, Invoice.number).where(Invoice.order_id == order.id)
    newest = invoices.order_by(Invoice.created_at.desc(), Invoice.id.desc()).limit(_MOST)
    named = [(each.id, each.number) for each in session.execute(newest)]
    return Offers(accounts, named, [*_references(session, order)], order.asset)


def _parts_of(session: Session, order: Order) -> dict[str, list[str]]:
    payments = select(Payment.id).where(Payment.order_id == order.id).order_by(Payment.id)
    found = {
        "order": [order.id],
        "merchant": [order.merchant_id],
        "payment": list(session.scalars(payments.limit(_MOST))),
    }
    if order.buyer_id:
        found |= {"buyer": [order.buyer_id], "user": [order.buyer_id]}
    if order.seller_id:
        found["seller"] = [order.seller_id]
    return found


def _filled(session: Session, pattern: Pattern, own: dict[str, list[str]]) -> Iterator[str]:
    """Fill in a line of the chart; where a part is free, with the accounts that there are."""
    part = _PART.search(pattern.template)
    if part is None:
        yield pattern.template
    elif part[1] == "provider":
        yield from (pattern.at(provider=name) for name in registry.names())
    elif part[1] in own:
        yield from (pattern.at(**{part[1]: value}) for value in own[part[1]])
    elif pattern in (chart.CASH, chart.ADJUSTMENTS):
        head = pattern.template.split("{")[0]
        ranged = LedgerAccount.address >= head, LedgerAccount.address < f"{head}\U0010ffff"
        plain = ~LedgerAccount.address.like(f"%{RESERVED}")
        known = select(LedgerAccount.address).distinct().where(*ranged, plain)
        yield from session.scalars(known.order_by(LedgerAccount.address).limit(_MOST))


def _references(session: Session, order: Order) -> Iterator[str]:
    statement = (
        select(ProviderReference.reference)
        .join(Payment, Payment.id == ProviderReference.payment_id)
        .where(Payment.order_id == order.id)
        .order_by(ProviderReference.created_at, ProviderReference.reference)
    )
    yield from session.scalars(statement.limit(_MOST))

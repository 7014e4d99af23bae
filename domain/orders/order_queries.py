"""Lists of orders: filtered, searched by one box, newest first; reading only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, false, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from core.money import ASSETS
from domain.actors import Actor
from domain.orders.orders import visible
from domain.payments.payments import LONGEST_PAGE, Page
from domain.secrets import keyring
from models.orders import Order
from models.payments import Payment, ProviderReference
from models.people import Merchant, User
from providers import registry

# A name borne by more orders than this is no name.
MOST_NAMED = 1000
_SCALES = sorted({known.scale for known in ASSETS.values()})


@dataclass(frozen=True)
class OrderFilter:
    """What to list. Empty means all; `status` and `request_status` are stored words."""

    status: Sequence[str] = ()
    request_status: Sequence[str] = ()
    buyer_id: Sequence[str] = ()
    seller_id: Sequence[str] = ()
    subscription_ref: Sequence[str] = ()
    q: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def minors_of(text: str) -> list[int]:
    """Read `125`, `125.00` or `125.00 EUR` as minor units under each scale an asset may have."""
    words = text.split()
    number = words[0].replace(",", "") if words else ""
    if not number.replace(".", "", 1).isdigit() or not number.isascii() or len(number) > 15:
        return []
    value = Decimal(number)
    scaled = {value.scaleb(scale) for scale in _SCALES}
    fits = (minor for minor in scaled if minor == minor.to_integral_value() and minor < 2**62)
    return sorted(int(minor) for minor in fits)


def orders_with_reference(text: str) -> Select[str]:
    """Find orders by their merchant's reference.

    The unique key begins with merchant and mode; naming them all lets the database use it.
    """
    return select(Order.id).where(
        Order.merchant_id.in_(select(Merchant.id)),
        Order.livemode.in_((True, False)),
        Order.reference == text,
    )


def _sources(text: str, actor: Actor) -> Iterable[Select[str] | Select[str | None]]:
    """Give one indexed query per kind of name that an order may be known by."""
    orders, of_payment = select(Order.id), select(Payment.order_id)
    named = select(ProviderReference.payment_id).where(
        ProviderReference.provider.in_(sorted(registry.PROVIDERS)),
        ProviderReference.reference == text,
    )
    yield orders.where(Order.id == text)
    yield orders.where(Order.subscription_ref == text)
    yield orders_with_reference(text)
    yield of_payment.where(Payment.id == text)
    yield of_payment.where(Payment.provider_reference == text)
    yield of_payment.where(Payment.reference == text)
    yield of_payment.where(Payment.id.in_(named))
    if "@" in text and actor.is_staff:
        index = keyring.vault().blind_index(text, purpose="email")
        people = select(User.id).where(User.email_index == index)
        yield orders.where(Order.buyer_id.in_(people))


def matching(session: Session, text: str, *, actor: Actor) -> ColumnElement[bool]:
    """Turn the search box's text into a condition over few ids, so that no list is scanned.

    Each kind of name is looked up by its own index first. Transaction: caller's, reads only.
    """
    text = text.strip()
    every = union_all(*_sources(text, actor)).limit(MOST_NAMED)
    found = sorted({str(row[0]) for row in session.execute(every) if row[0]})
    parts: list[ColumnElement[bool]] = [Order.id.in_(found)] if found else []
    if minors := minors_of(text):
        parts.append(_amount(session, minors))
    return or_(*parts) if parts else false()


def _amount(session: Session, minors: Sequence[int]) -> ColumnElement[bool]:
    """Choose how to find a total: a rare one by its ids, a common one by walking the list."""
    few = select(Order.id).where(Order.total_minor.in_(minors)).limit(MOST_NAMED + 1)
    found = list(session.scalars(few))
    if len(found) <= MOST_NAMED:
        return Order.id.in_(found)
    # Left to an index, SQLite would sort every order of this total for one page of them.
    return (Order.total_minor + 0).in_(minors)


def _conditions(session: Session, wanted: OrderFilter, actor: Actor) -> list[ColumnElement[bool]]:
    found = visible(actor, Order)
    for column, words in (
        (Order.status, wanted.status),
        (Order.request_status, wanted.request_status),
        (Order.buyer_id, wanted.buyer_id),
        (Order.seller_id, wanted.seller_id),
        (Order.subscription_ref, wanted.subscription_ref),
    ):
        if words:
            found.append(column.in_(words))
    if wanted.created_from:
        found.append(Order.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(Order.created_at < wanted.created_to)
    if wanted.q and wanted.q.strip():
        found.append(matching(session, wanted.q, actor=actor))
    return found


def list_orders(
    session: Session, wanted: OrderFilter, *, actor: Actor, page: Page
) -> tuple[list[Order], tuple[datetime, str] | None]:
    """List orders, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(Order).where(*_conditions(session, wanted, actor))
    if page.before:
        statement = statement.where(tuple_(Order.created_at, Order.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    ordered = statement.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1)
    rows = list(session.scalars(ordered))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.created_at, more.id) if more else None

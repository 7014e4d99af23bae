"""Reading payouts for people: those that should be at our bank, what is on its way, what each is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.money import Money, asset
from domain.orders.order_queries import minors_of
from domain.payments.payments import Page
from domain.reconciliation.payouts import RETURNED
from models.ledger import JournalEntry
from models.reconciliation import ProviderBooking, ProviderPayout

# The tabs of the list, as the address writes them.
WAITING, FOUND, CAME_BACK = "waiting", "found", "returned"
# What moves a payout in the books is its own booking, what came of it and its match: a handful.
MOST_ENTRIES = 25


@dataclass(frozen=True)
class Contents:
    """What the bookings of a payout add up to: amount less fee is net."""

    count: int
    amount: Money
    fee: Money
    net: Money


def list_payouts(
    session: Session,
    which: str,
    *,
    livemode: bool | None,
    page: Page | None = None,
    q: str | None = None,
) -> list[ProviderPayout]:
    """List a page of payouts and one more: waiting ones oldest first, the others newest first.

    q: the payout's id, the provider's name for it, the bank's line or an amount. Transaction: caller's,
    reads only.
    """
    page = page or Page()
    statement = select(ProviderPayout).where(_of(which), *_mode(livemode))
    if q:
        statement = statement.where(_named(q.strip()))
    place = tuple_(ProviderPayout.created_at, ProviderPayout.id)
    is_oldest = which == WAITING
    if page.before:
        statement = statement.where(place > page.before if is_oldest else place < page.before)
    newest = ProviderPayout.created_at.desc(), ProviderPayout.id.desc()
    oldest = ProviderPayout.created_at, ProviderPayout.id
    ordered = statement.order_by(*(oldest if is_oldest else newest))
    return list(session.scalars(ordered.limit(page.limit + 1)))


def is_any(session: Session, *, livemode: bool | None) -> bool:
    """Tell whether a provider ever paid anything out. Transaction: caller's, reads only."""
    return session.scalar(select(ProviderPayout.id).where(*_mode(livemode)).limit(1)) is not None


def on_their_way(session: Session, *, livemode: bool | None) -> list[tuple[int, Money]]:
    """Add up the payouts that no bank line shows: how many, and how much, per currency.

    Transaction: caller's, reads only.
    """
    statement = (
        select(ProviderPayout.asset, func.count(), func.sum(ProviderPayout.amount_minor))
        .where(_of(WAITING), *_mode(livemode))
        .group_by(ProviderPayout.asset)
        .order_by(ProviderPayout.asset)
    )
    return [
        (int(count), Money(int(total), asset(unit)))
        for unit, count, total in session.execute(statement)
    ]


def get_payout(session: Session, payout_id: str, *, livemode: bool | None) -> ProviderPayout:
    """Give one payout. Raises: NotFound. Transaction: caller's, reads only."""
    own = select(ProviderPayout).where(ProviderPayout.id == payout_id, *_mode(livemode))
    found = session.scalars(own).first()
    if found is None:
        raise NotFound
    return found


def find_named(session: Session, name: str, *, livemode: bool | None) -> ProviderPayout | None:
    """Find the one payout of this id or this name at its provider. Transaction: caller's, reads only."""
    either = or_(ProviderPayout.id == name, ProviderPayout.provider_reference == name)
    found = session.scalars(select(ProviderPayout).where(either, *_mode(livemode)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def contents(session: Session, payout: ProviderPayout) -> Contents:
    """Add up what a payout is made of, in its own currency. Transaction: caller's, reads only."""
    statement = select(
        func.count(),
        func.coalesce(func.sum(ProviderBooking.amount_minor), 0),
        func.coalesce(func.sum(ProviderBooking.fee_minor), 0),
        func.coalesce(func.sum(ProviderBooking.net_minor), 0),
    ).where(*_part_of(payout), ProviderBooking.asset == payout.asset)
    count, *sums = session.execute(statement).one()
    unit = asset(payout.asset)
    amount, fee, net = (Money(int(each), unit) for each in sums)
    return Contents(int(count), amount, fee, net)


def list_bookings(
    session: Session, payout: ProviderPayout, *, page: Page
) -> Sequence[ProviderBooking]:
    """List a page of what a payout is made of and one more, newest first.

    Transaction: caller's, reads only.
    """
    statement = select(ProviderBooking).where(*_part_of(payout))
    if page.before:
        place = tuple_(ProviderBooking.booked_at, ProviderBooking.id)
        statement = statement.where(place < page.before)
    newest = ProviderBooking.booked_at.desc(), ProviderBooking.id.desc()
    return session.scalars(statement.order_by(*newest).limit(page.limit + 1)).all()


def entries_of(session: Session, payout: ProviderPayout) -> Sequence[JournalEntry]:
    """List what moved a payout in the books: out of clearing, to the bank, and back, in that order.

    Transaction: caller's, reads only.
    """
    own = select(ProviderBooking.provider_reference).where(
        ProviderBooking.provider == payout.provider,
        ProviderBooking.livemode.is_(payout.livemode),
        ProviderBooking.reference == payout.provider_reference,
    )
    names = [payout.provider_reference, *session.scalars(own.limit(MOST_ENTRIES))]
    statement = select(JournalEntry).where(
        JournalEntry.provider == payout.provider,
        JournalEntry.provider_reference.in_(names),
        JournalEntry.livemode.is_(payout.livemode),
    )
    ordered = statement.order_by(JournalEntry.posted_at, JournalEntry.id)
    return session.scalars(ordered.limit(MOST_ENTRIES)).all()


def _part_of(payout: ProviderPayout) -> tuple[ColumnElement[bool], ...]:
    return (
        ProviderBooking.provider == payout.provider,
        ProviderBooking.livemode.is_(payout.livemode),
        ProviderBooking.payout_reference == payout.provider_reference,
    )


def _named(text: str) -> ColumnElement[bool]:
    found = [
        ProviderPayout.id == text,
        ProviderPayout.provider_reference == text,
        ProviderPayout.bank_line == text,
    ]
    if minors := minors_of(text):
        found.append(ProviderPayout.amount_minor.in_(minors))
    return or_(*found)


def _of(which: str) -> ColumnElement[bool]:
    if which == FOUND:
        return ProviderPayout.matched_at.is_not(None)
    came_back = ProviderPayout.status.in_(RETURNED)
    if which == CAME_BACK:
        return came_back
    return ProviderPayout.matched_at.is_(None) & ~came_back


def _mode(livemode: bool | None) -> tuple[ColumnElement[bool], ...]:
    return () if livemode is None else (ProviderPayout.livemode.is_(livemode),)

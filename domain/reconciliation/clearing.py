"""What we say a provider holds for us beside what it says itself, and every part of the difference named.

A difference is no fault as such: an event may be heard before its booking, or a booking before its
event. What is left once all of that is named must be nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Label,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    case,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from domain.books import accounts
from domain.reconciliation import booking_entries
from domain.reconciliation.books import Book
from models.ledger import JournalEntry, Posting
from models.reconciliation import ProviderBooking
from providers.book_seam import OF_PAYMENTS, BookingKind

_CHUNK = 1000
_MANUAL = "manual"


@dataclass(frozen=True)
class Standing:
    """One currency at one provider, all in minor units of `asset`.

    books: what our clearing account says; theirs: the bookings that were taken in, net.
    not_booked_there: payments of which they have booked nothing yet. not_posted_here: bookings whose
    event is not heard yet, or of payments that are none of ours. differing: payments of which both
    speak and say different things. by_hand: entries of people. unmapped: bookings whose word is unknown.
    """

    asset: str
    books: int
    theirs: int
    not_booked_there: int
    not_posted_here: int
    differing: int
    by_hand: int
    unmapped: int

    @property
    def difference(self) -> int:
        """How much more our books say than the bookings."""
        return self.books - self.theirs

    @property
    def unexplained(self) -> int:
        """What of the difference has no name. It is nothing, or a row was changed behind our back."""
        ours = self.not_booked_there + self.differing + self.by_hand
        return self.difference - ours + self.not_posted_here + self.unmapped


@dataclass(frozen=True)
class PaymentLine:
    """One payment in one currency: what its events posted on clearing, and what its bookings say."""

    payment_id: str
    asset: str
    books: int
    theirs: int
    is_posted: bool
    is_booked: bool


def standings(session: Session, book: Book) -> list[Standing]:
    """Compare each currency with its provider. Transaction: caller's, reads only."""
    parts = union_all(*_parts(book)).subquery().c
    columns = [func.sum(getattr(parts, name)).label(name) for name in _NAMES]
    statement = select(parts.asset, *columns).group_by(parts.asset).order_by(parts.asset)
    found = []
    for row in session.execute(statement).mappings():
        amounts = {name: int(row[name] or 0) for name in _NAMES}
        found.append(Standing(asset=str(row["asset"]), **amounts))
    return found


def differing(session: Session, book: Book) -> Iterator[PaymentLine]:
    """List the payments of which our books and the bookings say different things, or only one speaks.

    Transaction: caller's, reads only, open while they are gone through.
    """
    lines = _by_payment(book).c
    statement = (
        select(lines.payment_id, lines.asset, lines.books, lines.theirs, lines.posted, lines.booked)
        .where(lines.books != lines.theirs)
        .order_by(lines.payment_id, lines.asset)
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for payment_id, unit, books, theirs, posted, booked in rows:
            yield PaymentLine(payment_id, unit, int(books), int(theirs), bool(posted), bool(booked))


_NAMES = (
    *("books", "theirs", "not_booked_there", "not_posted_here"),
    *("differing", "by_hand", "unmapped"),
)


def _part(unit: SQLColumnExpression[str], **said: SQLColumnExpression[int]) -> Select[str]:
    columns: list[Label[int]] = [said.get(name, literal(0)).label(name) for name in _NAMES]
    return cast("Select[str]", select(unit.label("asset"), *columns))


def _parts(book: Book) -> Iterator[Select[str]]:
    yield (
        _part(
            Posting.asset, books=Posting.amount_minor, by_hand=_if(_by_hand(), Posting.amount_minor)
        )
        .select_from(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(*_on_clearing(book))
    )
    net = ProviderBooking.net_minor
    is_unknown = ProviderBooking.kind == BookingKind.UNKNOWN.value
    yield _part(
        ProviderBooking.asset,
        theirs=net,
        unmapped=_if(is_unknown, net),
        not_posted_here=_if(_is_untied(), net),
    ).where(*_own(book))
    lines = _by_payment(book).c
    more = lines.books - lines.theirs
    only_here, only_there = lines.booked == 0, lines.posted == 0
    yield _part(
        lines.asset,
        not_booked_there=_if(only_here, more),
        not_posted_here=_if(only_there, -more),
        differing=_if(and_(~only_here, ~only_there), more),
    )


def _if(
    condition: ColumnElement[bool], value: SQLColumnExpression[int]
) -> SQLColumnExpression[int]:
    return case((condition, value), else_=0)


def _by_hand() -> ColumnElement[bool]:
    """Choose entries that neither an event of a payment nor a booking has made."""
    is_booking = JournalEntry.kind.in_(booking_entries.KINDS)
    of_payment = and_(JournalEntry.payment_id.is_not(None), JournalEntry.kind != _MANUAL)
    return and_(~is_booking, ~of_payment)


def _is_untied() -> ColumnElement[bool]:
    kinds = [kind.value for kind in OF_PAYMENTS]
    return and_(ProviderBooking.kind.in_(kinds), ProviderBooking.payment_id.is_(None))


def _on_clearing(book: Book) -> tuple[ColumnElement[bool], ...]:
    address = accounts.clearing(book.provider).address
    return (Posting.address == address, JournalEntry.livemode.is_(book.livemode))


def _own(book: Book) -> tuple[ColumnElement[bool], ...]:
    return (
        ProviderBooking.provider == book.provider,
        ProviderBooking.livemode.is_(book.livemode),
    )


def _by_payment(book: Book) -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    """Add up, per payment and currency, what events posted and what bookings say of the same."""
    kinds = [kind.value for kind in OF_PAYMENTS]
    tied = (*_own(book), ProviderBooking.kind.in_(kinds), ProviderBooking.payment_id.is_not(None))
    is_dispute = ProviderBooking.kind == BookingKind.DISPUTE.value
    is_exchanged = ProviderBooking.presented_minor.is_not(None)
    # The fee of a dispute is posted with its event, every other one with its booking.
    fee = _if(is_dispute, ProviderBooking.fee_minor)
    nothing, once = literal(0), literal(1)
    sides = union_all(
        _side(JournalEntry.payment_id, Posting.asset, Posting.amount_minor, nothing, once, nothing)
        .select_from(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(
            *_on_clearing(book),
            JournalEntry.payment_id.is_not(None),
            JournalEntry.kind.not_in((*booking_entries.KINDS, _MANUAL)),
        ),
        _theirs(ProviderBooking.asset, ProviderBooking.amount_minor - fee).where(
            *tied, ~is_exchanged
        ),
        _theirs(ProviderBooking.presented_asset, ProviderBooking.presented_minor).where(
            *tied, is_exchanged
        ),
        _theirs(ProviderBooking.asset, -ProviderBooking.fee_minor).where(
            *tied, is_exchanged, is_dispute, ProviderBooking.fee_minor != 0
        ),
    ).subquery()
    c = sides.c
    return (
        select(
            c.payment_id,
            c.asset,
            func.sum(c.books).label("books"),
            func.sum(c.theirs).label("theirs"),
            func.sum(c.posted).label("posted"),
            func.sum(c.booked).label("booked"),
        )
        .group_by(c.payment_id, c.asset)
        .subquery()
    )


def _theirs(
    unit: SQLColumnExpression[str] | SQLColumnExpression[str | None],
    minor: SQLColumnExpression[int] | SQLColumnExpression[int | None],
) -> Select[str]:
    nothing, once = literal(0), literal(1)
    return _side(ProviderBooking.payment_id, unit, nothing, minor, nothing, once)


def _side(*columns: SQLColumnExpression[object]) -> Select[str]:
    names = ("payment_id", "asset", "books", "theirs", "posted", "booked")
    named: list[Label[object]] = [
        column.label(name) for column, name in zip(columns, names, strict=True)
    ]
    return cast("Select[str]", select(*named))

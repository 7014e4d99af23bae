"""How long money takes at a provider: from its arrival until it may be paid out, and until it was.

Shown per rail beside the float (requirement S219).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, extract, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import clock
from domain.reconciliation.books import Book
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.book_seam import BookingKind

# Older arrivals say little about how long it takes now.
WINDOW = timedelta(days=90)


@dataclass(frozen=True)
class Timing:
    """One currency at one provider. asset: such as `EUR/2`; available, paid_out: median seconds since
    the arrival, None before the first; oldest_unsettled_at: when the oldest arrival came that no payout
    holds yet; unsettled_minor: what all of them come to, net.
    """

    asset: str
    available_seconds: int | None
    paid_out_seconds: int | None
    oldest_unsettled_at: datetime | None
    unsettled_minor: int

    @property
    def settlement_hours(self) -> int | None:
        """The median from arrival to payout in whole hours, rounded to the nearest."""
        seconds = self.paid_out_seconds
        return None if seconds is None else (seconds + 1800) // 3600


def timings(session: Session, book: Book) -> list[Timing]:
    """Measure each currency in which a provider booked arrivals. Transaction: caller's, reads only."""
    own = _arrivals(book)
    units = select(ProviderBooking.asset).where(*own).distinct().order_by(ProviderBooking.asset)
    return [_timing(session, book, unit) for unit in session.scalars(units)]


def _arrivals(book: Book) -> tuple[ColumnElement[bool], ...]:
    return (
        ProviderBooking.provider == book.provider,
        ProviderBooking.livemode.is_(book.livemode),
        ProviderBooking.kind == BookingKind.ARRIVED.value,
        ProviderBooking.amount_minor > 0,
    )


def _timing(session: Session, book: Book, unit: str) -> Timing:
    own = (*_arrivals(book), ProviderBooking.asset == unit)
    recent = (*own, ProviderBooking.booked_at >= clock.now() - WINDOW)
    unsettled = (*own, ProviderBooking.payout_reference.is_(None))
    oldest, total = session.execute(
        select(
            func.min(ProviderBooking.booked_at),
            func.coalesce(func.sum(ProviderBooking.net_minor), 0),
        ).where(*unsettled)
    ).one()
    available = _seconds(ProviderBooking.available_at, ProviderBooking.booked_at)
    paid = _seconds(ProviderPayout.arrives_at, ProviderBooking.booked_at)
    same_payout = and_(
        ProviderPayout.provider == ProviderBooking.provider,
        ProviderPayout.livemode == ProviderBooking.livemode,
        ProviderPayout.provider_reference == ProviderBooking.payout_reference,
    )
    return Timing(
        asset=unit,
        available_seconds=_median(
            session,
            available,
            select(available).where(*recent, ProviderBooking.available_at.is_not(None)),
        ),
        paid_out_seconds=_median(
            session,
            paid,
            select(paid)
            .select_from(ProviderBooking)
            .join(ProviderPayout, same_payout)
            .where(*recent, ProviderPayout.arrives_at.is_not(None)),
        ),
        oldest_unsettled_at=oldest,
        unsettled_minor=int(total),
    )


def _seconds(
    later: InstrumentedAttribute[datetime | None], earlier: InstrumentedAttribute[datetime]
) -> ColumnElement[int]:
    return extract("epoch", later) - extract("epoch", earlier)


def _median(session: Session, of: ColumnElement[int], statement: Select[int]) -> int | None:
    """Read the middle row; the lower one of two. Neither database needs to know what a median is."""
    count = session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    if not count:
        return None
    middle = session.scalar(statement.order_by(of).limit(1).offset((count - 1) // 2))
    return None if middle is None else max(0, int(middle))

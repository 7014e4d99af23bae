"""When a payment will be final: what a notice says, else how long ours took lately, else what is normal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, rail_times
from core.money import asset
from core.rail_times import Normal
from core.states import Payment as Status
from core.strictjson import Json
from domain import calendar
from domain.delays import notice_queries
from models.payments import Payment, StateChange

# Fewer say nothing about the next one; older ones say nothing about today.
FEWEST, MOST, SEEN, DAYS = 20, 200, 1000, 30
_FINAL = (Status.COMPLETED.value, Status.RELEASED.value, Status.REFUNDED.value)
SATURDAY = 5


@dataclass(frozen=True)
class Eta:
    """When a payment is final, for its payer. at: None where no moment can be named.

    is_notice: a person says so, because the rail is late or down.
    """

    text: str
    at: datetime | None = None
    is_notice: bool = False

    def wire(self) -> dict[str, Json]:
        """Write it as the API answers it."""
        return {"text": self.text, "at": clock.rfc3339(self.at)}


@dataclass(frozen=True)
class Measured:
    """How long our own latest payments took from being started until they were final; whole seconds."""

    median: int
    p90: int
    count: int


def of(
    session: Session, rail: str, unit: str, at: datetime | None, *, provider: str | None = None
) -> Eta | None:
    """Say when a payment that was started at a moment is final; None where nothing is known of its rail.

    unit: the asset, such as `GBP/2`; at: None asks about a rail as such. An open notice goes before what was
    measured, and that before what is normal. A moment that has passed is never named.
    Transaction: caller's, reads only.
    """
    if (said := _said(session, rail, provider)) is not None:
        return said
    usual = rail_times.normal(rail, asset(unit).code)
    if (found := measured(session, rail, unit)) is not None:
        text = (
            f"Half of the latest payments like this were confirmed within {span(found.median)}"
            f" of being started, nine of ten within {span(found.p90)}."
        )
        return _by(text, at + timedelta(seconds=found.p90) if at else None)
    if usual is None:
        return None
    return _by(usual.text, _end(usual, at) if at else None)


def of_payment(session: Session, payment: Payment) -> Eta | None:
    """Say when an open payment is final; None once it has ended, or where nothing is known.

    Transaction: caller's, reads only.
    """
    if payment.status not in (Status.PENDING, Status.PROCESSING):
        return None
    # Before its payer has paid no moment can be named.
    begun = payment.updated_at if payment.status == Status.PROCESSING else None
    return of(session, payment.rail, payment.asset, begun, provider=payment.provider)


def of_rail(
    session: Session,
    rail: str,
    provider: str | None = None,
    *,
    codes: Collection[str] | None = None,
) -> Eta | None:
    """Say when money on a rail is final. codes: of the currencies that are meant; None: all.

    Transaction: caller's, reads only.
    """
    if (said := _said(session, rail, provider)) is not None:
        return said
    usual = rail_times.in_words(rail, codes)
    return Eta(usual) if usual else None


def _said(session: Session, rail: str, provider: str | None) -> Eta | None:
    found = notice_queries.of_rail(notice_queries.live(session), rail, provider)
    if not found:
        return None
    return Eta(found[0].text, notice_queries.eta_at(found), is_notice=True)


def _by(text: str, at: datetime | None) -> Eta:
    if at is not None and at <= clock.now():
        return Eta(f"{text} This one takes longer than usual.")
    return Eta(text, at)


def _end(usual: Normal, at: datetime) -> datetime | None:
    if usual.seconds is not None:
        return at + timedelta(seconds=usual.seconds)
    if usual.business_days is None:
        return None
    day = calendar.day_of(at)
    left = usual.business_days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < SATURDAY
    return calendar.begin_of(day + timedelta(days=1))


def measured(session: Session, rail: str, unit: str) -> Measured | None:
    """Say how long the latest payments of a rail and asset took; None when they are too few.

    Looks through the newest SEEN payments of all rails, so that a rare one costs no more than others; what
    the demo made up counts for nobody. Transaction: caller's, reads only.
    """
    newest = (
        select(
            Payment.id,
            Payment.created_at,
            Payment.status,
            Payment.rail,
            Payment.asset,
            Payment.order_id,
            Payment.demo,
        )
        .where(Payment.created_at > clock.after(-DAYS * rail_times.DAY_SECONDS))
        .order_by(Payment.created_at.desc(), Payment.id.desc())
        .limit(SEEN)
        .subquery()
    )
    seen = newest.c
    latest = (
        select(seen.id, seen.created_at)
        .where(
            seen.status.in_(_FINAL),
            seen.rail == rail,
            seen.asset == unit,
            seen.order_id.is_not(None),
            seen.demo.is_(False),
        )
        .order_by(seen.created_at.desc())
        .limit(MOST)
        .subquery()
    )
    statement = select(latest.c.created_at, StateChange.at).join(
        StateChange,
        (StateChange.object_id == latest.c.id)
        & (StateChange.object_kind == "payment")
        & (StateChange.new == Status.COMPLETED.value),
    )
    took = sorted(int((end - begun).total_seconds()) for begun, end in session.execute(statement))
    if len(took) < FEWEST:
        return None
    return Measured(took[(len(took) - 1) // 2], took[(9 * len(took) + 9) // 10 - 1], len(took))


def span(seconds: int) -> str:
    """Say a duration in the largest unit that fits, rounded up."""
    for size, one, many in ((24 * 3600, "a day", "days"), (3600, "an hour", "hours")):
        if seconds > size * 3 // 2:
            return f"{-(-seconds // size)} {many}"
        if seconds > size * 3 // 4:
            return one
    if seconds > 90:
        return f"{-(-seconds // 60)} minutes"
    if seconds > 45:
        return "a minute"
    return f"{seconds} seconds" if seconds > 1 else "a second"

"""What each rail holds for us, and how long money takes on it (requirement S219)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core import chart
from core.errors import invalid
from core.money import Money, asset
from domain.books import accounts
from domain.reconciliation import settlement_timing
from domain.reconciliation.books import Book
from domain.reconciliation.settlement_timing import Timing
from models.ledger import JournalEntry, Posting
from providers import registry

_HELD, _TRANSIT, _SUSPENSE = "held", "transit", "suspense"
_PATTERNS = {chart.CLEARING: _HELD, chart.TRANSIT: _TRANSIT, chart.SUSPENSE: _SUSPENSE}


@dataclass(frozen=True)
class Float:
    """One currency on one rail in one mode.

    held: what the provider received for us and has not paid out; in_transit: paid out, not at our bank
    yet; in_suspense: what people vouch for and it has not confirmed. Times are medians over the last
    ninety days in whole hours, None where the provider has told of none yet. oldest_unsettled_at: when
    the oldest money came that it still holds.
    """

    rail: str
    provider: str
    livemode: bool
    held: Money
    in_transit: Money
    in_suspense: Money
    settlement_hours: int | None
    available_hours: int | None
    oldest_unsettled_at: datetime | None


def rails() -> dict[str, str]:
    """Give the rail of each provider."""
    return {name: registry.get(name).rail for name in registry.names()}


def list_floats(session: Session, *, rail: str | None = None) -> list[Float]:
    """List what each rail holds, per currency and mode.

    Raises: InvalidInput for a rail that is none. Transaction: caller's, reads only.
    """
    known = rails()
    if rail is not None and rail not in known.values():
        raise invalid("rail", f"There is no such rail; one of {', '.join(sorted(known.values()))}.")
    wanted = [name for name in known if rail is None or known[name] == rail]
    sums = _sums(session, wanted)
    timings: dict[tuple[str, bool, str], Timing] = {}
    for provider, livemode in sorted({(provider, mode) for provider, mode, _, _ in sums}):
        for each in settlement_timing.timings(session, Book(provider, livemode)):
            timings[provider, livemode, each.asset] = each
    places = sorted({(provider, mode, unit) for provider, mode, unit, _ in sums})
    return [_float(session, known[place[0]], place, sums, timings.get(place)) for place in places]


def _sums(session: Session, providers: Sequence[str]) -> dict[tuple[str, bool, str, str], int]:
    """Sum each provider's own accounts by mode, asset and what the account is for."""
    named = {
        pattern.at(provider=name): (name, part)
        for name in providers
        for pattern, part in _PATTERNS.items()
    }
    statement = (
        select(
            Posting.address, Posting.asset, JournalEntry.livemode, func.sum(Posting.amount_minor)
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(or_(*[Posting.address == address for address in named]))
        .group_by(Posting.address, Posting.asset, JournalEntry.livemode)
    )
    found = {}
    for address, unit, livemode, total in session.execute(statement):
        provider, part = named[address]
        found[provider, bool(livemode), unit, part] = int(total)
    return found


def _float(
    session: Session,
    rail: str,
    place: tuple[str, bool, str],
    sums: dict[tuple[str, bool, str, str], int],
    timing: Timing | None,
) -> Float:
    provider, livemode, unit = place
    held, transit, suspense = (
        Money(sums.get((*place, part), 0), asset(unit)) for part in (_HELD, _TRANSIT, _SUSPENSE)
    )
    return Float(
        rail=rail,
        provider=provider,
        livemode=livemode,
        held=held,
        in_transit=transit,
        in_suspense=suspense,
        settlement_hours=timing.settlement_hours if timing else None,
        available_hours=_hours(timing.available_seconds) if timing else None,
        oldest_unsettled_at=(
            timing.oldest_unsettled_at if timing else _oldest(session, place, held.minor)
        ),
    )


def _hours(seconds: int | None) -> int | None:
    return None if seconds is None else (seconds + 1800) // 3600


def _oldest(session: Session, place: tuple[str, bool, str], held: int) -> datetime | None:
    """Find from the books when the oldest of what is held came, taking first what came first.

    Where a provider tells nothing of its bookings: going back from the newest arrival, the one at which
    all that is held has been met.
    """
    provider, livemode, unit = place
    if held <= 0:
        return None
    running = func.sum(Posting.amount_minor).over(
        order_by=(JournalEntry.effective_at.desc(), Posting.entry_id.desc(), Posting.line.desc())
    )
    arrivals = (
        select(JournalEntry.effective_at.label("at"), running.label("met"))
        .select_from(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(
            Posting.address == accounts.clearing(provider).address,
            Posting.asset == unit,
            Posting.amount_minor > 0,
            JournalEntry.livemode.is_(livemode),
        )
        .subquery()
    )
    met = select(arrivals.c.at).where(arrivals.c.met >= held)
    return session.scalar(met.order_by(arrivals.c.met).limit(1))

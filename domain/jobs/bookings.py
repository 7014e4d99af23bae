"""Reading what providers book themselves: window after window, each booking once, whoever reads.

It runs beside settlement and never before it: what fails here is tried again and holds nothing up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError, LostRace
from core.strictjson import Json
from domain import crash, database, queue
from domain.actors import system
from domain.control import settling
from domain.reconciliation import booking_turns, bookings, payouts
from domain.reconciliation.books import Book
from domain.transitions import Why
from domain.watch import turns
from domain.watch.turns import Turn
from models.payments import Payment
from providers import registry
from providers.book_seam import SaidPayout
from providers.seam import Rail

READER = system("worker")
# One window is read in one turn: a killed worker loses no more than that.
WINDOW = timedelta(days=1)
# A booking may be listed some time after the moment it says it was made.
OVERLAP = timedelta(minutes=15)
DEEP_OVERLAP, DEEP_EVERY = timedelta(days=3), timedelta(hours=6)
# So long a payout may still change: it fails within days of being paid.
PAYOUTS_BACK = timedelta(days=35)
BATCH = 50
log = structlog.get_logger()
_Item = TypeVar("_Item")


def take_next() -> bool:
    """Read the account of one provider whose turn it is. Gives False when none is due, or all is paused.

    Calls: the provider, with no transaction open. Writes, Emits: as `bookings.take_in` and `payouts.hear`.
    Transaction: opens its own.
    """
    return any(_take(rail) for rail in registry.every() if rail.is_configured)


def _take(rail: Rail) -> bool:
    book = Book(rail.name, rail.mode == "live")
    work = booking_turns.work_of(book)
    with database.reading() as session:
        if settling.is_paused(session) or not turns.is_due(session, work):
            return False
    with database.transaction() as session:
        turn = turns.take(session, work) if settling.may_begin(session) else None
        if turn is None:
            return False
        since = _since(session, book, turn)
    crash.point("bookings.after_lease")
    _read_window(rail, book, turn, since)
    return True


def _read_window(rail: Rail, book: Book, turn: Turn, since: datetime) -> None:
    """Read one window, and note where the next begins; what failed is read again later."""
    now = clock.now()
    until = min(now, since + WINDOW)
    memory = dict(turn.memory)
    # There is more to read at once, unless this window ends now.
    due_at = clock.after(ids.jittered(booking_turns.EVERY_SECONDS)) if until == now else now
    try:
        read(rail, since=since, until=until)
        if until == now:
            read_payouts(rail, since=now - PAYOUTS_BACK, until=now)
        begin = until - OVERLAP if until == now else until
        memory = _without_failures(memory) | {"next": clock.rfc3339(begin)}
        if until == now:
            memory |= _look_back(rail, memory, now)
    except settling.Paused:
        due_at = now
    except AppError as error:
        memory["failures"] = _failures(memory)
        due_at = queue.backoff(_failures(turn.memory))
        log.warning("bookings.unread", provider=book.provider, error=error.code)
    try:
        with database.transaction() as session:
            turns.give_back(session, turn, due_at=due_at, memory=memory)
    except LostRace:
        # The lease was over; whoever took the turn since reads the same, and nothing counts twice.
        log.warning("bookings.turn_lost", provider=book.provider)


def read(rail: Rail, *, since: datetime, until: datetime) -> bookings.Taken:
    """Take in what a provider booked in a window, some bookings a transaction.

    Calls: the provider, with no transaction open. Writes, Emits: as `bookings.take_in`.
    Raises: Paused, ProviderUnavailable, ProviderRefused. Transaction: opens its own.
    """
    return _take_in(rail, rail.list_bookings(since=since, until=until), None)


def read_payouts(rail: Rail, *, since: datetime, until: datetime) -> int:
    """Hear of the payouts begun in a window, and read the bookings of those that are complete.

    Gives how many lists of bookings were read. Calls: the provider, with no transaction open.
    Writes, Emits: as `payouts`. Raises: as `read`. Transaction: opens its own.
    """
    book, why = _book(rail), _why(rail)
    to_list: list[SaidPayout] = []
    for batch in _batches(rail.list_payouts(since=since, until=until)):
        with database.transaction() as session:
            settling.assert_may_settle(session, actor=READER)
            to_list += payouts.hear(session, book, batch, why=why)
    # Oldest first: a booking is of the payout that named it first.
    for said in sorted(to_list, key=lambda each: (each.created_at, each.reference)):
        _take_in(rail, rail.bookings_of_payout(said.reference), said.reference)
        with database.transaction() as session:
            settling.assert_may_settle(session, actor=READER)
            payouts.close_list(session, book, said.reference, why=why)
    return len(to_list)


def _take_in(rail: Rail, said: Iterable[bookings.Said], payout: str | None) -> bookings.Taken:
    """Take bookings in as they are listed; of a payout, note on each that it was paid out by that."""
    book, why, total = _book(rail), _why(rail), bookings.Taken()
    for batch in _batches(said):
        with database.transaction() as session:
            settling.assert_may_settle(session, actor=READER)
            taken = bookings.take_in(session, book, batch, why=why)
            if payout is not None:
                payouts.assign(session, book, payout, taken.references)
            crash.point("bookings.before_commit")
        total.add(taken)
    return total


def _batches(items: Iterable[_Item]) -> Iterator[Sequence[_Item]]:
    """Gather some at a time; the next are only asked for once the transaction of these is over."""
    gathered: list[_Item] = []
    for item in items:
        gathered.append(item)
        if len(gathered) >= BATCH:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _book(rail: Rail) -> Book:
    return Book(rail.name, rail.mode == "live")


def _why(rail: Rail) -> Why:
    return Why(READER, f"bookings:{rail.name}")


def _since(session: Session, book: Book, turn: Turn) -> datetime:
    """Say from when to read: where the last turn ended; at first, from our first payment on."""
    now = clock.now()
    if (known := _time(turn.memory.get("next"))) is not None:
        return min(known, now)
    own = (Payment.provider == book.provider, Payment.livemode.is_(book.livemode))
    first = session.scalar(select(func.min(Payment.created_at)).where(*own))
    return min(first or now, now) - OVERLAP


def _look_back(rail: Rail, memory: dict[str, Json], now: datetime) -> dict[str, Json]:
    """Now and then read far back, for what was listed late. Gives what to remember of it."""
    looked_back = _time(memory.get("lookedBackAt"))
    if looked_back is not None and looked_back < now - DEEP_EVERY:
        read(rail, since=now - DEEP_OVERLAP, until=now)
    elif looked_back is not None:
        return {}
    return {"lookedBackAt": clock.rfc3339(now)}


def _without_failures(memory: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in memory.items() if name != "failures"}


def _time(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _failures(memory: dict[str, Json]) -> int:
    known = memory.get("failures")
    return 1 + (known if isinstance(known, int) else 0)

"""The job that reads bookings: window after window, by whichever worker, in bounded memory, holding up nothing."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from core import clock
from core.errors import ProviderUnavailable
from core.money import Money, asset
from domain import database
from domain.control import controls
from domain.jobs import bookings as job
from domain.reconciliation import booking_turns
from domain.watch import turns
from models.payments import Payment
from models.presence import Schedule
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.book_seam import Booking, BookingKind
from providers.said import Oddity
from tests.domain import booking
from tests.domain.booking import BOOK, CLEARING, TRANSIT, balance, entries
from tests.domain.world import World

NAME = "bookings:stripe:test"


def due_now() -> None:
    with database.transaction() as session:
        session.execute(update(Schedule).where(Schedule.name == NAME).values(due_at=clock.now()))


def schedule() -> Schedule:
    with database.reading() as session:
        return session.get_one(Schedule, NAME)


def listed(world: World) -> Payment:
    """Have a payment arrive whose booking the provider lists."""
    payment = booking.paid(world)
    record = booking.arrival(payment, created=clock.unix())
    world.rail.transactions[str(record["id"])] = record
    return payment


def test_bookings_and_payouts_are_read_and_read_again_without_effect(world: World) -> None:
    listed(world)
    [name] = list(world.rail.transactions)
    world.rail.pay_out(name, at=clock.unix())
    assert job.take_next()
    assert not job.take_next()
    assert (balance(CLEARING), balance(TRANSIT)) == (0, 2_397)
    known = len(entries())
    for _ in range(2):
        due_now()
        assert job.take_next()
    assert len(entries()) == known
    assert booking.count(ProviderPayout) == 1
    assert booking.problems() == []


def test_account_is_read_at_once_when_the_provider_says_it_changed(world: World) -> None:
    assert job.take_next()
    assert not job.take_next()
    listed(world)
    [name] = list(world.rail.transactions)
    payout = world.rail.pay_out(name, at=clock.unix())
    row = world.deliver_and_apply(world._signed_body("payout.paid", payout, None))
    assert (row.state, row.verdict) == (
        "ignored",
        "payout.paid: Stripe's own bookings are read now",
    )
    assert job.take_next()
    assert balance(TRANSIT) == 2_397
    assert turns.ASKED not in schedule().outcome


def test_provider_that_is_away_is_asked_again_later_and_holds_up_nothing(world: World) -> None:
    payment = listed(world)
    world.rail.script = [ProviderUnavailable("away")]
    assert job.take_next()
    assert not job.take_next()
    assert (schedule().outcome["failures"], world.read(payment).status) == (1, "completed")
    due_now()
    assert job.take_next()
    assert "failures" not in schedule().outcome
    assert len(entries("fee")) == 1


def test_paused_settlement_leaves_bookings_where_they_are(world: World) -> None:
    listed(world)
    with database.transaction() as session:
        controls.put(session, controls.SETTLEMENT_PAUSE, {"on": True}, until=None, why=booking.WHY)
    assert not job.take_next()
    assert entries("fee") == []


def test_long_past_is_read_day_by_day_from_the_first_payment_on(world: World) -> None:
    payment = listed(world)
    long_ago = clock.now() - timedelta(days=3, hours=1)
    with database.transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment.id).values(created_at=long_ago))
    turns_taken = 0
    while job.take_next():
        turns_taken += 1
    assert turns_taken == 4
    assert len(entries("fee")) == 1


def test_worker_that_lost_its_turn_says_nothing_about_how_far_it_was(world: World) -> None:
    listed(world)
    work = booking_turns.work_of(BOOK)
    with database.transaction() as session:
        turn = turns.take(session, work)
    assert turn is not None
    with database.transaction() as session:
        session.execute(update(Schedule).where(Schedule.name == NAME).values(fence=9))
    job._read_window(world.rail, BOOK, turn, clock.now() - timedelta(minutes=5))  # type: ignore[arg-type]
    assert (schedule().fence, schedule().last_run_at) == (9, None)
    assert len(entries("fee")) == 1


def test_account_of_ten_thousand_bookings_is_read_some_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, eur = 10_000, asset("EUR")
    at, alive, most = clock.now(), weakref.WeakSet[Booking](), 0

    def many(*, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        nonlocal most
        del since, until
        moved, free = Money(-7, eur), Money(0, eur)
        for number in range(total):
            name = f"txn_{number:05}"
            made = Booking(name, BookingKind.ARRIVED, "charge", moved, free, moved, at)
            alive.add(made)
            most = max(most, len(alive))
            yield made

    monkeypatch.setattr(world.rail, "list_bookings", many)
    taken = job.read(world.rail, since=at, until=at)  # type: ignore[arg-type]
    assert (taken.new, booking.count(ProviderBooking)) == (total, total)
    assert most <= 3 * job.BATCH
    assert taken.references == []

"""The numbers of a series follow each other without a gap: under rollbacks, races, years and modes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import clock
from core.errors import AppError
from domain import calendar, database
from domain.invoices import numbers
from domain.jobs import inbound, worker
from models.invoices import Invoice, NumberSeries
from models.people import Merchant
from tests.domain.invoicing import assert_proved, of_order, work
from tests.domain.world import World

THREADS = 16


class GaveUp(Exception):
    """Ends a transaction that had taken a number."""


DAY = date(2026, 11, 21)


def house() -> str:
    with database.reading() as session:
        return session.scalars(select(Merchant.id).where(Merchant.is_house)).one()


def take(*, kind: str = numbers.INVOICE, day: date = DAY, livemode: bool = False) -> str:
    with database.transaction() as session:
        return numbers.take(session, house(), kind, day=day, livemode=livemode)[1]


def at_once(act: Callable[[int], None]) -> None:
    together = threading.Barrier(THREADS)

    def run(number: int) -> None:
        together.wait()
        act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_each_kind_year_and_mode_counts_for_itself(world: World) -> None:
    del world
    assert [take(), take()] == ["INV-2026-000001", "INV-2026-000002"]
    assert take(kind=numbers.CREDIT_NOTE) == "CN-2026-000001"
    assert take(livemode=True) == "INV-2026-000001"
    assert take(day=date(2027, 1, 1)) == "INV-2027-000001"
    assert take() == "INV-2026-000003"


def test_a_number_that_is_rolled_back_is_given_again(world: World) -> None:
    del world
    take()

    def give_up() -> None:
        with database.transaction() as session:
            assert numbers.take(session, house(), numbers.INVOICE, day=DAY, livemode=False)[0] == 2
            raise GaveUp

    with pytest.raises(GaveUp):
        give_up()
    assert take() == "INV-2026-000002"


def test_sixteen_at_once_leave_no_gap_even_where_every_third_gives_up(world: World) -> None:
    failed: list[int] = []

    def act(number: int) -> None:
        for turn in range(3):
            try:
                # A reference that is taken is refused, some by us, some by the database itself.
                world.order(reference=f"same-{turn}" if number % 3 == 0 else None)
            except (AppError, IntegrityError):
                failed.append(number)

    at_once(act)
    with database.reading() as session:
        found = list(session.scalars(select(Invoice.number_no).order_by(Invoice.number_no)))
        last = session.scalars(select(NumberSeries.last)).one()
    assert failed, "some orders had to be refused for this to show anything"
    assert found == list(range(1, THREADS * 3 - len(failed) + 1))
    assert last == found[-1]
    assert_proved()


def test_orders_attempts_and_money_of_one_merchant_at_once_stand_in_nobodys_way(
    world: World,
) -> None:
    broken: list[BaseException] = []

    def act(number: int) -> None:
        try:
            order = world.order()
            world.deliver(world.paid(world.begin(order)[1]))
            while inbound.apply_next():
                pass
            work()
            if number % 2:
                world.begin(order, "balance")
        except BaseException as error:  # noqa: BLE001  # whatever breaks a thread is what this is about
            broken.append(error)

    at_once(act)
    worker.work_until_idle()
    work()
    assert broken == []
    with database.reading() as session:
        found = list(session.scalars(select(Invoice.number_no).order_by(Invoice.number_no)))
        states = Counter(map(tuple, session.execute(select(Invoice.purpose, Invoice.status))))
    assert found == list(range(1, 2 * THREADS + 1))
    assert states["deposit", "confirmed"] == THREADS
    assert states["balance", "pending_payment"] == THREADS // 2
    assert_proved()


def test_the_year_is_that_of_the_houses_own_calendar(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar._place, "zone", ZoneInfo("Asia/Tokyo"))
    # Half past three in the afternoon of the last day in UTC is the new year in Tokyo.
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 31, 15, 30, tzinfo=UTC))
    (invoice,) = of_order(world.order())
    assert (invoice.number, invoice.issued_on) == ("INV-2027-000001", date(2027, 1, 1))

"""Every night, and when asked for, records of ours that must agree are compared; each difference is a case, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Engine, select

import config
from core import clock
from core.states import Payment as Status
from domain import calendar, database
from domain.actors import Actor
from domain.books import chains
from domain.jobs import nightly as duty
from domain.watch import nightly, turns
from domain.watch.night_checks import CHECKS
from models.cases import ExceptionCase
from models.watch import NightlyCheck
from tests.domain import desk_people, refunding, wallets
from tests.domain.tampering import change
from tests.domain.world import World
from tests.rig import environment


def night() -> dict[str, NightlyCheck]:
    """Run the night's duty now. Gives what each comparison found."""
    with database.transaction() as session:
        turns.ask_for(session, duty.WORK)
    duty.check()
    with database.reading() as session:
        return {row.name: row for row in nightly.list_kept(session)}


def cases(kind: str = "NIGHTLY_DIFFERENCE") -> list[ExceptionCase]:
    with database.reading() as session:
        own = select(ExceptionCase).where(ExceptionCase.kind == kind)
        return list(session.scalars(own.order_by(ExceptionCase.opened_at)))


def test_books_that_were_kept_agree_in_every_comparison(world: World, fin: Actor) -> None:
    payment = refunding.paid(world, 5_000)
    refunding.ask(payment, 1_000, fin)
    refunding.send_all()
    desk_people.paid_late(world)
    wallets.paid_in(world)
    world.payment()
    chains.link_all()
    found = night()
    assert [*found] == [*CHECKS, nightly.VERIFICATION]
    assert {name: row.differences for name, row in found.items()} == {name: [] for name in found}
    assert all(row.ok for row in found.values())
    assert found["wallets"].compared >= 2 and found["revenue"].compared >= 4
    assert cases() == []


def test_a_wallet_that_differs_from_its_top_ups_becomes_one_case(
    world: World, engine: Engine
) -> None:
    payment = wallets.paid_in(world)
    more = "update effects set amount_minor = amount_minor + 5 where payment_id = :id"
    change(engine, more + " and kind = 'wallet_credit'", id=payment.id)
    found = night()
    assert (found["wallets"].ok, found["revenue"].ok) == (False, True)
    assert len(found["wallets"].differences) == 2
    wallet = f"wallet:{payment.buyer_id}:balance"
    keys = {each.subject_key for each in cases()}
    assert f"NIGHTLY_DIFFERENCE:wallets:{payment.id}" in keys
    assert f"NIGHTLY_DIFFERENCE:wallets:{wallet}" in keys
    number = len(cases())
    night()
    assert len(cases()) == number


def test_confirmed_money_that_is_neither_held_nor_earned_is_told(
    world: World, engine: Engine
) -> None:
    payment = refunding.paid(world)
    change(
        engine,
        "update payments set received_minor = received_minor + 100 where id = :id",
        id=payment.id,
    )
    said = " ".join(map(str, night()["revenue"].differences))
    assert str(payment.id) in said
    assert f"{payment.order_id}: its confirmed payments say 26.00 EUR, the books hold 25.00" in said


def test_what_is_paid_and_not_final_for_days_is_told_once_whoever_saw_it_first(
    world: World, engine: Engine
) -> None:
    payment = world.payment()
    young = world.payment()
    stuck = "update payments set status = :status, updated_at = :at where id = :id"
    values = {"status": Status.PROCESSING.value}
    long_ago, now = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (clock.after(-4 * 86400), clock.now()))
    for each, at in ((payment, long_ago), (young, now)):
        change(engine, stuck, id=each.id, at=at, **values)
    found = night()["stuck_paid"]
    assert (found.compared, len(found.differences)) == (2, 1)
    night()
    [case] = cases("STUCK_PAID")
    assert (case.payment_id, case.subject_key) == (payment.id, f"STUCK_PAID:{payment.id}")


def test_a_failed_proof_is_a_case_and_another_row_is_another(world: World, engine: Engine) -> None:
    first, second = refunding.paid(world), refunding.paid(world)
    chains.link_all()
    noted = "update journal_entries set note = 'as agreed' where payment_id = :id"
    change(engine, noted, id=first.id)
    found = night()[nightly.VERIFICATION]
    assert "does not say what its hash covers" in str(found.differences[0])
    number = len(cases())
    assert number == len(found.differences) > 0
    night()
    assert len(cases()) == number
    change(engine, noted.replace("'as agreed'", "null"), id=first.id)
    change(engine, noted, id=second.id)
    night()
    assert len(cases()) > number


def test_more_differences_than_people_can_read_are_counted(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "MOST", 2)
    for _ in range(4):
        payment = refunding.paid(world)
        change(
            engine,
            "update payments set received_minor = received_minor + 1 where id = :id",
            id=payment.id,
        )
    with database.reading() as session:
        found = nightly.compare(session, CHECKS["revenue"])
    assert (found.number, len(found.differences)) == (8, 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("Europe/Berlin", datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-02T00:30:00+00:00"),
        ("Europe/Berlin", datetime(2026, 1, 1, 0, 30, tzinfo=UTC), "2026-01-01T01:30:00+00:00"),
        ("UTC", datetime(2026, 7, 1, 2, 30, tzinfo=UTC), "2026-07-02T02:30:00+00:00"),
        ("Asia/Tokyo", datetime(2026, 7, 1, 17, 29, tzinfo=UTC), "2026-07-01T17:30:00+00:00"),
    ],
)
def test_the_night_is_the_house_s_own(world: World, zone: str, now: datetime, due: str) -> None:
    env = environment.settings(str(database.engine().url), world.settings.instance)
    calendar.configure(config.load(env | {"TZ_BUSINESS": zone}))
    try:
        assert nightly.next_at(now).isoformat() == due
    finally:
        calendar.configure(world.settings)


def test_it_runs_by_itself_once_a_night_and_makes_up_for_a_night_that_was_missed(
    world: World,
) -> None:
    del world
    with time_machine.travel("2031-03-10T12:00:00+00:00", tick=False) as travel:
        duty.check()
        assert kept() == {}
        travel.move_to("2031-03-11T02:29:00+00:00")
        duty.check()
        assert kept() == {}
        travel.move_to("2031-03-11T02:31:00+00:00")
        duty.check()
        first = kept()
        assert len(first) == 4
        travel.shift(timedelta(hours=2))
        duty.check()
        assert kept() == first
        # No worker ran for three nights.
        travel.move_to("2031-03-14T09:00:00+00:00")
        duty.check()
        assert kept() != first
        second = kept()
        travel.shift(timedelta(minutes=5))
        duty.check()
        assert kept() == second


def test_a_clock_that_was_ahead_does_not_stop_the_nights(world: World) -> None:
    del world
    with time_machine.travel(clock.now() + timedelta(days=700)):
        night()
    before = kept()
    duty.check()
    assert kept() != before


def kept() -> dict[str, datetime]:
    with database.reading() as session:
        return {row.name: row.at for row in nightly.list_kept(session)}

"""A run is one at a time, goes on where a killed process left it, ends once, and says why when it fails."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import func, select, update

from core import clock
from core.errors import Conflict, InvalidInput, LostRace, ProviderRefused, ProviderUnavailable
from domain import crash, database
from domain.actors import Actor, system
from domain.cases import case_acts
from domain.control import controls
from domain.jobs import reconciliation
from domain.reconciliation import differences, engine, objects, runs, steps
from domain.reconciliation.runs import MOST_ATTEMPTS, Cause, Wanted
from domain.transitions import Why
from models.audit import AuditRow
from models.cases import ExceptionCase
from models.events import EventLog
from models.payments import Payment
from models.presence import Schedule
from models.reconciliation import ReconciliationObject, ReconciliationRun
from tests.domain import fake_charges, mirror
from tests.domain.world import World

ED = system("test")
PAYMENTS = 40
PAUSE = controls.SETTLEMENT_PAUSE


class Died(BaseException):
    """The process is no more; nothing of it runs on."""


@pytest.fixture
def stocked(world: World) -> World:
    """A world with payments that differ in a few ways, told in small pages."""
    mirror.stock(world, PAYMENTS)
    world.rail.page_size = 9
    with database.reading() as session:
        own = set(session.scalars(select(Payment.provider_reference)))
    held = {name: one for name, one in world.rail.intents.items() if name in own}
    paid = [name for name, one in held.items() if one["status"] == "succeeded"]
    world.rail.intents[paid[0]] |= {"status": "canceled", "amount_received": 0}
    world.rail.intents[paid[1]]["currency"] = "sek"
    world.rail.give_back(paid[2], 100)
    money = {"status": "succeeded", "amount_received": 900, "created": clock.unix() - 3600}
    world.rail.intents["pi_foreign"] = fake_charges.intent("pi_foreign", "", 900, **money)
    return world


def due_now() -> None:
    """Let every lease and pause be over."""
    with database.transaction() as session:
        session.execute(update(ReconciliationRun).values(due_at=clock.now()))


def cancel(run_id: str, reason: str = "wrong window") -> ReconciliationRun:
    with database.transaction() as session:
        return runs.cancel(session, run_id, actor=ED, reason=reason, source="test", different=0)


def said(run: ReconciliationRun) -> tuple[object, ...]:
    found = [(row.kind, row.subject, row.state) for row in mirror.differences(run.id)]
    return (run.status, run.done, run.total, run.counts, sorted(found))


def count(model: type, *conditions: object) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def test_killed_anywhere_it_goes_on_there_and_finds_the_same(
    stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mirror.compare()
    assert whole.status == "finished"
    assert len(mirror.differences(whole.id)) == 4
    run_id = mirror.begin()
    passed = 0

    def die(name: str) -> None:
        nonlocal passed
        if name.startswith("reconciliation."):
            passed += 1
            raise Died(name)

    # Each process does what lies before its first point and is then no more.
    points = (
        "reconciliation.after_lease",
        "reconciliation.before_commit",
        "reconciliation.after_commit",
    )
    for no in range(400):
        armed = points[no % 3]
        monkeypatch.setattr(
            crash, "point", lambda name, armed=armed: die(name) if name == armed else None
        )
        try:
            reconciliation.work_next()
        except Died:
            due_now()
        mirror.pass_time()
        if mirror.read(run_id).status != "running":
            break
    monkeypatch.undo()
    assert passed > 20
    assert said(mirror.read(run_id)) == said(whole)
    assert count(ExceptionCase, ExceptionCase.kind == "RECON_DIFFERENCE") == 3
    mirror.finish(run_id)
    assert count(ReconciliationObject) == 0


def test_one_run_is_in_one_pair_of_hands_and_a_zombie_changes_nothing(stocked: World) -> None:
    del stocked
    run_id = mirror.begin()
    with database.transaction() as session:
        first = runs.claim(session)
    assert first is not None
    with database.transaction() as session:
        assert runs.claim(session) is None
    engine.advance(run_id, first.fence)
    due_now()
    with database.transaction() as session:
        second = runs.claim(session)
    assert second is not None
    assert second.fence > first.fence
    with pytest.raises(LostRace):
        engine.advance(run_id, first.fence)
    before = said(mirror.read(run_id))
    with database.transaction() as session, pytest.raises(LostRace):
        runs.held(session, run_id, first.fence)
    assert said(mirror.read(run_id)) == before
    assert not engine.work(run_id, first.fence, pages=3)
    assert engine.work(run_id, second.fence, pages=3)
    assert mirror.finish(run_id).status == "finished"


def test_several_workers_share_the_runs_and_none_is_done_twice(stocked: World) -> None:
    del stocked
    ids = [mirror.begin(since=mirror.WINDOW - timedelta(days=no)) for no in range(3)]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while reconciliation.work_next():
                pass
        except BaseException as error:  # noqa: BLE001  # told by the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    done = [mirror.finish(run_id) for run_id in ids]
    assert [run.status for run in done] == ["finished"] * 3
    assert all(run.counts["payments"] == done[0].counts["payments"] for run in done)
    finished = count(EventLog, EventLog.type == "reconciliation.finished")
    assert (finished, count(AuditRow, AuditRow.action == "reconciliation.finish")) == (3, 3)


def test_the_same_window_is_compared_once_at_a_time(world: World) -> None:
    del world
    now = clock.now()
    wanted = Wanted("stripe", now - timedelta(days=2), now, Cause.DESK)
    made: list[str] = []
    refused: list[Conflict] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        try:
            with database.transaction() as session:
                run = runs.start(session, wanted, actor=ED, source="test", step=steps.FIRST)
            made.append(run.id)
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert all(error.details["runId"] == made[0] for error in refused)
    mirror.finish(made[0])
    with database.transaction() as session:
        assert runs.start(session, wanted, actor=ED, source="test", step=steps.FIRST).id != made[0]


def test_a_provider_that_is_away_is_asked_again_and_then_the_run_fails_with_the_reason(
    stocked: World,
) -> None:
    rail = stocked.rail
    away = ProviderUnavailable("Stripe does not answer.")
    rail.script = [None, None, away]
    run = mirror.compare()
    assert (run.status, run.attempts, run.last_error) == ("running", 1, "Stripe does not answer.")
    assert 0 < run.done < PAYMENTS
    due_now()
    run = mirror.finish(run.id)
    assert (run.status, run.last_error, len(mirror.differences(run.id))) == ("finished", None, 4)
    rail.script = [None, *[away] * MOST_ATTEMPTS]
    run = mirror.compare(since=timedelta(days=300))
    for _ in range(MOST_ATTEMPTS - 1):
        assert run.status == "running"
        due_now()
        run = mirror.finish(run.id)
    assert run.status == "failed"
    assert run.last_error == f"Stripe does not answer. Tried {MOST_ATTEMPTS} times."
    assert run.open_key is None
    rail.script = [ProviderRefused("Invalid API key.")]
    assert mirror.compare(since=timedelta(days=200)).status == "failed"


def test_a_page_that_breaks_us_does_not_run_for_ever(
    stocked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del stocked

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("card 4242")

    monkeypatch.setattr(objects, "next_page", broken)
    run_id = mirror.begin()
    for _ in range(MOST_ATTEMPTS):
        mirror.finish(run_id)
        due_now()
    run = mirror.read(run_id)
    # Only our own errors are quoted.
    assert (run.status, run.last_error) == (
        "failed",
        f"ZeroDivisionError Tried {MOST_ATTEMPTS} times.",
    )


def test_a_cancelled_run_stops_at_its_next_page_and_ends_once(stocked: World) -> None:
    del stocked
    run_id = mirror.begin()
    with database.transaction() as session:
        run = runs.claim(session)
    assert run is not None
    engine.advance(run_id, run.fence)
    assert cancel(run_id).status == "cancelled"
    with pytest.raises(LostRace):
        engine.advance(run_id, run.fence)
    with pytest.raises(Conflict) as refused:
        cancel(run_id)
    assert refused.value.code == "INVALID_TRANSITION"
    assert mirror.finish(run_id).status == "cancelled"
    assert count(ReconciliationObject) == 0
    assert count(EventLog, EventLog.type == "reconciliation.finished") == 1


def _stop(run_id: str, barrier: threading.Barrier, outcome: list[str]) -> None:
    barrier.wait()
    try:
        outcome.append(cancel(run_id).status)
    except Conflict:
        outcome.append("too late")


def test_cancelling_races_with_finishing_and_one_of_them_wins(world: World) -> None:
    del world
    for _ in range(5):
        run_id = mirror.begin(since=timedelta(minutes=5))
        outcome: list[str] = []
        barrier = threading.Barrier(2)

        thread = threading.Thread(target=_stop, args=(run_id, barrier, outcome))
        thread.start()
        barrier.wait()
        mirror.finish(run_id)
        thread.join()
        status = mirror.finish(run_id).status
        assert (status, outcome) in [("cancelled", ["cancelled"]), ("finished", ["too late"])]
    assert count(EventLog, EventLog.type == "reconciliation.finished") == 5


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (timedelta(days=401), timedelta(), "from"),
        (timedelta(days=1), timedelta(days=2), "to"),
        (timedelta(days=1), timedelta(days=-1), "to"),
    ],
)
def test_a_window_is_neither_endless_nor_of_the_future(
    world: World, since: timedelta, until: timedelta, field: str
) -> None:
    del world
    now = clock.now()
    wanted = Wanted("stripe", now - since, now - until, Cause.DESK)
    with database.transaction() as session, pytest.raises(InvalidInput) as refused:
        runs.start(session, wanted, actor=ED, source="test", step=steps.FIRST)
    assert refused.value.details["fields"][0]["field"] == field  # type: ignore[index,call-overload]


def test_hostile_names_of_a_provider_are_kept_and_compared_like_any_other(world: World) -> None:
    hostile = [
        "=1+1",
        "<script>alert(1)</script>",
        "'; drop table payments; --",
        "x" * 600,
        "пи_\u202e1",
    ]
    for no, name in enumerate(hostile):
        record = fake_charges.intent(name, "", 900 + no, status="succeeded", amount_received=900)
        world.rail.intents[name] = record
    run = mirror.compare()
    rows = mirror.differences(run.id)
    assert run.status == "finished"
    # Names that Stripe would not write are not read; all else is compared.
    kinds = {row.kind.removeprefix("recon_") for row in rows}
    assert (len(rows), kinds) == (len(hostile), {"missing_here", "not_compared"})
    assert {row.provider_reference for row in rows} >= set(hostile[:3])


def test_what_is_gone_is_noted_on_the_difference_and_its_case(stocked: World) -> None:
    first = mirror.compare()
    gone = next(row for row in mirror.differences(first.id) if row.kind == "recon_missing_here")
    del stocked.rail.intents["pi_foreign"]
    # A window that does not reach that far proves nothing of it.
    later = mirror.compare(since=timedelta(minutes=1))
    assert later.counts["gone"] == 0
    again = mirror.compare()
    assert again.counts["gone"] == 1
    noted = next(row for row in mirror.differences(first.id) if row.id == gone.id)
    assert (noted.state, noted.gone_at is not None) == ("gone", True)
    with database.reading() as session:
        case = session.get_one(ExceptionCase, gone.case_id)
        [note] = [row.note for row in case_acts.notes_of(session, case.id)]
    # It went away by itself; what it was stays for people to decide.
    assert case.state == "open"
    assert again.id in note
    assert len(mirror.differences(again.id)) == 3


def test_the_clock_begins_a_short_window_an_hour_and_a_long_one_a_night(world: World) -> None:
    del world
    for _ in range(3):
        reconciliation.begin_due()
    own = Schedule.name.like("reconcile:%")
    assert (count(Schedule, own), count(ReconciliationRun)) == (2, 0)
    for _ in range(2):
        with database.transaction() as session:
            session.execute(update(Schedule).where(own).values(due_at=clock.now()))
        while reconciliation.begin_due():
            pass
    # The second time both are still running.
    with database.reading() as session:
        made = list(session.scalars(select(ReconciliationRun).order_by(ReconciliationRun.cause)))
    assert [(run.cause, run.heals) for run in made] == [("hourly", True), ("nightly", False)]
    assert made[0].window_to - made[0].window_from < made[1].window_to - made[1].window_from


def test_an_hourly_run_waits_while_settlement_is_paused(world: World, fin: Actor) -> None:
    payment = world.payment()
    world.rail.intents[str(payment.provider_reference)] |= {
        "status": "succeeded",
        "amount_received": payment.amount_minor,
    }
    with database.transaction() as session:
        controls.put(session, PAUSE, {"on": True}, until=None, why=Why(fin, "test", "maintenance"))
    run = mirror.compare(cause=Cause.HOURLY, heals=True)
    assert (run.status, run.attempts, world.read(payment).status) == ("running", 0, "pending")
    with database.transaction() as session:
        controls.put(session, PAUSE, {"on": False}, until=None, why=Why(fin, "test", "over"))
    due_now()
    run = mirror.finish(run.id)
    assert (run.status, world.read(payment).status) == ("finished", "completed")
    assert [row.state for row in mirror.differences(run.id)] == ["applied"]


def test_progress_never_passes_its_end_and_is_told_now_and_then(stocked: World) -> None:
    del stocked
    run = mirror.compare()
    with database.reading() as session:
        told = session.scalars(
            select(EventLog)
            .where(EventLog.type.like("reconciliation.%"), EventLog.object_id == run.id)
            .order_by(EventLog.id)
        ).all()
    types = [row.type for row in told]
    assert (types[0], types[-1]) == ("reconciliation.started", "reconciliation.finished")
    at = [(row.body["done"], row.body["total"]) for row in told]
    steps_told = cast("list[tuple[int, int | None]]", at)
    assert all(total is None or done <= total for done, total in steps_told)
    assert [done for done, _ in steps_told] == sorted(done for done, _ in steps_told)
    assert 2 < len(told) <= 24
    assert told[-1].body["different"] == 4
    with database.reading() as session:
        assert differences.count(session, run.id) == 4

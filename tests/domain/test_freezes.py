"""A freeze holds money out from the moment it returns: nothing passes it, one holds a scope, time ends it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy
import time_machine
from sqlalchemy import func, select

from core import clock
from core.errors import Frozen, InvalidInput, NotFound
from core.money_out import Act
from core.states import Freeze as State
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.control import freeze_queries, freezes
from domain.control.freezes import Wanted
from domain.control.warrants import Content
from domain.jobs import overdue
from domain.payments.payments import Page
from domain.people import people
from domain.transitions import Why
from models.audit import AuditRow
from models.control import Freeze
from models.events import EventLog
from tests.domain.world import World, actor

ED = actor("usr_ed", Role.ENGINEER)
WHY = Why(ED, "user:usr_ed", "the books are out")


def engage(scope: str = "all", scope_id: str = "", *, hours: float | None = None) -> Freeze:
    until = clock.now() + timedelta(hours=hours) if hours is not None else None
    with database.transaction() as session:
        row, _ = freezes.engage(session, Wanted(scope, scope_id, "look first", until), why=WHY)
    return row


def lift(freeze_id: str) -> None:
    with database.transaction() as session:
        row = freezes.lock(session, freeze_id)
        freezes.end(session, row, to=State.LIFTED, why=WHY, lifted_by=["usr_1", "usr_2"])


def house() -> str:
    with database.reading() as session:
        return people.house_merchant(session).id


def act(
    *, rail: str | None = "card", merchant: str | None = None, order: str | None = None
) -> Content:
    return Content(
        Act.REFUND, "refund", "ref_1", "Refund", rail=rail, merchant_id=merchant, order_id=order
    )


def passes(content: Content) -> bool:
    try:
        with database.transaction() as session:
            freezes.assert_open(session, content)
    except Frozen:
        return False
    return True


def told(kind: str) -> list[EventLog]:
    with database.reading() as session:
        return list(
            session.scalars(select(EventLog).where(EventLog.type == kind).order_by(EventLog.id))
        )


def test_each_scope_holds_what_is_in_it_and_nothing_else(world: World) -> None:
    order, other = world.order(), world.order()
    inside = act(merchant=house(), order=order.id)
    for scope, scope_id, outside in (
        ("rail", "card", act(rail="bank", merchant=house(), order=order.id)),
        ("merchant", house(), act(merchant="mer_other", order=order.id)),
        ("order", order.id, act(merchant=house(), order=other.id)),
    ):
        row = engage(scope, scope_id)
        assert not passes(inside), scope
        assert passes(outside), scope
        lift(row.id)
        assert passes(inside), scope
    engage()
    assert not passes(act(rail=None))


def test_what_holds_is_named_in_the_refusal(world: World) -> None:
    row = engage("merchant", house(), hours=2)
    with pytest.raises(Frozen) as refused, database.transaction() as session:
        freezes.assert_open(session, act(merchant=house()))
    assert refused.value.details == {
        "freezeId": row.id,
        "scope": "merchant",
        "scopeId": house(),
        "reason": "look first",
        "until": clock.rfc3339(row.until),
    }


@pytest.mark.parametrize(
    ("scope", "scope_id", "error"),
    [
        ("cosmos", "", InvalidInput),
        ("all", "card", InvalidInput),
        ("rail", "", InvalidInput),
        ("rail", "pigeon", InvalidInput),
        ("merchant", "mer_nobody", NotFound),
        ("order", "ord_nothing", NotFound),
    ],
)
def test_only_what_there_is_can_be_held(
    world: World, scope: str, scope_id: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        engage(scope, scope_id)
    with pytest.raises(InvalidInput):
        engage(hours=-1)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Freeze)) == 0


def test_a_scope_is_held_once(world: World) -> None:
    first = engage("rail", "card")
    assert engage("rail", "card").id == first.id
    assert len(told("freeze.engaged")) == 1
    lift(first.id)
    assert engage("rail", "card").id != first.id


def test_a_second_call_makes_it_last_longer_and_never_shorter(world: World) -> None:
    first = engage(hours=2)
    assert engage(hours=1).until == first.until
    longer = engage(hours=4)
    assert longer.id == first.id
    assert longer.until is not None
    assert first.until is not None
    assert longer.until > first.until
    assert engage().until is None
    assert engage(hours=1).until is None
    with database.reading() as session:
        actions = session.scalars(select(AuditRow.action).where(AuditRow.object_id == first.id))
        assert sorted(actions) == ["freeze.engage", "freeze.prolong", "freeze.prolong"]
    assert [row.body["until"] is None for row in told("freeze.engaged")] == [False, False, True]


def test_its_time_ends_it_at_once_and_the_worker_puts_it_away(world: World) -> None:
    row = engage(hours=1)
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert passes(act())
        with database.reading() as session:
            stored = session.get_one(Freeze, row.id)
            assert stored.state == "active"
            assert freeze_queries.state_of(stored) == State.EXPIRED
        assert overdue.end_overdue()
        assert not overdue.end_overdue()
        with database.reading() as session:
            assert session.get_one(Freeze, row.id).state == "expired"
        assert [event.status for event in told("freeze.lifted")] == ["expired"]


def test_a_new_one_takes_the_place_of_one_whose_time_has_passed(world: World) -> None:
    row = engage(hours=1)
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        again = engage(hours=1)
        assert again.id != row.id
        assert not passes(act())


def test_whoever_is_held_is_told(world: World) -> None:
    order = world.order()
    engage("order", order.id)
    engage("merchant", house())
    engage()
    of_order, of_merchant, of_all = told("freeze.engaged")
    assert (of_order.audience, of_order.order_id) == ("parties", order.id)
    assert (of_order.buyer_id, of_order.merchant_id) == ("usr_bo", house())
    assert (of_merchant.audience, of_merchant.merchant_id) == ("parties", house())
    assert (of_all.audience, of_all.merchant_id) == ("held", None)


def test_whoever_is_held_sees_only_that(world: World) -> None:
    order = world.order()
    engage()
    engage("merchant", house())
    engage("order", order.id)
    lift(engage("rail", "card").id)
    merchant = actor("usr_m", Role.MERCHANT, merchant_id=house())
    stranger = actor("usr_s", Role.MERCHANT, merchant_id="mer_other")
    seller = actor("usr_eve", Role.SELLER)

    def seen(who: Actor) -> list[str]:
        with database.reading() as session:
            rows, _ = freeze_queries.list_freezes(
                session, freeze_queries.FreezeFilter(), actor=who, page=Page()
            )
        return sorted(row.scope for row in rows)

    assert seen(world.fin) == ["all", "merchant", "order", "rail"]
    assert seen(merchant) == ["all", "merchant", "order"]
    assert seen(stranger) == seen(seller) == ["all"]


def test_pages_hold_each_freeze_once(world: World) -> None:
    made = [engage("order", world.order().id).id for _ in range(5)]
    found: list[str] = []
    before = None
    while True:
        with database.reading() as session:
            wanted = freeze_queries.FreezeFilter(state=["active"], scope=["order"])
            page = Page(2, before)
            rows, before = freeze_queries.list_freezes(session, wanted, actor=world.fin, page=page)
        found += [row.id for row in rows]
        if before is None:
            break
    assert found == made[::-1]


def test_a_freeze_waits_for_whoever_has_passed_and_lets_nobody_pass_after(world: World) -> None:
    inside, done, returned = threading.Event(), threading.Event(), threading.Event()
    order: list[str] = []

    def step() -> None:
        with database.transaction() as session:
            freezes.assert_open(session, act())
            inside.set()
            # The freeze must not return while this act can still commit.
            assert not returned.wait(0.4)
            order.append("the act commits")
        done.set()

    def freeze() -> None:
        assert inside.wait(10)
        engage()
        order.append("the freeze returns")
        returned.set()

    threads = [threading.Thread(target=step), threading.Thread(target=freeze)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert done.is_set()
    assert order == ["the act commits", "the freeze returns"]
    assert not passes(act())


def test_no_act_of_sixteen_threads_commits_after_the_freeze_returned(
    world: World, database_url: str
) -> None:
    roomy = sqlalchemy.create_engine(database_url, pool_size=20)
    database.bind(roomy)
    try:
        _sixteen_against_one()
    finally:
        roomy.dispose()


def _sixteen_against_one() -> None:
    stop, returned = threading.Event(), threading.Event()
    late: list[str] = []
    passed = threading.Semaphore(0)

    def work() -> None:
        while not stop.is_set():
            try:
                with database.transaction() as session:
                    was_returned = returned.is_set()
                    freezes.assert_open(session, act())
                    if was_returned or returned.is_set():
                        late.append("passed after the freeze returned")
            except Frozen:
                if returned.is_set():
                    return
            else:
                passed.release()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for _ in range(32):
        assert passed.acquire(timeout=30)
    engage()
    returned.set()
    for thread in threads:
        thread.join(timeout=30)
    stop.set()
    assert not any(thread.is_alive() for thread in threads)
    assert late == []


def test_of_many_who_engage_at_once_one_does(world: World) -> None:
    barrier, made = threading.Barrier(8), list[str]()

    def run() -> None:
        barrier.wait(timeout=30)
        made.append(engage("rail", "card", hours=1).id)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(made) == 8
    assert len(set(made)) == 1


def test_engaging_and_lifting_at_once_end_in_one_truth(world: World) -> None:
    """Somebody who engages while it is being lifted holds a freeze that is active, never one that ended."""
    for _ in range(6):
        row = engage()
        barrier = threading.Barrier(2)
        got: list[Freeze] = []

        def again(barrier: threading.Barrier = barrier, got: list[Freeze] = got) -> None:
            barrier.wait(timeout=30)
            got.append(engage())

        thread = threading.Thread(target=again)
        thread.start()
        barrier.wait(timeout=30)
        lift(row.id)
        thread.join(timeout=30)
        assert len(got) == 1
        if got[0].id != row.id:
            assert not passes(act())
            lift(got[0].id)
        assert passes(act())

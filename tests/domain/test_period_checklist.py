"""The checklist says what is so: each item is red for a reason, worked off or carried forward, and never ticked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from core import clock, ids
from core.errors import Conflict, Forbidden, IllegalTransition, InvalidInput
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.books import accounts, chains, ledger
from domain.control import approvals
from domain.jobs import effects, overdue
from domain.periods import checklist, closing, months
from domain.periods.checklist import BY_NAME, Carry, Line
from models.cases import ExceptionCase
from models.effects import Effect
from models.inbound import InboundEvent
from models.invoices import NumberSeries
from models.operations import Operation
from models.payments import Payment
from models.people import Merchant
from models.reconciliation import ReconciliationRun
from models.watch import Invariant
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.cast import person
from tests.domain.closing_months import (
    NOVEMBER,
    OCTOBER,
    agreed,
    asked,
    at,
    posted,
    prepared,
    readied,
)
from tests.domain.past import case
from tests.domain.world import World


def found(*carried: Carry, month: str = OCTOBER) -> dict[str, Line]:
    with database.reading() as session:
        lines = checklist.compute(session, months.span_of(month), carried)
    return {line.item.name: line for line in lines}


def red(*carried: Carry, month: str = OCTOBER) -> list[str]:
    return [name for name, line in found(*carried, month=month).items() if not line.ok]


def change(model: type, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(model).values(values))


def settled(case_id: str) -> None:
    with database.transaction() as session:
        row = session.get_one(ExceptionCase, case_id)
        row.state, row.resolved_at = "resolved", clock.now()


def test_a_month_that_nobody_has_looked_after_says_what_is_missing(world: World) -> None:
    with at("2026-10-05"):
        posted()
        assert {"month_over", "provider_balances", "chains", "invariants"} == set(red())
    with at("2026-11-02"):
        assert {"provider_balances", "chains", "invariants"} == set(red())
        assert set(red(month=NOVEMBER)) >= {"month_over", "months_before"}
        assert "never compared" in found()["provider_balances"].problems.note
        readied(OCTOBER)
        assert red() == []


def test_what_was_looked_at_long_ago_or_in_part_is_not_enough(world: World) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02T00:00"):
        readied(OCTOBER)
        assert red() == []
    with at("2026-11-02T02:00"):
        assert red() == ["invariants"]
    with at("2026-11-03T01:00"):
        assert set(red()) == {"invariants", "chains"}
        time.watched("red")
        assert "test" in found()["invariants"].problems.note
        time.prepared()
        assert red() == []
        until = months.span_of(OCTOBER).ends - timedelta(seconds=1)
        change(ReconciliationRun, window_to=until)
        assert red() == ["provider_balances"]
        change(ReconciliationRun, window_to=until + timedelta(seconds=1), livemode=True)
        assert red() == ["provider_balances"]
        assert red(Carry("the provider was away", item="provider_balances")) == []


def test_a_broken_chain_or_sum_cannot_be_carried_forward(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        time.watched("red")
        for name in ("invariants", "chains", "trial_balance", "months_before", "cases"):
            assert not BY_NAME[name].may_carry
            with pytest.raises(InvalidInput):
                asked(OCTOBER, staff.fin, carried=[Carry("never mind", item=name)])
        with pytest.raises(Conflict) as refused:
            asked(OCTOBER, staff.fin)
        assert refused.value.code == "CHECKLIST_RED"
        assert refused.value.details == {"items": ["invariants"]}


def test_each_open_case_of_the_month_is_settled_or_has_a_reason(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted()
        first, second = case(), case()
        harmless = case(kind="DUPLICATE_CONFLICT", risk_minor=None, asset=None)
    with at("2026-11-02"):
        later = case(at=clock.now())
        prepared(OCTOBER)
        line = found()["cases"]
        assert (line.ok, line.problems.count) == (False, 2)
        assert line.problems.case_ids == {first, second}
        with pytest.raises(Conflict):
            asked(OCTOBER, staff.fin, carried=[Carry("with the bank", case_id=first)])
        for stranger in (later, harmless, "exc_none"):
            with pytest.raises(InvalidInput):
                asked(OCTOBER, staff.fin, carried=[Carry("with the bank", case_id=stranger)])
        with pytest.raises(InvalidInput):
            asked(OCTOBER, staff.fin, carried=[Carry("with the bank", case_id=first)] * 2)
        settled(second)
        row = asked(OCTOBER, staff.fin, carried=[Carry("with the bank", case_id=first)])
        assert agreed(row, staff.flo).said is None
        with database.reading() as session:
            kept = session.get_one(ExceptionCase, first)
            assert kept.state == "carried_forward"
            assert session.get_one(ExceptionCase, later).state == "open"
        assert time.newest(OCTOBER).carried_forward == [
            {"caseId": first, "reason": "with the bank"}
        ]
    with at("2026-12-02"):
        # What was carried once is not forgotten: the next month asks again.
        assert found(month=NOVEMBER)["cases"].problems.case_ids == {first, later}


def test_work_that_is_not_done_keeps_the_month_open(world: World) -> None:
    with at("2026-10-05"):
        payment = world.payment()
        done = world.payment()
        received = world.deliver(world.paid(done))
        assert set(red()) == {"month_over", "chains", "inbound_events", "invariants"}
        world.deliver_and_apply(world.paid(world.payment()))
    with at("2026-11-02"):
        prepared(OCTOBER)
        while effects.retry_next():
            pass
        assert red() == ["open_attempts"]
        assert red(Carry("the buyers are being asked", item="open_attempts")) == []
        change(Payment, expires_at=None, created_at=clock.now())
        assert red() == []
        change(Payment, created_at=clock.now() - timedelta(days=3), expires_at=clock.after(60))
        assert red() == []
        change(Payment, status="processing", created_at=clock.now() - timedelta(days=3))
        assert red() == ["open_attempts"]
        change(Payment, status="cancelled")
        change(InboundEvent, state="dead")
        assert found()["inbound_events"].problems.count == 2
        case_id = case(kind="DEAD_LETTER", inbound_id=received.inbound_id, at=clock.now())
        assert found()["inbound_events"].problems.case_ids == {case_id}
        change(InboundEvent, state="processed")
        change(Operation, state="unknown", due_at=clock.now())
        assert red() == ["unknown_operations"]
        change(Operation, state="succeeded", due_at=None)
        with database.transaction() as session:
            now = clock.now()
            session.add(
                Effect(
                    id=ids.new("eff"),
                    payment_id=payment.id,
                    kind="wallet_credit",
                    effect_key="x",
                    state="failed",
                    source="test",
                    due_at=now,
                    created_at=now - timedelta(days=5),
                    updated_at=now,
                )
            )
        assert red() == ["effects"]
        with database.transaction() as session:
            session.execute(delete(Effect))
        assert red() == []


def test_what_waits_in_suspense_is_cleared_or_carried_with_its_case(world: World) -> None:
    with at("2026-10-05"):
        payment = world.payment()
        change(Payment, status="cancelled")
    with at("2026-11-02"):
        prepared()
    mark = ledger.Movement(
        accounts.suspense("stripe"), accounts.unapplied(payment.id), time.euros(700)
    )
    with at("2026-10-05"):
        marked("marked_top_up", mark, payment)
    with at("2026-11-02"):
        assert red() == ["suspense"]
        assert red(Carry("told by phone", item="suspense")) == []
        case_id = case(kind="MARKED", payment_id=payment.id, at=clock.now())
        assert red() == ["cases", "suspense"]
        assert red(Carry("told by phone", case_id=case_id)) == []
        cleared = ledger.Movement(accounts.clearing("stripe"), mark.debit, mark.amount)
        marked("mark_confirmed", cleared, payment)
        assert red() == ["cases"]


def marked(kind: str, movement: ledger.Movement, payment: Payment) -> None:
    ties = ledger.Ties(payment_id=payment.id, provider_reference="BANK-1")
    with database.transaction() as session:
        ledger.post(session, kind, movements=[movement], source_key=kind, source="test", ties=ties)
    chains.link_all(everything=True)


def test_a_gap_in_the_numbers_is_found(world: World) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        with database.transaction() as session:
            house = session.query(Merchant).filter_by(is_house=True).one()
            session.add(
                NumberSeries(
                    merchant_id=house.id, kind="invoice", year=2026, livemode=False, last=2
                )
            )
        assert red() == ["invoice_numbers"]
        assert found()["invoice_numbers"].problems.count == 2


def test_a_request_stands_while_an_item_is_red_and_is_void_once_something_else_is_left_open(
    world: World, staff: Staff
) -> None:
    with at("2026-10-05"):
        posted()
        first, second = case(), case()
    with at("2026-11-02"):
        prepared(OCTOBER)
        both = [Carry("with the bank", case_id=first), Carry("too", case_id=second)]
        row = asked(OCTOBER, staff.fin, carried=both)
        assert time.state(OCTOBER) == "closing"
        time.watched("red")
        with pytest.raises(Conflict) as refused:
            agreed(row, staff.flo)
        assert refused.value.code == "CHECKLIST_RED"
        overdue.end_overdue()
        assert time.state(OCTOBER) == "closing"
        time.watched()
        settled(second)
        decision = agreed(row, staff.flo)
        assert decision.row.state == "cancelled"
        assert time.state(OCTOBER) == "open"
        row = asked(OCTOBER, staff.flo, carried=both[:1])
        assert agreed(row, staff.ada).row.state == "executed"
        with pytest.raises(IllegalTransition):
            asked(OCTOBER, staff.fin)


def test_who_takes_back_refuses_or_lets_a_day_pass_leaves_the_month_open(
    world: World, staff: Staff
) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        row = asked(OCTOBER, staff.fin)
        with pytest.raises(Conflict):
            asked(OCTOBER, staff.flo)
        with database.transaction() as session:
            approvals.cancel(session, row.id, actor=staff.fin, reason="too early")
        assert time.state(OCTOBER) == "open"
        row = asked(OCTOBER, staff.fin)
        with database.transaction() as session:
            approvals.refuse(session, row.id, actor=time.fresh(staff.flo), reason="look again")
        assert time.state(OCTOBER) == "open"
        asked(OCTOBER, staff.fin)
    with at("2026-11-03T01:00"):
        prepared()
        # The one that has run out makes room by itself.
        asked(OCTOBER, staff.flo)
        assert time.state(OCTOBER) == "closing"
    with at("2026-11-05"):
        overdue.end_overdue()
        assert time.state(OCTOBER) == "open"


def test_only_finance_asks_and_proves_it(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        for stranger in (staff.ada, *(person(role.value, role) for role in _OTHERS)):
            with pytest.raises(Forbidden):
                asked(OCTOBER, stranger)
        stale: Actor = staff.fin
        with pytest.raises(Forbidden) as refused, database.transaction() as session:
            closing.ask(session, OCTOBER, [], actor=stale, source="test", note="all is in")
        assert refused.value.code == "STEP_UP_REQUIRED"


_OTHERS = (Role.SUPPORT, Role.ENGINEER, Role.AUDITOR)


def test_the_monitor_that_never_looked_is_not_green(world: World) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        with database.transaction() as session:
            session.execute(delete(Invariant))
        assert red() == ["invariants"]

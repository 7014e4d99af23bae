"""An act that takes two is done once, exactly as it was asked for, or not at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event, Thread

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Frozen,
    IllegalTransition,
)
from core.money_out import RULES, Act
from core.strictjson import Json
from domain import database, transitions
from domain.actors import Actor
from domain.books import verification
from domain.control import acts, approvals, freezes
from domain.control.warrants import Warrant
from domain.jobs import overdue
from domain.payments import marking
from domain.refunds import refunds
from domain.transitions import Why
from models.audit import AuditRow
from models.control import Approval
from models.events import EventLog
from models.ledger import JournalEntry
from tests.domain.asking import Staff, agree, asked, count, read
from tests.domain.world import World

RACERS = 32


def expire_now(row: Approval, monkeypatch: pytest.MonkeyPatch) -> None:
    later = row.expires_at + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)


def test_what_a_second_person_agrees_to_is_carried_out_at_once(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    assert (row.state, row.requested_by, row.requested_fresh) == ("pending", staff.fin.id, True)
    assert world.read(payment).status == "pending"
    decision = agree(row, staff.flo)
    assert (decision.row.state, decision.said) == ("executed", None)
    assert world.read(payment).status == "completed"
    kept = read(row)
    assert (kept.decided_by, kept.open_key) == (staff.flo.id, None)
    assert kept.result["paymentId"] == payment.id
    with database.reading() as session:
        of_it = AuditRow.source.in_(("test", f"approval:{row.id}"))
        said = Counter(session.scalars(select(AuditRow.action).where(of_it)))
    assert said["approval.request"] == said["approval.approve"] == said["payment.settle"] == 1
    assert verification.verify().ok


def test_of_many_parallel_approvals_by_two_people_exactly_one_executes(
    world: World, staff: Staff
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    together, ended = Barrier(RACERS), Counter[str]()

    def press(actor: Actor) -> None:
        together.wait()
        try:
            ended[agree(row, actor).row.state] += 1
        except AppError as error:
            ended[error.code] += 1

    racers = [Thread(target=press, args=((staff.flo, staff.ada)[n % 2],)) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert ended == {"executed": 1, "INVALID_TRANSITION": RACERS - 1}
    assert count(JournalEntry) == 1
    assert count(EventLog, EventLog.type == "approval.approved") == 1
    assert world.read(payment).received_minor == payment.amount_minor
    assert verification.verify().ok


def test_of_many_who_ask_for_the_same_at_once_one_request_waits(world: World, staff: Staff) -> None:
    payment = world.payment()
    together, ended = Barrier(8), Counter[str]()

    def ask(actor: Actor) -> None:
        together.wait()
        try:
            asked(payment, actor)
            ended["asked"] += 1
        except Conflict as error:
            ended[f"{error.code} {error.details['link'][:11]}"] += 1  # type: ignore[index]

    racers = [Thread(target=ask, args=((staff.fin, staff.flo)[n % 2],)) for n in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert ended == {"asked": 1, "CONFLICT /approvals/": 7}
    assert count(Approval) == 1


def test_asking_again_while_somebody_agrees_waits_for_nobody(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    holds, agrees, ended = Event(), Event(), Counter[str]()
    move = transitions.move_together

    def moving(*args: object, **more: object) -> object:
        agrees.set()
        return move(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(approvals, "move_together", moving)

    def ask_again() -> None:
        wanted = marking.Wanted("completed", "BANK-2")
        try:
            with database.transaction() as session:
                refunds.lock_payment(session, payment.id)
                holds.set()
                # On SQLite nobody agrees as long as this one writes.
                agrees.wait(1)
                marking.ask(
                    session, payment.id, wanted, actor=staff.ada, source="test", note="seen too"
                )
        except AppError as error:
            ended[error.code] += 1

    def press() -> None:
        holds.wait()
        ended[agree(row, staff.flo).row.state] += 1

    racers = [Thread(target=ask_again), Thread(target=press)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert ended == {"CONFLICT": 1, "executed": 1}


def test_what_changed_meanwhile_is_void_and_nothing_is_done(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    decision = agree(row, staff.flo)
    assert decision.row.state == "cancelled"
    assert decision.said is not None and "has changed" in decision.said
    assert (world.read(payment).status, count(JournalEntry)) == ("processing", 0)


def test_what_was_not_shown_is_not_agreed_to(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    with pytest.raises(Conflict, match="not what you were shown"):
        agree(row, staff.flo, content_hash="0" * 64)
    assert read(row).state == "pending"
    assert world.read(payment).status == "pending"


def test_nobody_agrees_after_a_day(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    expire_now(row, monkeypatch)
    flo = replace(staff.flo, stepped_up_at=clock.now())
    with database.reading() as session:
        said = approvals.why_not(session, read(row), actor=flo)
    assert said is not None and "expired" in said
    decision = agree(row, flo)
    assert (decision.row.state, world.read(payment).status) == ("expired", "pending")


def test_what_ran_out_makes_room_for_a_new_request(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    old = asked(payment, staff.fin)
    expire_now(old, monkeypatch)
    new = asked(payment, replace(staff.fin, stepped_up_at=clock.now()))
    assert (read(old).state, read(new).state) == ("expired", "pending")


def test_the_worker_ends_what_ran_out_and_what_no_longer_stands(world: World, staff: Staff) -> None:
    changed, standing = world.payment(), world.payment()
    void, kept = asked(changed, staff.fin), asked(standing, staff.fin, "BANK-2")
    world.deliver_and_apply(world.paid(changed))
    assert overdue.end_overdue() is True
    assert (read(void).state, read(kept).state) == ("cancelled", "pending")
    assert overdue.end_overdue() is False


def test_a_freeze_at_the_moment_of_approval_holds_what_it_holds(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    rule = RULES[Act.MARK_PAYMENT]
    held = {**RULES, Act.MARK_PAYMENT: replace(rule, is_held_by_freeze=True)}
    monkeypatch.setattr(approvals, "RULES", held)
    with database.transaction() as session:
        wanted = freezes.Wanted("order", payment.order_id or "", "under dispute")
        freezes.engage(session, wanted, why=Why(staff.ada, "test"))
    with pytest.raises(Frozen):
        agree(row, staff.flo)
    assert (read(row).state, world.read(payment).status) == ("pending", "pending")


def test_an_approval_cannot_be_replayed(world: World, staff: Staff) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    agree(row, staff.flo)
    for actor in (staff.flo, staff.ada):
        with pytest.raises(IllegalTransition):
            agree(row, actor)
    assert count(JournalEntry) == 1


def test_a_refusal_ends_it_and_only_the_asker_takes_it_back(world: World, staff: Staff) -> None:
    refused, returned = world.payment(), world.payment()
    no, back = asked(refused, staff.fin), asked(returned, staff.fin, "BANK-2")
    with database.transaction() as session:
        approvals.refuse(session, no.id, actor=staff.flo, reason="not at the bank")
    assert (read(no).state, read(no).decided_by) == ("refused", staff.flo.id)
    with database.transaction() as session, pytest.raises(Forbidden):
        approvals.cancel(session, back.id, actor=staff.flo, reason="no")
    with database.transaction() as session:
        approvals.cancel(session, back.id, actor=staff.fin, reason="a mistake")
    assert read(back).state == "cancelled"
    for row in (no, back):
        with pytest.raises(IllegalTransition):
            agree(row, staff.ada)
    assert count(JournalEntry) == 0
    assert asked(refused, staff.fin, "BANK-3").state == "pending"


def test_an_act_that_fails_leaves_the_request_waiting(
    world: World, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    row = asked(payment, staff.fin)
    real = acts.kind(Act.MARK_PAYMENT)

    def breaks(session: Session, warrant: Warrant) -> dict[str, Json]:
        real.carry_out(session, warrant)
        raise Conflict("too late")

    monkeypatch.setattr(acts, "kind", lambda _: replace(real, carry_out=breaks))
    with pytest.raises(Conflict):
        agree(row, staff.flo)
    assert (read(row).state, read(row).decided_by) == ("pending", None)
    assert (world.read(payment).status, count(JournalEntry)) == ("pending", 0)

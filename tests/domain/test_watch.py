"""A rule of the books that breaks freezes its place and opens a case at once; nobody lifts it before it holds again."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import Engine, func, select

from core import clock
from core.errors import Conflict, Frozen
from core.money_out import Act
from core.states import Freeze as State
from domain import database
from domain.actors import Actor
from domain.control import approvals, freezes, lifting
from domain.control.freezes import Wanted
from domain.control.warrants import Content
from domain.jobs import watching
from domain.transitions import Why
from domain.watch import invariants, turns, watch_queries
from domain.watch.rules import RULES
from models.audit import AuditRow
from models.cases import ExceptionCase
from models.control import Freeze
from models.events import EventLog
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.watch import Invariant
from tests.domain import asking, refunding, wallets
from tests.domain.tampering import change
from tests.domain.world import World

AMOUNT = "update postings set amount_minor = amount_minor + :by where entry_id = :id and line = 2"


def watch() -> None:
    """Let the monitor look at everything, as a worker does whose turn it is."""
    with database.transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()


def entry_of(payment: Payment) -> str:
    with database.reading() as session:
        own = JournalEntry.payment_id == payment.id
        return session.scalars(select(JournalEntry.id).where(own)).one()


def rule(name: str) -> Invariant:
    with database.reading() as session:
        return session.get_one(Invariant, name)


def red() -> set[str]:
    with database.reading() as session:
        return {row.name for row in session.scalars(select(Invariant)) if row.state == "red"}


def active() -> list[Freeze]:
    with database.reading() as session:
        on = Freeze.state == State.ACTIVE.value
        return list(session.scalars(select(Freeze).where(on).order_by(Freeze.engaged_at)))


def found_cases() -> list[ExceptionCase]:
    with database.reading() as session:
        own = ExceptionCase.kind == invariants.CASE
        return list(session.scalars(select(ExceptionCase).where(own).order_by("opened_at")))


def told(kind: str) -> list[EventLog]:
    with database.reading() as session:
        return list(session.scalars(select(EventLog).where(EventLog.type == kind)))


def passes(payment: Payment) -> bool:
    act = Content(
        Act.REFUND,
        "refund",
        "ref_1",
        "Refund",
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=payment.order_id,
    )
    try:
        with database.transaction() as session:
            freezes.assert_open(session, act)
    except Frozen:
        return False
    return True


def ask_to_lift(row: Freeze, who: Actor) -> None:
    with database.transaction() as session:
        lifting.ask(session, row.id, actor=who, source="test", reason="all is well")


def test_all_rules_hold_of_books_that_were_kept(world: World, fin: Actor) -> None:
    for _ in range(2):
        world.deliver_and_apply(world.paid(world.payment()))
    payment = refunding.paid(world, 5_000)
    refunding.ask(payment, 1_000, fin)
    refunding.send_all()
    world.payment()
    wallets.paid_in(world)
    watch()
    with database.reading() as session:
        standing = watch_queries.list_standing(session)
        assert invariants.broken(session) == []
    assert [each.row.state for each in standing if each.row] == ["green"] * len(RULES)
    assert (active(), found_cases()) == ([], [])


def test_a_broken_rule_freezes_its_order_opens_a_case_and_tells_staff(
    world: World, engine: Engine
) -> None:
    payment, other = refunding.paid(world), refunding.paid(world)
    entry_id = entry_of(payment)
    change(engine, AMOUNT, id=entry_id, by=500)
    watch()
    assert "entries_balance" in red()
    assert not passes(payment)
    row = rule("entries_balance")
    assert [each["id"] for each in row.offending] == [entry_id]  # type: ignore[call-overload, index]
    assert row.scopes == [{"scope": "order", "scopeId": payment.order_id}]
    scopes = {(each.scope, each.scope_id) for each in active()}
    # The currency as a whole is out as well, and that is nobody's alone.
    assert scopes == {("order", payment.order_id), ("all", "")}
    assert {each.cause for each in active()} == {"invariant"}
    assert not passes(other)
    cases = {each.subject_key.split(":")[1]: each for each in found_cases()}
    assert entry_id in cases["entries_balance"].sentence
    assert cases["entries_balance"].team == "engineering"
    [event] = [each for each in told("invariant.red") if each.object_id == "entries_balance"]
    assert (event.audience, event.body["scopeId"]) == ("staff", payment.order_id)
    with database.reading() as session:
        written = select(AuditRow).where(AuditRow.action == "invariant.red")
        assert "entries_balance" in {each.object_id for each in session.scalars(written)}


def test_a_rule_about_one_order_holds_that_order_only(world: World, engine: Engine) -> None:
    payment, other = refunding.paid(world), refunding.paid(world)
    more = "update orders set paid_minor = paid_minor + 100 where id = :id"
    change(engine, more, id=payment.order_id)
    watch()
    assert red() == {"orders_paid"}
    assert (passes(payment), passes(other)) == (False, True)


TAMPERED = {
    "payments_settled_once": "update payments set received_minor = received_minor + 1 where id = :id",
    "refunds_within_received": "update payments set refunded_minor = refunded_minor + 1 where id = :id",
    "kept_balances": "update account_balances set balance_minor = balance_minor + 7"
    " where address = 'order:' || (select order_id from payments where id = :id) || '\\:escrow_hold'",
    "accounts_charted": "update ledger_accounts set kind = 'income'"
    " where address = 'order:' || (select order_id from payments where id = :id) || '\\:escrow_hold'",
    "holds_not_overdrawn": "update postings set amount_minor = 900000 where line = 4 and entry_id ="
    " (select id from journal_entries where payment_id = :id)",
    "journal_as_chained": "update journal_entries set content_hash = 'x' where payment_id = :id",
    "orders_paid": "update orders set paid_minor = 1"
    " where id = (select order_id from payments where id = :id)",
}


def test_each_rule_finds_the_row_it_is_about(world: World, engine: Engine) -> None:
    from domain.books import chains

    missed = []
    for name, statement in TAMPERED.items():
        payment = refunding.paid(world)
        chains.link_all()
        change(engine, statement, id=payment.id)
        with database.reading() as session:
            found = invariants.ask(session, RULES[name]).offences
            sees = {each.rule.name for each in invariants.broken(session)}
        # What was changed before is still there.
        own = {payment.id, payment.order_id, entry_of(payment)}
        own.add(f"order:{payment.order_id}:escrow_hold")
        if name not in sees or not own & {each.id for each in found}:
            missed.append((name, found))
    assert missed == []


def test_two_payments_of_one_reference_and_a_success_without_a_booking_are_found(
    world: World, engine: Engine
) -> None:
    first, second, unpaid = refunding.paid(world), world.payment(), world.payment()
    same = "update payments set provider_reference = :name where id = :id"
    change(engine, same, id=second.id, name=first.provider_reference)
    change(engine, "update payments set status = 'completed' where id = :id", id=unpaid.id)
    watch()
    assert red() == {"references_used_once", "payments_settled_once"}
    assert rule("payments_settled_once").scopes == [{"scope": "order", "scopeId": unpaid.order_id}]
    names = {str(each["id"]) for each in rule("references_used_once").offending}  # type: ignore[call-overload, index]
    assert names == {first.id, second.id}


def test_a_wallet_that_holds_more_than_it_was_credited_is_found(
    world: World, engine: Engine
) -> None:
    payment = wallets.paid_in(world)
    credit = "update effects set amount_minor = 1 where payment_id = :id and kind = 'wallet_credit'"
    change(engine, credit, id=payment.id)
    watch()
    assert red() == {"wallet_credits", "wallet_balances"}
    assert rule("wallet_balances").scopes == [{"scope": "merchant", "scopeId": payment.merchant_id}]


def test_money_that_went_out_without_its_second_person_is_found(
    world: World, engine: Engine, fin: Actor, flo: Actor
) -> None:
    payment = refunding.paid(world, 100_000)
    refund = refunding.ask(payment, 60_000, fin)
    refunding.agree(refund, flo)
    refunding.send_all()
    watch()
    assert red() == set()
    change(engine, "update approvals set amount_minor = 100 where id = :id", id=refund.approval_id)
    watch()
    assert red() == {"refunds_agreed"}


def test_lifting_is_refused_while_red_and_takes_two_once_it_is_green(
    world: World, engine: Engine, staff: asking.Staff
) -> None:
    payment = refunding.paid(world)
    more = "update orders set paid_minor = paid_minor + :by where id = :id"
    change(engine, more, id=payment.order_id, by=100)
    watch()
    [row] = active()
    with pytest.raises(Conflict, match="broken") as refused:
        ask_to_lift(row, staff.fin)
    assert refused.value.code == "INVARIANT_RED"
    # Mended, and the monitor has not looked again: the rule itself is asked.
    change(engine, more, id=payment.order_id, by=-100)
    ask_to_lift(row, staff.fin)
    assert not passes(payment)
    with database.reading() as session:
        waiting = approvals.find_open(session, Act.FREEZE_LIFT, row.id)
    assert waiting is not None
    # Broken again before the second person agrees: it stays.
    change(engine, more, id=payment.order_id, by=100)
    with pytest.raises(Conflict) as still:
        asking.agree(waiting, staff.flo)
    assert still.value.code == "INVARIANT_RED"
    change(engine, more, id=payment.order_id, by=-100)
    watch()
    assert (red(), len(active())) == (set(), 1)
    assert len(told("invariant.green")) == 1
    asking.agree(waiting, staff.flo)
    assert passes(payment)


def test_a_person_s_freeze_is_made_the_rule_s_and_no_time_ends_it(
    world: World, engine: Engine, staff: asking.Staff
) -> None:
    payment = refunding.paid(world)
    until = clock.after(3600)
    wanted = Wanted("order", str(payment.order_id), "look first", until)
    with database.transaction() as session:
        by_hand, _ = freezes.engage(session, wanted, why=Why(staff.fin, "test"))
    ask_to_lift(by_hand, staff.fin)
    with database.reading() as session:
        waiting = approvals.find_open(session, Act.FREEZE_LIFT, by_hand.id)
    assert waiting is not None
    change(engine, "update orders set paid_minor = 1 where id = :id", id=payment.order_id)
    watch()
    [row] = active()
    assert (row.id, row.cause, row.until) == (by_hand.id, "invariant", None)
    assert "look first" in row.reason
    assert row.id in rule("orders_paid").freeze_ids
    # What was asked for was another freeze's lift.
    asking.agree(waiting, staff.flo)
    assert asking.read(waiting).state == "cancelled"
    with pytest.raises(Conflict) as refused:
        ask_to_lift(row, staff.fin)
    assert refused.value.code == "INVARIANT_RED"
    with time_machine.travel(until + timedelta(hours=1)):
        assert not passes(payment)


def test_a_rule_that_comes_and_goes_has_one_case_and_one_freeze(
    world: World, engine: Engine
) -> None:
    payment = refunding.paid(world)
    more = "update orders set paid_minor = paid_minor + :by where id = :id"
    for by in (100, -100, 100, -100, 100):
        change(engine, more, id=payment.order_id, by=by)
        watch()
        watch()
    assert (len(active()), len(found_cases())) == (1, 1)
    assert (len(told("invariant.red")), len(told("invariant.green"))) == (3, 2)
    assert len(told("freeze.engaged")) == 1


def test_what_is_new_is_asked_alone_and_never_makes_a_rule_green(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "REST", 10**9)
    monkeypatch.setattr(watching, "LONGEST_GAP_SECONDS", 10**9)
    old = refunding.paid(world)
    with time_machine.travel(clock.after(600)) as travel:
        watch()
        change(engine, AMOUNT, id=entry_of(old), by=5)
        travel.shift(10)
        watching.watch()
        assert red() == set()
        new = refunding.paid(world)
        change(engine, AMOUNT, id=entry_of(new), by=5)
        travel.shift(10)
        watching.watch()
        assert red() == {"entries_balance"}
        change(engine, AMOUNT, id=entry_of(new), by=-5)
        travel.shift(10)
        watching.watch()
        assert red() == {"entries_balance"}
        watch()
    offending = {str(each["id"]) for each in rule("entries_balance").offending}  # type: ignore[call-overload, index]
    assert offending == {entry_of(old)}


def test_more_offending_rows_than_can_be_shown_hold_everything(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domain.watch import money_rules, offences

    for module in (offences, invariants):
        monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(money_rules, "_LIMIT", 3)
    for _ in range(4):
        payment = refunding.paid(world)
        change(engine, "update orders set paid_minor = 1 where id = :id", id=payment.order_id)
    watch()
    assert [(each.scope, each.scope_id) for each in active()] == [("all", "")]
    assert len(rule("orders_paid").offending) == 2
    assert "more than 2" in found_cases()[0].sentence


def test_two_workers_at_once_ask_once_and_settle_once(world: World, engine: Engine) -> None:
    payment = refunding.paid(world)
    change(engine, "update orders set paid_minor = 1 where id = :id", id=payment.order_id)
    with database.transaction() as session:
        turns.ask_for(session, watching.WORK)
    workers = [threading.Thread(target=watching.watch) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (len(active()), len(found_cases()), len(told("invariant.red"))) == (1, 1, 1)


def test_a_clock_that_was_ahead_does_not_stop_the_monitor(world: World, engine: Engine) -> None:
    payment = refunding.paid(world)
    with time_machine.travel(clock.now() + timedelta(days=400)):
        watch()
        with database.reading() as session:
            row = turns.look(session, watching.WORK)
            assert row is not None and row.due_at > clock.now()
    change(engine, "update orders set paid_minor = 1 where id = :id", id=payment.order_id)
    watching.watch()
    assert red() == {"orders_paid"}


def test_a_rule_that_cannot_be_asked_keeps_no_other_from_it(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    payment = refunding.paid(world)
    change(engine, "update orders set paid_minor = 1 where id = :id", id=payment.order_id)
    broken = RULES["currencies_balance"]

    def fail(*_: object) -> None:
        raise OperationalError("select", {}, Exception("gone"))

    object.__setattr__(broken, "find", fail)
    try:
        watch()
    finally:
        from domain.watch import journal_rules

        object.__setattr__(broken, "find", journal_rules._currencies)
    assert red() == {"orders_paid"}
    with database.reading() as session:
        assert session.get(Invariant, "currencies_balance") is None


def test_asking_leaves_everything_as_it_was(world: World) -> None:
    refunding.paid(world)
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(Posting))
    invariants.find()
    invariants.find(since=clock.after(-60))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Posting)) == before

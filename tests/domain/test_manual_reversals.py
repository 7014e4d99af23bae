"""What people posted is reversed once, in the open period, and somebody is reminded until it is."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from core.case_kinds import Verb
from core.errors import AppError, Conflict, NotFound
from core.money import Money
from domain import calendar, database
from domain.books import accounts, book_queries, ledger, reversal_reminders
from domain.cases import case_resolving
from domain.cases.case_verbs import Wanted as Decided
from domain.control import approvals
from domain.jobs import reversals
from domain.transitions import Why
from models.cases import ExceptionCase
from models.events import EventLog
from models.ledger import JournalEntry
from tests.domain import journaling
from tests.domain.asking import Staff
from tests.domain.journaling import OPENING, SUSPENSE, Place, agree, line, posted, wanted
from tests.domain.world import World


@pytest.fixture
def where(world: World) -> Place:
    return journaling.place(world)


@pytest.fixture
def entry_id(where: Place, staff: Staff) -> str:
    return posted(wanted(where), staff.fin, staff.flo)


def proved() -> list[str]:
    return journaling.unproved()


def test_a_reversal_is_the_mirror_of_its_entry_and_both_say_so(
    where: Place, staff: Staff, entry_id: str
) -> None:
    row = journaling.ask_reversal(entry_id, staff.flo)
    assert (row.kind, row.object_id, journaling.balance(SUSPENSE)) == (
        "entry_reversal",
        entry_id,
        500,
    )
    new_id = journaling.entry_of(agree(row, staff.fin))
    assert journaling.movements(new_id) == [(where.funds, SUSPENSE, "5.00")]
    assert journaling.balance(SUSPENSE) == 0
    new, old = journaling.entry(new_id), journaling.entry(entry_id)
    assert (new.kind, new.reverses_id, new.note) == ("reversal", entry_id, "The bank has paid")
    assert (new.order_id, new.invoice_id, new.provider_reference) == (
        old.order_id,
        old.invoice_id,
        old.provider_reference,
    )
    assert new.reversal_due_on is None
    with database.reading() as session:
        assert book_queries.reversals_of(session, [entry_id]) == {entry_id: new_id}
        told = session.scalars(
            select(EventLog.body).where(EventLog.type == "journal.posted").order_by(EventLog.id)
        ).all()
    assert [each["reverses"] for each in told] == [None, entry_id]
    assert proved() == []


def test_a_reversal_is_dated_in_the_open_period_whatever_the_original_says(
    where: Place, staff: Staff
) -> None:
    last_month = calendar.today().replace(day=1) - timedelta(days=1)
    old = posted(wanted(where, effective_on=last_month), staff.fin, staff.flo)
    journaling.close_month(last_month)
    new = journaling.entry(journaling.reversed_by(old, staff.fin, staff.flo))
    assert (new.period, new.late_of) == (f"{calendar.today():%Y-%m}", None)
    assert calendar.day_of(new.effective_at) == calendar.today()
    assert proved() == []


def test_an_entry_is_reversed_once(staff: Staff, entry_id: str) -> None:
    row = journaling.ask_reversal(entry_id, staff.fin)
    with pytest.raises(Conflict) as waits:
        journaling.ask_reversal(entry_id, staff.flo, "me too")
    assert waits.value.details["approvalId"] == row.id
    new_id = journaling.entry_of(agree(row, staff.flo))
    with pytest.raises(Conflict) as again:
        journaling.ask_reversal(entry_id, staff.flo)
    assert again.value.details == {"reversedBy": new_id, "link": f"/journal/{new_id}"}
    with pytest.raises(Conflict, match="A reversal is not reversed"):
        journaling.ask_reversal(new_id, staff.flo)
    with pytest.raises(NotFound):
        journaling.ask_reversal("jrn_none", staff.flo)


def test_of_many_who_reverse_at_once_one_does(staff: Staff, entry_id: str) -> None:
    row, together, ended = journaling.ask_reversal(entry_id, staff.fin), Barrier(12), Counter[str]()

    def press(no: int) -> None:
        together.wait()
        try:
            ended[agree(row, (staff.flo, staff.ada)[no % 2]).row.state] += 1
        except AppError as error:
            ended[error.code] += 1

    _race(press, 12)
    assert ended == {"executed": 1, "INVALID_TRANSITION": 11}
    assert journaling.count("reversal") == 1
    assert proved() == []


def test_the_database_decides_between_two_reversals(staff: Staff, entry_id: str) -> None:
    del staff
    together, done = Barrier(6), []

    def run(no: int) -> None:
        together.wait()
        try:
            with database.transaction() as session:
                ledger.reverse(session, entry_id, source=f"racer:{no}", note="at once")
        except (AppError, DBAPIError):
            return
        done.append(no)

    _race(run, 6)
    assert len(done) == journaling.count("reversal") == 1


def _race(run: object, count: int) -> None:
    racers = [Thread(target=run, args=(no,)) for no in range(count)]  # type: ignore[arg-type]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()


def test_what_follows_from_facts_is_not_reversed_by_hand(where: Place, staff: Staff) -> None:
    with database.reading() as session:
        deposit = session.scalars(select(JournalEntry.id)).one()
    with pytest.raises(Conflict, match="follows from a fact"):
        journaling.ask_reversal(deposit, staff.fin)


def test_a_reversal_takes_nothing_that_is_not_there_any_more(where: Place, staff: Staff) -> None:
    given = posted(wanted(where, line(OPENING, "wallet:usr_bo:balance")), staff.fin, staff.flo)
    row = journaling.ask_reversal(given, staff.fin)
    with database.transaction() as session:
        bo, earned = accounts.wallet("usr_bo"), accounts.revenue(str(where.payment.merchant_id))
        movement = ledger.Movement(bo, earned, Money(400, journaling.EUR))
        ledger.post(
            session,
            "reserve",
            movements=[movement],
            source_key="spent",
            source="test",
            ties=ledger.Ties(),
        )
    with pytest.raises(Conflict) as refused:
        agree(row, staff.flo)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    journaling.credit_wallet("usr_bo", 400)
    agree(row, staff.flo)
    assert journaling.balance("wallet:usr_bo:balance") == 0


def test_a_case_reminds_of_an_entry_on_its_day_once(where: Place, staff: Staff) -> None:
    due = calendar.today() + timedelta(days=3)
    entry_id = posted(wanted(where, reversal_due_on=due), staff.fin, staff.flo)
    reversals.remind()
    assert journaling.case_of(entry_id) is None
    with time_machine.travel(calendar.begin_of(due) + timedelta(hours=1), tick=True):
        for _ in range(3):
            reversals.remind()
        case = journaling.case_of(entry_id)
        assert case is not None
        assert (case.kind, case.state, case.risk_minor) == ("REVERSAL_DUE", "open", 500)
        assert str(due) in case.sentence and "The bank is late" in case.sentence
        assert case.sla_due_at == calendar.begin_of(due + timedelta(days=1))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ExceptionCase)) == 1


def test_reversing_settles_the_case_that_reminded_of_it(where: Place, staff: Staff) -> None:
    entry_id = posted(wanted(where, reversal_due_on=calendar.today()), staff.fin, staff.flo)
    reversals.remind()
    new_id = journaling.reversed_by(entry_id, staff.fin, staff.flo)
    case = journaling.case_of(entry_id)
    assert case is not None
    assert (case.state, case.verb, case.resolved_by) == ("resolved", None, staff.fin.id)
    assert case.resolution["entryId"] == new_id
    reversals.remind()
    assert proved() == []


def test_what_stays_is_accepted_with_a_reason_and_nobody_is_reminded_again(
    where: Place, staff: Staff
) -> None:
    entry_id = posted(wanted(where, reversal_due_on=calendar.today()), staff.fin, staff.flo)
    reversals.remind()
    case = journaling.case_of(entry_id)
    assert case is not None
    with database.transaction() as session:
        decided = Decided(Verb.ACCEPT, "the bank never paid")
        case_resolving.resolve(session, case.id, decided, actor=staff.flo, source="test")
    reversals.remind()
    kept = journaling.case_of(entry_id)
    assert kept is not None and (kept.state, kept.verb) == ("resolved", "accept")
    # It may still be reversed later; the settled case stays as it was settled.
    journaling.reversed_by(entry_id, staff.fin, staff.flo)
    kept = journaling.case_of(entry_id)
    assert kept is not None and kept.verb == "accept"


def test_a_case_that_was_opened_while_its_entry_was_reversed_settles_too(
    where: Place, staff: Staff
) -> None:
    entry_id = posted(wanted(where, reversal_due_on=calendar.today()), staff.fin, staff.flo)
    with database.reading() as session:
        assert reversal_reminders.find_due(session) == [entry_id]
    # The worker has found it due; before it opens the case, two people reverse the entry.
    new_id = journaling.reversed_by(entry_id, staff.fin, staff.flo)
    with database.transaction() as session:
        why = Why(staff.fin, "test", "too late")
        reversal_reminders.remind(session, entry_id, why=why)
    reversals.remind()
    case = journaling.case_of(entry_id)
    assert case is not None
    assert (case.state, case.resolution["entryId"]) == ("resolved", new_id)


def test_of_many_workers_one_opens_the_case(where: Place, staff: Staff) -> None:
    entry_id = posted(wanted(where, reversal_due_on=calendar.today()), staff.fin, staff.flo)
    together = Barrier(6)

    def run(no: int) -> None:
        together.wait()
        reversals.remind()

    _race(run, 6)
    with database.reading() as session:
        opened = select(func.count()).where(EventLog.type == "exception.opened")
        assert session.scalar(opened) == 1
    assert journaling.case_of(entry_id) is not None


def test_an_entry_whose_reversal_was_refused_stays_due(where: Place, staff: Staff) -> None:
    entry_id = posted(wanted(where, reversal_due_on=calendar.today()), staff.fin, staff.flo)
    row = journaling.ask_reversal(entry_id, staff.fin)
    with database.transaction() as session:
        approvals.refuse(session, row.id, actor=staff.flo, reason="not yet")
    reversals.remind()
    assert journaling.case_of(entry_id) is not None
    assert journaling.count("reversal") == 0

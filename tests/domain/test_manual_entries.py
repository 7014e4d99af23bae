"""An entry by hand is posted once two people agreed to every word of it, and never otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, text

from core import clock
from core.errors import AppError, Conflict, Forbidden, InvalidInput, SamePerson
from domain import calendar, database
from domain.books import manual
from domain.control import approvals
from domain.jobs import overdue, watching
from domain.watch import nightly, turns
from models.audit import AuditRow
from models.events import EventLog
from models.invoices import Invoice
from models.ledger import LedgerAccount
from models.watch import Invariant
from tests.domain import journaling
from tests.domain.asking import Staff
from tests.domain.cast import by_token
from tests.domain.journaling import OPENING, SUSPENSE, Place, agree, ask, line, posted, wanted
from tests.domain.world import World


@pytest.fixture
def where(world: World) -> Place:
    return journaling.place(world)


def refusal(where: Place, staff: Staff, *lines: object, **more: object) -> AppError:
    with pytest.raises(AppError) as refused:
        ask(wanted(where, *lines, **more), staff.fin)  # type: ignore[arg-type]
    return refused.value


def fields(error: AppError) -> list[str]:
    rows: Any = error.details["fields"]
    return [each["field"] for each in rows]


def proved() -> list[str]:
    return journaling.unproved()


def test_two_people_post_an_entry_with_all_that_it_belongs_to(where: Place, staff: Staff) -> None:
    row = ask(wanted(where), staff.fin)
    assert (row.state, row.kind, journaling.count()) == ("pending", "manual_entry", 0)
    entry = journaling.entry(journaling.entry_of(agree(row, staff.flo)))
    assert journaling.movements(entry.id) == [(SUSPENSE, where.funds, "5.00")]
    assert (entry.order_id, entry.invoice_id) == (where.order_id, where.invoice_id)
    assert (entry.provider, entry.provider_reference) == ("stripe", where.reference)
    assert (entry.note, entry.source) == ("The bank is late", f"approval:{row.id}")
    assert entry.details == {"askedBy": staff.fin.id, "agreedBy": staff.flo.id}
    assert entry.reversal_due_on == calendar.today() + timedelta(days=manual.REVERSAL_DAYS)
    assert (entry.period, entry.late_of) == (f"{calendar.today():%Y-%m}", None)
    with database.reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.type == "journal.posted")).one()
        kept = session.scalars(select(AuditRow).where(AuditRow.action == "journal.post")).one()
    assert told.body == {"entryId": entry.id, "periodId": entry.period, "reverses": None}
    assert (told.audience, kept.object_id) == ("staff", entry.id)
    assert "late" not in str(kept.after)
    assert proved() == []


def test_nobody_posts_alone_nor_without_having_shown_who_they_are(
    where: Place, staff: Staff, sue: object
) -> None:
    row = ask(wanted(where), staff.fin)
    with pytest.raises(SamePerson):
        agree(row, staff.fin)
    with pytest.raises(Forbidden):
        agree(row, replace(staff.flo, stepped_up_at=None))
    with pytest.raises(Forbidden):
        agree(row, by_token(staff.flo))
    with pytest.raises(Forbidden) as stale:
        ask(wanted(where, note="again"), replace(staff.fin, stepped_up_at=None))
    assert stale.value.code == "STEP_UP_REQUIRED"
    with pytest.raises(Forbidden):
        ask(wanted(where, note="mine"), sue)  # type: ignore[arg-type]
    assert ask(wanted(where, note="by a token"), by_token(staff.ada)).state == "pending"
    assert journaling.count() == 0


def test_what_was_not_shown_or_has_changed_is_not_posted(
    world: World, where: Place, staff: Staff
) -> None:
    row = ask(wanted(where), staff.fin)
    with (
        pytest.raises(Conflict, match="not what you were shown"),
        database.transaction() as session,
    ):
        approvals.agree(session, row.id, actor=staff.flo, content_hash="0" * 64, reason=None)
    other = world.order().id
    with database.transaction() as session:
        session.get_one(Invoice, where.invoice_id).order_id = other
    done = agree(row, staff.flo)
    assert (done.row.state, journaling.count()) == ("cancelled", 0)


def test_of_many_who_agree_at_once_one_posts(where: Place, staff: Staff) -> None:
    row, together, ended = ask(wanted(where), staff.fin), Barrier(16), Counter[str]()

    def press(no: int) -> None:
        together.wait()
        try:
            ended[agree(row, (staff.flo, staff.ada)[no % 2]).row.state] += 1
        except AppError as error:
            ended[error.code] += 1

    _race(press, 16)
    assert ended == {"executed": 1, "INVALID_TRANSITION": 15}
    assert journaling.count() == 1
    assert proved() == []


def _race(run: object, count: int) -> None:
    racers = [Thread(target=run, args=(no,)) for no in range(count)]  # type: ignore[arg-type]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()


def test_the_same_entry_waits_once_and_a_reference_is_posted_once(
    where: Place, staff: Staff
) -> None:
    row = ask(wanted(where), staff.fin)
    with pytest.raises(Conflict) as waits:
        ask(wanted(where), staff.flo)
    assert waits.value.details["approvalId"] == row.id
    named = wanted(where, note="fee of May", reference="bank-line-0001")
    entry_id = posted(named, staff.fin, staff.flo)
    with pytest.raises(Conflict) as again:
        ask(replace(named, note="another note"), staff.flo)
    assert again.value.details["link"] == f"/journal/{entry_id}"
    # Without a reference two entries may say the same, one after the other.
    agree(row, staff.flo)
    posted(wanted(where), staff.fin, staff.flo)
    assert journaling.count() == 3


def test_of_two_requests_with_one_reference_that_race_one_waits(where: Place, staff: Staff) -> None:
    together, ended = Barrier(8), Counter[str]()

    def run(no: int) -> None:
        together.wait()
        said = wanted(where, note=f"note {no}", reference="bank-line-0002")
        try:
            ended[ask(said, (staff.fin, staff.flo)[no % 2]).state] += 1
        except AppError as error:
            ended[error.code] += 1

    _race(run, 8)
    assert ended == {"pending": 1, "CONFLICT": 7}


def test_a_request_that_was_posted_otherwise_meanwhile_is_void(where: Place, staff: Staff) -> None:
    named = wanted(where, reference="bank-line-0003")
    first = ask(named, staff.fin)
    posted_as = "manual:ref:bank-line-0003"
    agree(first, staff.flo)
    with pytest.raises(Conflict), database.transaction() as session:
        manual.checked(session, named)
    with database.reading() as session:
        keys = session.scalar(
            text("select count(*) from journal_entries where source_key = :key"), {"key": posted_as}
        )
    assert keys == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_ties_must_exist_and_belong_together(world: World, where: Place, staff: Staff) -> None:
    other = journaling.place(world)
    said = wanted(where)
    for changed, field in (
        ({"order_id": "ord_none"}, ["orderId"]),
        ({"invoice_id": "inv_none"}, ["invoiceId"]),
        ({"invoice_id": other.invoice_id}, ["invoiceId"]),
        ({"provider_reference": "pi_nobody"}, ["providerReference"]),
        ({"provider_reference": other.reference}, ["providerReference"]),
        ({"order_id": "ord_none", "invoice_id": "inv_none"}, ["orderId", "invoiceId"]),
        ({"note": "  "}, ["note"]),
        ({"note": "x" * 501}, ["note"]),
        ({"effective_on": calendar.today() + timedelta(days=1)}, ["effectiveOn"]),
        ({"effective_on": date(1, 1, 1)}, ["effectiveOn"]),
        ({"reversal_due_on": calendar.today() - timedelta(days=1)}, ["reversalDueOn"]),
        ({"reversal_due_on": date(9999, 12, 31)}, ["reversalDueOn"]),
    ):
        with pytest.raises(InvalidInput) as refused:
            ask(replace(said, **changed), staff.fin)  # type: ignore[arg-type]
        assert fields(refused.value) == field, changed


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_people_post_to_accounts_of_the_chart_that_are_theirs_to_post_to(
    world: World, where: Place, staff: Staff
) -> None:
    other = journaling.place(world)
    for address in (
        "nothing:like:this",
        "cash",
        "",
        "cash:a b",
        "cash:a:b",
        f"cash:{'x' * 300}",
        f"{where.hold}:reserved",
        "dispute:dsp_1:at_risk",
        other.hold,
        "order:ord_none:escrow_hold",
        "wallet:usr_eve:balance",
        "buyer:usr_eve:funds",
        "merchant:mer_other:payable",
        f"payment:{other.payment.id}:unapplied",
        "provider:nobody:clearing",
    ):
        error = refusal(where, staff, line(SUSPENSE, address))
        assert fields(error) == ["postings.0.credit"], address
    # Every other account of the order's parties and of the house is open to them.
    for address in (
        where.hold,
        "wallet:usr_bo:balance",
        f"payment:{where.payment.id}:unapplied",
        f"payer:{where.payment.id}:funds",
        f"revenue:{where.payment.merchant_id}",
        "cash:main",
        "fees:stripe",
        "transit:stripe",
        "fx:difference",
        "expense:write_off",
    ):
        posted(wanted(where, line(OPENING, address)), staff.fin, staff.flo)
    assert proved() == []
    # None of it is taken for a fault: no rule of the books breaks, no nightly comparison differs.
    with database.transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()
    with database.reading() as session:
        assert {row.state for row in session.scalars(select(Invariant))} == {"green"}
    assert [each for each in nightly.compare_all() if each.differences] == []


def test_a_party_sees_the_account_that_an_entry_opened(where: Place, staff: Staff) -> None:
    merchant = str(where.payment.merchant_id)
    posted(wanted(where, line(OPENING, f"merchant:{merchant}:payable")), staff.fin, staff.flo)
    with database.reading() as session:
        opened = session.get_one(LedgerAccount, (f"merchant:{merchant}:payable", "EUR/2"))
    assert (opened.merchant_id, opened.kind) == (merchant, "liability")


def test_debits_are_credits_in_each_currency(where: Place, staff: Staff) -> None:
    error = refusal(
        where,
        staff,
        line(SUSPENSE, None, "9.00"),
        line(None, where.funds, "5.00"),
        line(None, OPENING, "3.99"),
        line("cash:main", None, "700", "JPY"),
    )
    assert error.code == "UNBALANCED"
    assert error.details["currencies"] == [
        {"currency": "EUR", "debits": "9.00", "credits": "8.99", "difference": "0.01"},
        {"currency": "JPY", "debits": "700", "credits": "0", "difference": "700"},
    ]
    entry_id = posted(
        wanted(
            where,
            line(SUSPENSE, None, "9.00"),
            line("cash:main", None, "1.000", "KWD"),
            line(None, where.funds, "5.00"),
            line(None, OPENING, "4.00"),
            line(None, OPENING, "1.000", "KWD"),
            line("cash:main", OPENING, "2.00"),
        ),
        staff.fin,
        staff.flo,
    )
    assert journaling.movements(entry_id) == [
        ("cash:main", OPENING, "2.00"),
        (SUSPENSE, where.funds, "5.00"),
        (SUSPENSE, OPENING, "4.00"),
        ("cash:main", OPENING, "1.000"),
    ]
    assert proved() == []


def test_an_entry_moves_something_from_one_account_to_another(where: Place, staff: Staff) -> None:
    assert fields(refusal(where, staff, line(None, None))) == ["postings.0"]
    for lines in (
        [line("cash:main", "cash:main")],
        [line("cash:main", None), line(None, "cash:main")],
        [line(where.funds, f"merchant:{where.payment.merchant_id}:payable")],
        [line("cash:main", OPENING)] * 101,
    ):
        assert fields(refusal(where, staff, *lines)) == ["postings"]
    most = "10000000000000.00"
    error = refusal(where, staff, line("cash:main", OPENING, most), line("cash:main", OPENING))
    assert fields(error) == ["postings"]


def test_nothing_is_taken_of_a_held_balance_that_is_not_there(where: Place, staff: Staff) -> None:
    # 25.00 are held for the order.
    error = refusal(where, staff, line(where.hold, where.funds, "25.01"))
    assert (error.code, "holds 25.00 EUR; 25.01" in error.message) == ("AMOUNT_EXCEEDED", True)
    # What an entry puts there itself counts, and what it takes in several lines counts together.
    for lines in (
        [line(where.hold, where.funds, "20.00"), line(where.hold, OPENING, "5.01")],
        [line(where.hold, where.funds, "25.02"), line(OPENING, where.hold, "0.01")],
    ):
        assert refusal(where, staff, *lines).code == "AMOUNT_EXCEEDED"
    first = ask(wanted(where, line(where.hold, where.funds, "20.00")), staff.fin)
    second = ask(wanted(where, line(where.hold, where.funds, "10.00")), staff.fin)
    agree(first, staff.flo)
    with pytest.raises(Conflict) as refused:
        agree(second, staff.flo)
    assert refused.value.code == "AMOUNT_EXCEEDED"
    assert -journaling.balance(where.hold) == 500
    # It waits: the money may come.
    with database.reading() as session:
        assert approvals.get(session, second.id).state == "pending"
    assert proved() == []


def test_two_who_want_the_last_of_a_balance_cannot_both_have_it(where: Place, staff: Staff) -> None:
    rows = [
        ask(wanted(where, line(where.hold, where.funds, "20.00"), note=str(no)), staff.fin)
        for no in range(4)
    ]
    together, ended = Barrier(4), Counter[str]()

    def press(no: int) -> None:
        together.wait()
        try:
            ended[agree(rows[no], (staff.flo, staff.ada)[no % 2]).row.state] += 1
        except AppError as error:
            ended[error.code] += 1

    _race(press, 4)
    assert ended == {"executed": 1, "AMOUNT_EXCEEDED": 3}
    assert -journaling.balance(where.hold) == 500


def test_an_entry_is_dated_on_its_day_unless_its_month_is_closed(
    where: Place, staff: Staff
) -> None:
    last_month = calendar.today().replace(day=1) - timedelta(days=1)
    entry_id = posted(wanted(where, effective_on=last_month), staff.fin, staff.flo)
    entry = journaling.entry(entry_id)
    assert calendar.day_of(entry.effective_at) == last_month
    assert (entry.period, entry.late_of) == (f"{last_month:%Y-%m}", None)
    waiting = ask(wanted(where, note="waits", effective_on=last_month), staff.fin)
    journaling.close_month(last_month)
    error = refusal(where, staff, effective_on=last_month)
    assert (error.code, error.http_status) == ("PERIOD_CLOSED", 409)
    assert "open period" in error.message and "Leave the effective day out" in error.message
    # Months are closed in their order, so whatever lies before is closed too.
    assert refusal(where, staff, effective_on=date(2020, 1, 1)).code == "PERIOD_CLOSED"
    assert overdue.end_overdue() is True
    with database.reading() as session:
        assert approvals.get(session, waiting.id).state == "cancelled"
    entry = journaling.entry(posted(wanted(where, note="today"), staff.fin, staff.flo))
    assert entry.period == f"{calendar.today():%Y-%m}"
    assert proved() == []


def test_an_entry_of_yesterday_agreed_to_tomorrow_keeps_its_day(where: Place, staff: Staff) -> None:
    today = calendar.today()
    row = ask(wanted(where, effective_on=today), staff.fin)
    with time_machine.travel(clock.after(20 * 3600), tick=True):
        flo = replace(staff.flo, stepped_up_at=clock.now())
        entry = journaling.entry(journaling.entry_of(agree(row, flo)))
    assert calendar.day_of(entry.effective_at) == today


def test_an_entry_that_was_forged_is_named(where: Place, staff: Staff) -> None:
    entry_id = posted(wanted(where), staff.fin, staff.flo)
    assert proved() == []
    with database.engine().begin() as connection:
        for name in ("guard_approvals_update", "guard_journal_entries_update"):
            if database.is_sqlite():
                connection.execute(text(f"drop trigger {name}"))
        if not database.is_sqlite():
            connection.execute(text("alter table approvals disable trigger user"))
            connection.execute(text("alter table journal_entries disable trigger user"))
        connection.execute(text("update approvals set result = '{}'"))
    assert [each for each in proved() if entry_id in each]

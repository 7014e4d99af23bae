"""A month is closed by two people over what was known, kept for ever, and reopened only with a mark."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.errors import SamePerson
from core.money_out import Act
from domain import database
from domain.books import verification
from domain.control import approvals
from domain.periods import late_facts, months
from models.audit import AuditRow
from models.events import EventLog
from models.periods import PeriodBalance
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.closing_months import (
    NOVEMBER,
    OCTOBER,
    agreed,
    asked_to_reopen,
    at,
    closed,
    posted,
    readied,
)
from tests.domain.world import World


def balances(closing_id: str) -> dict[str, tuple[int, int, int, int]]:
    with database.reading() as session:
        rows = session.scalars(select(PeriodBalance).where(PeriodBalance.closing_id == closing_id))
        return {
            row.address: (row.opening_minor, row.debit_minor, row.credit_minor, row.closing_minor)
            for row in rows
        }


def test_a_month_is_closed_over_what_was_known(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        posted(40)
        readied(OCTOBER)
        closing = closed(OCTOBER, staff.fin, staff.flo)
        assert time.state(OCTOBER) == "closed"
        assert balances(closing.id) == {
            "provider:stripe:clearing": (0, 500, 0, 500),
            "payment:pay_1:unapplied": (0, 0, 500, -500),
        }
        assert (closing.entries, closing.no, closing.zone) == (1, 1, "UTC")
        assert (closing.asked_by, closing.agreed_by) == (staff.fin.id, staff.flo.id)
        assert verification.verify().ok
    with database.reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.type == "period.closed")).one()
        assert told.body == {"periodId": OCTOBER, "chainHead": closing.journal_head}
        assert told.audience == "staff"
        kept = session.scalars(select(AuditRow).where(AuditRow.action == "period.close")).one()
        assert kept.after["signers"] == [staff.fin.id, staff.flo.id]


def test_what_comes_after_is_a_late_fact_of_the_open_month(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        readied(OCTOBER)
        closing = closed(OCTOBER, staff.fin, staff.flo)
        before = balances(closing.id)
        late = posted(70, took_effect="2026-10-31T23:59", order="ord_2")
        own = posted(5, took_effect="2026-11-01T00:00", order="ord_3")
        assert (time.entry(late).period, time.entry(late).late_of) == (NOVEMBER, OCTOBER)
        assert (time.entry(own).period, time.entry(own).late_of) == (NOVEMBER, None)
        assert balances(closing.id) == before
        with database.reading() as session:
            month = months.get_month(session, OCTOBER)
            assert late_facts.ids_of(session, OCTOBER) == [late]
            differs = late_facts.compare(session, month, closing)
        assert {(each.address, each.then, each.now) for each in differs} == {
            ("provider:stripe:clearing", 500, 570),
            ("payment:pay_2:unapplied", 0, -70),
        }
        assert verification.verify().ok
    with at("2026-12-03"):
        early = posted(3, took_effect="2026-09-30T10:00", order="ord_4")
        assert (time.entry(early).period, time.entry(early).late_of) == (NOVEMBER, "2026-09")
        readied(NOVEMBER)
        november = closed(NOVEMBER, staff.flo, staff.fin)
        assert balances(november.id)["provider:stripe:clearing"] == (500, 78, 0, 578)
        assert verification.verify().ok


def test_a_reopened_month_bears_its_mark_and_is_closed_again_beside_it(
    world: World, staff: Staff
) -> None:
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        readied(OCTOBER)
        first = closed(OCTOBER, staff.fin, staff.flo)
        late = posted(9, took_effect="2026-10-20")
        with pytest.raises(SamePerson):
            agreed(asked_to_reopen(OCTOBER, staff.fin), staff.fin)
        with database.reading() as session:
            waiting = approvals.find_open(session, Act.PERIOD_REOPEN, OCTOBER)
        assert waiting is not None
        assert time.state(OCTOBER) == "closed"
        agreed(waiting, staff.ada)
        assert time.state(OCTOBER) == "reopened"
        marked = time.newest(OCTOBER)
        assert (marked.reopened_by, marked.reopen_agreed_by) == (staff.fin.id, staff.ada.id)
        assert marked.reopen_reason == "an invoice was forgotten"
        assert marked.snapshot_sha256 == first.snapshot_sha256
        within = posted(11, took_effect="2026-10-21")
        assert (time.entry(within).period, time.entry(within).late_of) == (OCTOBER, None)
        report = verification.verify()
        assert report.ok, report
        second = closed(OCTOBER, staff.flo, staff.fin)
        assert (second.no, second.entries) == (2, 2)
        assert balances(second.id)["provider:stripe:clearing"] == (0, 511, 0, 511)
        assert balances(first.id)["provider:stripe:clearing"] == (0, 500, 0, 500)
        with database.reading() as session:
            month = months.get_month(session, OCTOBER)
            now = [late_facts.compare(session, month, each)[-1].now for each in month.closings]
            assert late_facts.ids_of(session, OCTOBER) == [late]
        assert now == [520, 520]
        assert verification.verify().ok

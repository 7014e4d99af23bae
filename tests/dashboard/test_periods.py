"""Months on the desk: what keeps each open, asking with a reason for whatever stays so, signing, the mark of a reopening."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from core.money_out import Act
from core.states import Role
from domain import calendar
from domain.control import approvals
from domain.database import reading, transaction
from domain.periods import certificates
from models.cases import ExceptionCase
from models.control import Approval
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, ids_of, rows, text
from tests.domain.closing_months import OCTOBER, at, posted, prepared, watched
from tests.domain.past import case

PAGE = f"/periods/{OCTOBER}"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def october(app: Flask) -> Iterator[str]:
    """The second of November, with an October in which something was posted and one case is open."""
    Till.open(app)
    with at("2026-10-05"):
        posted(500)
        case_id = case(days_ago=0.5)
    with at("2026-11-02"):
        prepared(OCTOBER)
        yield case_id


def waiting(act: Act) -> Approval:
    with reading() as session:
        row = approvals.find_open(session, act, OCTOBER)
    assert row is not None
    return row


def agree(row: Approval, browser: Browser) -> str:
    """Agree on the approval's page; gives what the page showed before."""
    page = browser.page(f"/approvals/{row.id}")
    answer = browser.post(f"/approvals/{row.id}/approve", content_hash=row.content_hash)
    assert answer.status_code == 303, text(answer.text)
    return text(page)


def printed(body: bytes) -> None:
    with transaction() as session:
        leased = certificates.lease_due(session)
        assert leased is not None
        certificates.keep(session, leased, body)


def test_each_role_sees_and_does_what_the_table_says(
    desk: Desk, who: Personas, october: str
) -> None:
    for role in Role:
        browser = desk.browser(who.by_role(role))
        reads = role in (Role.FINANCE, Role.ADMIN, Role.AUDITOR)
        reopens = role in (Role.FINANCE, Role.ADMIN)
        for path in ("/periods", PAGE):
            assert browser.get(path).status_code == (200 if reads else 403), (role, path)
        assert ('href="/periods"' in browser.page("/")) == reads, role
        # Who may is led to prove themselves first.
        for verb, may in (("close", role == Role.FINANCE), ("reopen", reopens)):
            status = 303 if may else 403
            assert browser.get(f"{PAGE}/{verb}").status_code == status, (role, verb)
            answer = browser.post(f"{PAGE}/{verb}", reason="all is in")
            assert answer.status_code == status, (role, verb)
        if reads and role != Role.FINANCE:
            assert "Finance asks for a month to be closed." in text(browser.page(PAGE))
        if reads:
            for name in ("2026-09", "2027-01", "october"):
                assert browser.get(f"/periods/{name}").status_code == 404
            assert browser.get(f"{PAGE}/certificates/1.pdf").status_code == 404


def test_a_month_is_closed_by_two_with_a_reason_for_what_stays_open(
    desk: Desk, who: Personas, october: str
) -> None:
    fin, flo = desk.browser(who.fin, fresh=True), desk.browser(who.flo, fresh=True)
    ann = desk.browser(who.ann)
    page = ann.page("/periods")
    assert ids_of(page, "period") == ["2026-11", OCTOBER]
    assert "In the way: open cases with money at risk (1)." in rows(page)[1]
    assert "1 of 15 in the way" in text(ann.page(PAGE))
    assert "<html" not in ann.part(f"{PAGE}/body")
    assert ann.get("/periods/rows").status_code == 303

    form = fin.page(f"{PAGE}/close")
    assert "Paid 97.40 of 100.00 EUR." in text(form)
    answer = fin.post(f"{PAGE}/close", reason="all is in")
    assert answer.status_code == 422
    assert "open cases with money at risk (1)" in text(answer.text)
    assert ">all is in</textarea>" in answer.text
    field = f"case-{october}"
    for reason, note in (("x" * 501, "all is in"), ("4242 4242 4242 4242", "all is in"), ("b", "")):
        answer = fin.post(f"{PAGE}/close", {field: reason, "reason": note})
        assert answer.status_code == 422, reason
    answer = fin.post(f"{PAGE}/close", {field: "<b>bank</b> looks", "reason": "all is in"})
    assert (answer.status_code, answer.location) == (303, PAGE)
    answer = fin.post(f"{PAGE}/close", {field: "again", "reason": "all is in"})
    assert answer.status_code == 422
    assert "This was asked for already" in text(answer.text)

    row = waiting(Act.PERIOD_CLOSE)
    assert f'href="/approvals/{row.id}"' in ann.page(PAGE)
    shown = agree(row, flo)
    assert "The checklist that is signed" in shown
    assert "“<b>bank</b> looks”" in shown
    assert row.content_hash[:8] in shown

    page = text(ann.page(PAGE))
    assert "as it was signed" in page
    assert "Asked by Fin Agreed by Flo" in page
    assert "It is being printed." in page
    printed(b"%PDF-1.7 one")
    answer = ann.get(f"{PAGE}/certificates/1.pdf")
    assert (answer.status_code, answer.data) == (200, b"%PDF-1.7 one")
    assert "closed just now by Fin and Flo" in rows(ann.page("/periods"))[1]
    with reading() as session:
        moved = session.get_one(ExceptionCase, october)
        assert moved.state == "carried_forward"
    assert "Carried forward" in text(ann.page(f"/exceptions/{october}"))

    posted(9, took_effect="2026-10-09", order="ord_2")
    page = text(ann.page(PAGE))
    assert "Late facts 1" in page
    assert "Unapplied, pay_2 payment:pay_2:unapplied Then 0.00 EUR Now 0.09 EUR" in page
    assert "1 late fact" in rows(ann.page("/periods"))[1]

    assert fin.post(f"{PAGE}/reopen", reason="").status_code == 422
    assert fin.post(f"{PAGE}/reopen", reason="a bill was lost").status_code == 303
    agree(waiting(Act.PERIOD_REOPEN), flo)
    page = text(ann.page(PAGE))
    assert "Reopened by Fin and Flo Because a bill was lost" in page
    assert "Booked in a later month 1" in page
    assert "reopened once" in rows(ann.page("/periods"))[1]
    form = fin.page(f"{PAGE}/close")
    assert f'name="{field}"' in form


def test_what_nobody_carries_forward_is_said_before_anything_is_asked(
    desk: Desk, who: Personas, october: str
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    watched("red")
    form = fin.page(f"{PAGE}/close")
    assert "First work off what cannot be carried forward: rules broken or not watched." in text(
        form
    )
    assert 'aria-disabled="true" aria-describedby="why-close"' in form
    later = fin.page("/periods/2026-11/close")
    assert "the month goes on; earlier months are open" in text(later)
    answer = fin.post("/periods/2026-11/close", {"reason": "now"})
    assert answer.status_code == 422
    stranger = {"case-exc_none": "because", "item-trial_balance": "because", "reason": "now"}
    assert fin.post(f"{PAGE}/close", stranger).status_code == 422
    with reading() as session:
        assert session.scalars(select(Approval)).all() == []


def test_months_are_shown_by_the_house_s_fiscal_year(
    desk: Desk, who: Personas, october: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del october
    monkeypatch.setattr(calendar._place, "first_month", 11)
    fin = desk.browser(who.fin)
    this, last = fin.page("/periods"), fin.page("/periods?year=2025/26")
    assert "November 2026 Q1 2026/27" in text(this)
    assert "October 2026 Q4 2025/26" in text(last)
    assert "October" not in text(this)
    assert "November" not in text(last)

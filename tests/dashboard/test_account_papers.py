"""A statement as a PDF on the desk: asked for with a form, printed by the worker, handed over to who may read the account."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any

import pytest
from sqlalchemy import select

from domain.database import reading
from models.audit import AuditRow
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, text
from tests.domain import papers

CLEARING = "/ledger/accounts/provider:stripe:clearing"


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    till.settle(payment)
    return payment


def form_of(page: str) -> str:
    """Give where the form leads that asks for the statement."""
    found = re.search(r'method="post" action="([^"]+/statements[^"]*)"', page)
    assert found, "the page has no such form"
    return html.unescape(found[1])


def link_of(page: str) -> str:
    found = re.search(r'href="([^"]+/statements/[^"]+\.pdf)"', page)
    assert found, "the page leads to no document"
    return html.unescape(found[1])


def ask(browser: Browser, page: str) -> str:
    answer = browser.post(form_of(browser.page(page)))
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_statement_is_asked_for_turns_up_and_is_handed_over_each_time_noted(
    desk: Desk, who: Personas, paid: dict[str, Any], till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    fin = desk.browser(who.fin)
    with papers.faked(monkeypatch):
        form = form_of(fin.page(f"{CLEARING}?range=all"))
        (shown,) = {fin.post(form).headers["Location"] for _ in range(2)}
        waiting = fin.page(shown)
        assert "Being printed" in text(waiting) and "every 2s" in waiting
        assert ".pdf" not in waiting and "Print as PDF" not in text(waiting)
        body = shown.replace(CLEARING, f"{CLEARING}/body")
        papers.print_all()
        part = fin.part(body)
        assert "every 2s" not in part and "Download PDF" in text(part)
    answer = fin.get(link_of(part))
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-SHA256"] == hashlib.sha256(answer.data).hexdigest()
    till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    later = text(fin.page(shown))
    assert "Download PDF" in later and "some that came since" in later and "Print as PDF" in later
    with reading() as session:
        noted = select(AuditRow).where(AuditRow.action.startswith("statement."))
        rows = session.scalars(noted.order_by(AuditRow.at, AuditRow.id)).all()
    assert [(row.action, row.actor) for row in rows] == [
        ("statement.ask", who.fin.id),
        ("statement.view", who.fin.id),
    ]


def test_it_belongs_to_its_account_and_only_those_who_may_read_it_get_it(
    desk: Desk, who: Personas, paid: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fin = desk.browser(who.fin)
    with papers.faked(monkeypatch):
        shown = ask(fin, CLEARING)
        early = shown.partition("statement=")[2]
        assert fin.get(f"{CLEARING}/statements/{early}.pdf").status_code == 303, "not printed yet"
        papers.print_all()
    link = link_of(fin.page(shown))
    hold = f"/ledger/accounts/order:{paid['orderId']}:escrow_hold"
    assert "Print as PDF" in text(fin.page(f"{hold}?statement={early}"))
    for path in (link.replace(CLEARING, hold), f"{CLEARING}/statements/stm_none.pdf"):
        assert fin.get(path).status_code == 404, path
    for person in (who.mel, who.bo, who.sue, who.ed):
        browser = desk.browser(person)
        assert browser.get(link).status_code in (403, 404)
        assert browser.post(f"{CLEARING}/statements").status_code in (403, 404)
    for person in (who.ada, who.ann):
        assert desk.browser(person).get(link).status_code == 200
    assert desk.anonymous().get(link).status_code in (302, 303, 401)


def test_button_says_why_it_may_not_be_pressed(
    desk: Desk, who: Personas, paid: dict[str, Any], till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    monkeypatch.setattr("domain.invoices.statement_papers.MOST_LINES", 1)
    fin = desk.browser(who.fin)
    page = fin.page(CLEARING)
    assert "More than 1 lines: export them as CSV" in text(page)
    assert 'aria-describedby="why-print-statement"' in page and "/statements" not in page
    answer = fin.post(f"{CLEARING}/statements")
    assert answer.status_code == 303
    assert "This statement cannot be printed" in text(fin.page(answer.headers["Location"]))
    assert "still to come" in text(fin.page(f"{CLEARING}?from=2099-01-01"))
    assert "The last day lies before the first" in text(
        fin.page(f"{CLEARING}?from=2026-01-02&to=2025-01-01")
    )

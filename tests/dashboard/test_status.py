"""The public status page, and what a page says when something is missing."""

from __future__ import annotations

import pytest

from core.errors import Unavailable
from dashboard import status
from domain import database, presence
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def test_status_is_public_and_true(desk: Desk, till: Till) -> None:
    assert till.rail.is_configured
    browser = desk.anonymous()
    said = text(browser.page("/status"))
    assert "Payments may take longer than usual" in said
    assert "Events are stored and wait." in said
    with database.transaction() as session:
        presence.beat(session, presence.identify("worker"))
    said = text(browser.page("/status"))
    assert "Everything works" in said
    assert "Card payments Stripe answers. Healthy" in said


def test_status_answers_when_the_database_does_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise Unavailable

    monkeypatch.setattr(status, "assert_answers", refuse)
    said = text(desk.anonymous().page("/status"))
    assert "The database does not answer." in said
    assert "Some payments do not work now" in said


def test_docs_leads_to_the_reference(desk: Desk, who: Personas) -> None:
    assert desk.browser(who.bo).get("/docs").location == "/api/docs"


def test_unknown_address_and_method_have_a_page(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.fin)
    answer = browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    answer = browser.post("/payments")
    assert answer.status_code == 405
    part = browser.get("/payments/pay_nothing/facts", htmx=True)
    assert part.status_code == 404
    assert "<html" not in part.text

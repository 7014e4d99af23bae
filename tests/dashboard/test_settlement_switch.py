"""Pausing and resuming settlement from the desk, the notice above every page, and how both read."""

from __future__ import annotations

from flask import Flask

from core import clock
from domain import presence
from domain.control import controls
from domain.database import reading, transaction
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def setting(name: str) -> controls.Setting:
    with reading() as session:
        return controls.get(session, name)


def test_finance_pauses_with_a_reason_and_resumes(desk: Desk, who: Personas, till: Till) -> None:
    browser = desk.browser(who.fin)
    page = text(browser.page("/freezes/settlement"))
    assert "Events are still verified, stored and acknowledged; none is lost" in page
    wrong = browser.post("/freezes/settlement", on="yes", until="1h", reason="")
    assert wrong.status_code == 422
    assert 'value="1h" selected' in wrong.text
    assert not setting("settlement_pause").is_on
    answer = browser.post("/freezes/settlement", on="yes", until="1h", reason="the file is late")
    assert answer.location == "/freezes"
    found = setting("settlement_pause")
    assert (found.is_on, found.by, found.reason) == (True, who.fin.id, "the file is late")
    assert found.until is not None
    assert found.until > clock.now()
    payment = till.payment(who.bo)
    amount = till.rail.intents[payment["providerReference"]]["amount"]
    body = till.event(
        "payment_intent.succeeded", payment, status="succeeded", amount_received=amount
    )
    assert till.deliver(body).status_code == 200
    till.work()
    page = text(browser.page("/freezes"))
    assert "Paused" in page
    assert "Events are stored and acknowledged; none is applied. 1 event waits." in page
    assert "Fin set it" in page and "“the file is late”" in page
    assert "Resume automatic settlement" in text(browser.page("/freezes/settlement"))
    browser.post("/freezes/settlement", on="no", reason="the file came")
    assert not setting("settlement_pause").is_on
    till.work()
    assert "0 events wait now." in text(browser.page("/freezes"))


def test_a_second_press_changes_nothing_more(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ed)
    for _ in range(2):
        browser.post("/freezes/settlement", on="yes", until="", reason="the file is late")
    assert setting("settlement_pause").is_on


def test_support_and_auditors_read_how_it_stands_and_why_they_cannot_change_it(
    desk: Desk, who: Personas
) -> None:
    for person in (who.sue, who.ann):
        page = text(desk.browser(person).page("/freezes"))
        assert "Finance, admins and engineers pause it." in page
        assert "Admins and engineers write it." in page
        for path in ("/freezes/settlement", "/freezes/notice"):
            assert desk.browser(person).post(path, reason="why not").status_code == 403
    assert desk.browser(who.fin).post("/freezes/notice", text="x", reason="why").status_code == 403


def test_an_admin_writes_a_notice_and_takes_it_away(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ada)
    wrong = browser.post("/freezes/notice", text="4242 4242 4242 4242", reason="tell everybody")
    assert wrong.status_code == 422
    assert "Card numbers are never kept here." in text(wrong.text)
    browser.post("/freezes/notice", text="Cards are slow today.", reason="tell everybody")
    assert setting("banner").text == "Cards are slow today."
    assert "Cards are slow today." in text(desk.browser(who.bo).page("/"))
    assert "Cards are slow today." in text(desk.anonymous().page("/status"))
    browser.post("/freezes/notice", text="", reason="they are not")
    assert not setting("banner").is_on
    assert "Cards are slow" not in text(desk.anonymous().page("/status"))


def test_nothing_says_that_a_worker_is_late_while_it_is_paused(
    app: Flask, desk: Desk, who: Personas
) -> None:
    with transaction() as session:
        presence.beat(session, presence.identify("worker"))
    browser = desk.browser(who.fin)
    browser.post("/freezes/settlement", on="yes", until="", reason="the file is late")
    home = text(browser.page("/"))
    assert "Automatic settlement is paused" in home
    assert "Paused by a person" in home
    assert "No worker is running" not in home
    public = text(desk.anonymous().page("/status"))
    assert "Events are stored and confirmed later; confirming is paused." in public
    ready = app.test_client().get("/readyz").get_json()
    assert ready["settlement"] == "paused"
    metrics = app.test_client().get("/metrics").get_data(as_text=True)
    assert "paydesk_settlement_paused 1" in metrics
    browser.post("/freezes/settlement", on="no", reason="it came")
    assert app.test_client().get("/readyz").get_json()["settlement"] == "running"

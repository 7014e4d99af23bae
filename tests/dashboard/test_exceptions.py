"""Exception cases on the desk: the queue and one case."""

from __future__ import annotations

import re

from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, rows, text


def underpaid(who: Personas, till: Till) -> str:
    """Receive less than was asked for; gives the payment."""
    payment = till.payment(who.mel)
    till.deliver(
        till.event("payment_intent.succeeded", payment, status="succeeded", amount_received=2400)
    )
    till.work()
    return str(payment["paymentId"])


def test_queue_shows_sentences_with_numbers(desk: Desk, who: Personas, till: Till) -> None:
    payment = underpaid(who, till)
    browser = desk.browser(who.fin)
    page = browser.page("/exceptions")
    (row,) = rows(page)
    for words in ("Open", "Paid 24.00 of 25.00 EUR", "Underpaid", "nobody yet", "1.00 EUR", "due"):
        assert words in row, words
    (case,) = ids_of(page, "case")
    for query in ("kind=UNDERPAID", "state=open", "team=finance", f"q={payment}", "state=all"):
        assert ids_of(browser.page(f"/exceptions?{query}"), "case") == [case], query
    for query in ("kind=OVERPAID", "state=resolved", "team=support", "overdue=yes", "q=nothing"):
        assert ids_of(browser.page(f"/exceptions?{query}"), "case") == [], query
    part = browser.part("/exceptions/rows?state=open")
    assert "sse:exceptions" in part
    assert browser.get("/exceptions/rows?state=open").location == "/exceptions?state=open"


def test_case_shows_evidence_story_and_where_to_act(desk: Desk, who: Personas, till: Till) -> None:
    payment = underpaid(who, till)
    (case,) = ids_of(desk.browser(who.fin).page("/exceptions"), "case")
    page = desk.browser(who.fin).page(f"/exceptions/{case}")
    said = text(page)
    for words in (
        *("Expected 25.00", "Found 24.00", "At risk 1.00 EUR", "Team Finance", "Opened"),
        *("Paydesk (worker)", "Work on the payment"),
    ):
        assert words in said, words
    assert f'href="/payments/{payment}"' in page
    assert re.search(r"exc_…\w{4}", said)


def test_cases_of_others_are_as_good_as_none(desk: Desk, who: Personas, till: Till) -> None:
    underpaid(who, till)
    (case,) = ids_of(desk.browser(who.mel).page("/exceptions"), "case")
    own = desk.browser(who.mel).page(f"/exceptions/{case}")
    assert "/webhooks/" not in own
    eve = desk.browser(who.eve)
    assert "No case to be settled" in eve.page("/exceptions")
    assert eve.get(f"/exceptions/{case}").status_code == 404
    assert desk.browser(who.bo).get(f"/exceptions/{case}").status_code == 403

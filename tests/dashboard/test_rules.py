"""Rules on the desk: drafted by a form, tried on the past, enabled by another person, taken back."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from core import clock
from tests.api.personas import Personas
from tests.dashboard.desk import Browser, Desk, hidden, text
from tests.domain import past

HREF = "/exceptions/rules"
FORM = {
    "kind": "UNDERPAID",
    "verb": "accept",
    "note": "Small ones are not worth a letter.",
    "field1": "shortfallPercent",
    "op1": "lt",
    "value1": "3",
}


def drafted(browser: Browser, **more: str) -> str:
    """Keep a draft by the form; gives its address."""
    answer = browser.post(f"{HREF}/new", FORM | {"act": "save"} | more)
    assert answer.status_code == 303, text(answer.text)[:400]
    return str(answer.location)


def enabled(desk: Desk, who: Personas) -> str:
    """Draft by Fin and enable by Flo; gives the rule's address."""
    fin, flo = desk.browser(who.fin), desk.browser(who.flo, fresh=True)
    href = drafted(fin)
    asked = fin.post(f"{href}/enable", reason="It is always so")
    assert asked.status_code == 303, text(asked.text)[:400]
    approval = re.search(r"/approvals/apr_\w+", fin.page(href))
    assert approval
    page = flo.page(approval[0])
    done = flo.post(
        f"{approval[0]}/approve", reason="Agreed", content_hash=hidden(page, "content_hash")
    )
    assert done.status_code == 303, text(done.text)[:400]
    return href


@pytest.fixture
def fourteen(app: Flask, who: Personas) -> list[str]:
    """Fourteen cases that a person of finance accepted."""
    del app
    return [past.case(verb="accept", by=who.fin.id, days_ago=1 + no / 10) for no in range(14)]


def test_form_tries_on_the_past_before_anything_is_kept(
    desk: Desk, who: Personas, fourteen: list[str]
) -> None:
    other = past.case(verb="write_off", by=who.fin.id)
    fin = desk.browser(who.fin)
    assert "Conditions" in fin.page(f"{HREF}/new")
    answer = fin.post(f"{HREF}/new", FORM | {"act": "preview"})
    assert answer.status_code == 200
    said = text(answer.text)
    for words in (
        "the shortfall is less than 3 %: accept it.",
        "Would be resolved 15",
        "People decided alike 14",
        "People decided otherwise 1",
        "Write off",
    ):
        assert words in said, words
    assert f"/exceptions/{other}" in answer.text
    assert 'value="3"' in answer.text
    assert "No rules yet" in fin.page(HREF)
    assert len(fourteen) == 14


def test_wrong_input_keeps_what_was_typed(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    wrong = {"field2": "moneyAtRisk", "op2": "lt", "value2": "five <b>euros"}
    for act in ("preview", "save"):
        answer = fin.post(f"{HREF}/new", FORM | wrong | {"act": act})
        assert answer.status_code == 422
        assert "name the currency" in text(answer.text)
        assert html.escape("five <b>euros") in answer.text
        assert FORM["note"] in html.unescape(answer.text)
    for missing, said in (
        ({"note": ""}, "Say why"),
        ({"field1": "", "value1": ""}, "at least one condition"),
        ({"kind": "DISPUTE"}, "looked at by people"),
        ({"verb": "refund_all"}, "anything else needs people"),
        ({"value1": "3.123"}, "at most two decimals"),
    ):
        answer = fin.post(f"{HREF}/new", FORM | missing | {"act": "save"})
        assert (answer.status_code, said in text(answer.text)) == (422, True), said
    assert "No rules yet" in fin.page(HREF)


def test_draft_is_kept_once_and_listed(desk: Desk, who: Personas, fourteen: list[str]) -> None:
    del fourteen
    fin = desk.browser(who.fin)
    href = drafted(fin)
    again = desk.browser(who.flo).post(f"{HREF}/new", FORM | {"act": "save"})
    assert again.status_code == 422
    assert href in again.text
    listed = text(desk.browser(who.ann).page(HREF))
    assert "Draft" in listed
    assert "14 of 14 past cases decided alike" in listed


def test_second_person_enables_it_and_the_author_does_not(desk: Desk, who: Personas) -> None:
    fin, flo = desk.browser(who.fin, fresh=True), desk.browser(who.flo)
    href = drafted(fin)
    assert "neither you nor the author" in text(flo.page(f"{href}/enable"))
    assert flo.post(f"{href}/enable", reason="").status_code == 422
    assert flo.post(f"{href}/enable", reason="It is always so").status_code == 303
    assert flo.post(f"{href}/enable", reason="It is always so").status_code == 422
    page = flo.page(href)
    assert "Waits for a second person" in text(page)
    found = re.search(r"/approvals/apr_\w+", page)
    assert found
    own = fin.page(found[0])
    assert "You drafted this rule; somebody else must enable it." in text(own)
    assert "Let a rule accept “underpaid” cases" in text(own)
    assert f'action="{found[0]}/approve"' not in own
    assert f'action="{found[0]}/refuse"' in own
    content_hash = hidden(desk.browser(who.abe, fresh=True).page(found[0]), "content_hash")
    mine = fin.post(f"{found[0]}/approve", reason="Mine", content_hash=content_hash)
    assert mine.status_code in (409, 422)
    assert "You drafted this rule" in text(mine.text)
    abe = desk.browser(who.abe, fresh=True)
    done = abe.post(f"{found[0]}/approve", reason="Agreed", content_hash=content_hash)
    assert done.status_code == 303
    assert "At work" in text(fin.page(href))


def test_what_it_resolved_is_listed_and_reopened_with_one_click(desk: Desk, who: Personas) -> None:
    href = enabled(desk, who)
    made = [past.case(at=clock.now()) for _ in range(2)]
    assert past.sweep()
    fin = desk.browser(who.fin)
    page = fin.page(href)
    assert "2 cases" in text(page)
    assert "Accept by version 1" in text(page)
    answer = fin.post(f"/exceptions/{made[0]}/take-back", back=href)
    assert answer.location == href
    said = text(fin.page(href))
    assert "The case is open again" in said
    assert "taken back by Fin" in said
    assert past.read(made[0]).state == "open"
    assert fin.post(f"/exceptions/{made[0]}/take-back", back=href).status_code == 303
    assert "Not reopened" in text(fin.page(href))
    fin.post(f"/exceptions/{made[1]}/take-back", back="https://evil.example/")
    assert "the rule has stopped" in text(fin.page("/account"))
    assert "Ended" in text(fin.page(href))


def test_ended_rule_gets_its_next_version(desk: Desk, who: Personas) -> None:
    href = enabled(desk, who)
    fin = desk.browser(who.fin)
    assert fin.get(f"{href}/revise").status_code == 303
    assert "It does nothing from this moment on" in text(fin.page(f"{href}/disable"))
    assert fin.post(f"{href}/disable", reason="Too wide").status_code == 303
    form = fin.page(f"{href}/revise")
    assert 'value="3"' in form
    answer = fin.post(f"{href}/revise", FORM | {"act": "save", "value1": "2"})
    assert answer.location == href
    said = text(fin.page(href))
    assert "Version 2, the present one" in said
    assert "less than 3 %" in said
    assert "less than 2 %" in said


def test_roles_and_unknown_rules(desk: Desk, who: Personas) -> None:
    href = drafted(desk.browser(who.fin))
    for person in (who.sue, who.ed, who.mel, who.bo):
        browser = desk.browser(person)
        assert browser.get(HREF).status_code == 403
        assert browser.get(href).status_code == 403
    ann = desk.browser(who.ann)
    assert "Your role reads rules only." in text(ann.page(href))
    assert "Finance and admins draft rules." in text(ann.page(HREF))
    for path in (f"{HREF}/new", f"{href}/enable", f"{href}/disable", f"{href}/revise"):
        assert ann.get(path).status_code == 403
        assert ann.post(path, FORM | {"act": "save", "reason": "Because"}).status_code == 403
    assert ann.post("/exceptions/exc_x/take-back").status_code == 403
    fin = desk.browser(who.fin)
    for path in ("", "/enable", "/disable", "/revise"):
        assert fin.get(f"{HREF}/rul_nothing{path}").status_code == 404
    assert fin.post("/exceptions/exc_x/take-back").status_code == 303


def test_case_page_leads_to_a_draft_with_its_past(
    desk: Desk, who: Personas, fourteen: list[str]
) -> None:
    case_id = past.case("97.10", days_ago=0)
    fin = desk.browser(who.fin)
    assert "accepted 14 of the last 14" in text(fin.page(f"/exceptions/{case_id}"))
    assert "accepted 14 of the last 14" in text(fin.page("/exceptions"))
    answer = fin.get(f"{HREF}/draft?case={case_id}")
    assert answer.status_code == 303
    page = fin.page(str(answer.location))
    assert "People decided alike 14" in text(page)
    assert "Keep as a draft" in text(page)
    other = past.case("60.00", days_ago=0)
    assert fin.get(f"{HREF}/draft?case={other}").location == f"{HREF}/new"
    assert fin.get(f"{HREF}/draft?case={fourteen[0]}").location == f"{HREF}/new"
    assert fin.get(f"{HREF}/draft?case=exc_nothing").status_code == 404
    assert fin.get(f"{HREF}/draft").status_code == 404
    sue = desk.browser(who.sue)
    assert f"{HREF}/draft" not in sue.page(f"/exceptions/{case_id}")
    assert sue.get(f"{HREF}/draft?case={case_id}").status_code == 403


def test_case_page_says_which_rule_decided_and_takes_it_back(desk: Desk, who: Personas) -> None:
    href = enabled(desk, who)
    case_id = past.case(at=clock.now())
    past.sweep()
    fin, sue = desk.browser(who.fin), desk.browser(who.sue)
    page = fin.page(f"/exceptions/{case_id}")
    assert href in page
    assert "Take back what the rule decided" in text(page)
    assert "Finance and admins take back" in text(sue.page(f"/exceptions/{case_id}"))
    assert sue.post(f"/exceptions/{case_id}/take-back").status_code == 403
    assert fin.post(f"/exceptions/{case_id}/take-back").location == f"/exceptions/{case_id}"
    said = text(fin.page(f"/exceptions/{case_id}"))
    assert "Opened again" in said
    assert past.read(case_id).state == "open"

"""Signing in with a second factor: a step of its own, bound to the browser that showed the password, used once."""

from __future__ import annotations

import re

import pytest
import time_machine
from werkzeug.test import TestResponse

from core import clock
from domain.database import reading
from domain.people import step_up
from models.people import DeskSession
from tests.api import personas
from tests.api.personas import PASSWORD, Personas
from tests.dashboard import proofs
from tests.dashboard.desk import COOKIE, Browser, Desk, hidden, text

STEP = "/login/second-factor"
HALFWAY = "paydesk_sign_in"


@pytest.fixture
def fin(who: Personas) -> personas.Persona:
    personas.give_password(who.fin.id)
    return who.fin


def first(browser: Browser, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
    form = {"email": email, "password": password} | more
    form["csrf_token"] = hidden(browser.page("/login"), "csrf_token")
    return browser.client.post("/login", data=form)


def second(browser: Browser, **form: str) -> TestResponse:
    form["csrf_token"] = hidden(browser.page("/login"), "csrf_token")
    return browser.client.post(STEP, data=form)


def is_in(browser: Browser) -> bool:
    return browser.get("/").status_code == 200


def test_the_code_comes_after_the_password_and_counts_as_a_proof(
    desk: Desk, fin: personas.Persona
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    answer = first(browser, fin.email, next="/orders")
    assert (answer.status_code, answer.location) == (303, f"{STEP}?next=%2Forders")
    held = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(held.split("; "))
    assert not is_in(browser), "the password alone opens nothing"
    page = browser.page(answer.location)
    assert hidden(page, "next") == "/orders"
    answer = second(browser, code=codes.now(), next="/orders")
    assert (answer.status_code, answer.location) == (303, "/orders")
    assert is_in(browser)
    assert browser.client.get_cookie(HALFWAY) is None
    with reading() as session:
        row = session.query(DeskSession).filter(DeskSession.id.startswith("ses_")).one()
        assert step_up.is_recent(row.stepped_up_at)


def test_a_secret_that_was_only_handed_out_is_not_asked_for(
    desk: Desk, fin: personas.Persona
) -> None:
    proofs.give_codes(fin.id, confirmed=False)
    assert first(desk.anonymous(), fin.email).location == "/"


def test_the_second_step_without_the_first_leads_back_to_it(
    desk: Desk, fin: personas.Persona
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    assert browser.get(f"{STEP}?next=/orders").location == "/login?next=%2Forders"
    assert second(browser, code=codes.now()).location == "/login"
    for made_up in ("x", "chl_x.y", "."):
        browser.client.set_cookie(HALFWAY, made_up)
        assert second(browser, code=codes.now()).location == "/login"
    assert not is_in(browser)


def test_the_first_step_of_another_browser_is_no_good(desk: Desk, fin: personas.Persona) -> None:
    codes = proofs.give_codes(fin.id)
    first(desk.anonymous(), fin.email)
    thief = desk.anonymous()
    assert second(thief, code=codes.now()).location == "/login"
    assert not is_in(thief)


def test_a_first_step_is_used_once_and_soon(desk: Desk, fin: personas.Persona) -> None:
    codes = proofs.give_codes(fin.id)
    now = clock.unix()
    with time_machine.travel(now):
        browser = desk.anonymous()
        first(browser, fin.email)
        held = browser.client.get_cookie(HALFWAY)
        assert held is not None
        assert second(browser, code=codes.at(now)).status_code == 303
        copy = desk.anonymous()
        copy.client.set_cookie(HALFWAY, held.value)
        assert second(copy, code=codes.at(now + 30)).location == "/login"
        assert not is_in(copy)
    late = desk.anonymous()
    first(late, fin.email)
    with time_machine.travel(clock.after(301)):
        assert second(late, code=codes.at(clock.unix())).location == "/login"


def test_a_wrong_code_can_be_corrected_and_five_lock_both_steps(
    desk: Desk, fin: personas.Persona
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    first(browser, fin.email)
    for _ in range(5):
        answer = second(browser, code="abcdef", next="/orders")
        assert answer.status_code == 401
        assert hidden(answer.text, "next") == "/orders"
        assert "That code is not right" in text(answer.text)
    answer = second(browser, code=codes.now())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert first(desk.anonymous(), fin.email).status_code == 429
    with time_machine.travel(clock.after(62)):
        again = desk.anonymous()
        assert first(again, fin.email).location == STEP
        assert second(again, code=codes.at(clock.unix())).status_code == 429
    assert not is_in(browser)


def test_many_first_steps_do_not_buy_more_guesses(desk: Desk, fin: personas.Persona) -> None:
    codes = proofs.give_codes(fin.id)
    halves = [desk.anonymous() for _ in range(8)]
    for browser in halves:
        assert first(browser, fin.email).status_code == 303
    statuses = [second(browser, code="abcdef").status_code for browser in halves]
    assert statuses == [401] * 5 + [429] * 3
    assert second(halves[-1], code=codes.now()).status_code == 429


def test_a_passkey_is_enough_for_the_second_step(desk: Desk, fin: personas.Persona) -> None:
    key = proofs.add_passkey(desk.browser(fin))
    browser = desk.anonymous()
    assert first(browser, fin.email).location == STEP
    page = browser.page(STEP)
    assert 'name="code"' not in page
    assert re.search(r'<script defer src="/static/js/passkeys.js"', page)
    _, challenge_id, challenge = proofs.ask_options(browser, f"{STEP}/options", STEP)
    other = desk.anonymous()
    first(other, fin.email)
    stolen = key.sign(challenge)
    assert second(other, challenge=challenge_id, answer=stolen).status_code == 401
    _, challenge_id, challenge = proofs.ask_options(browser, f"{STEP}/options", STEP)
    assert second(browser, challenge=challenge_id, answer=key.sign(challenge)).location == "/"
    assert is_in(browser)


def test_nobody_is_asked_to_sign_before_the_password(desk: Desk, fin: personas.Persona) -> None:
    proofs.add_passkey(desk.browser(fin))
    browser = desk.anonymous()
    form = {"csrf_token": hidden(browser.page("/login"), "csrf_token")}
    assert browser.client.post(f"{STEP}/options", data=form).status_code == 401


def test_the_second_step_needs_its_token_and_our_own_page(
    desk: Desk, fin: personas.Persona
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    first(browser, fin.email)
    assert browser.client.post(STEP, data={"code": codes.now()}).status_code == 403
    form = {"code": codes.now(), "csrf_token": hidden(browser.page(STEP), "csrf_token")}
    evil = {"Origin": "https://evil.test"}
    assert browser.client.post(STEP, data=form, headers=evil).status_code == 403
    assert not is_in(browser)


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_the_second_step_never_leads_elsewhere(
    desk: Desk, fin: personas.Persona, elsewhere: str
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    assert first(browser, fin.email, next=elsewhere).location == STEP
    assert second(browser, code=codes.now(), next=elsewhere).location == "/"


def test_a_session_chosen_by_somebody_else_is_never_the_one_signed_in(
    desk: Desk, fin: personas.Persona
) -> None:
    codes = proofs.give_codes(fin.id)
    browser = desk.anonymous()
    browser.client.set_cookie(COOKIE, "chosen-by-somebody-else")
    first(browser, fin.email)
    assert second(browser, code=codes.now()).status_code == 303
    found = browser.client.get_cookie(COOKIE)
    assert found is not None
    assert found.value != "chosen-by-somebody-else"
    thief = desk.anonymous()
    thief.client.set_cookie(COOKIE, "chosen-by-somebody-else")
    assert not is_in(thief)

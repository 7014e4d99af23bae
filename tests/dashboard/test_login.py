"""Signing in and out: one answer for every wrong try, a new session each time, nowhere but our own paths."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api import personas
from tests.api.personas import PASSWORD, Personas
from tests.dashboard.desk import COOKIE, Browser, Desk, text


def sign_in(browser: Browser, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert found
    form = {"email": email, "password": password, "csrf_token": found[1]} | more
    return browser.client.post("/login", data=form)


@pytest.fixture
def fin(who: Personas) -> personas.Persona:
    personas.give_password(who.fin.id)
    return who.fin


def test_right_password_opens_the_desk(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.anonymous()
    answer = sign_in(browser, fin.email)
    assert (answer.status_code, answer.location) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/").status_code == 200


def test_login_leads_back_to_the_page_that_was_asked_for(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.anonymous()
    answer = browser.get("/payments?state=failed")
    assert (answer.status_code, answer.location) == (
        303,
        "/login?next=%2Fpayments%3Fstate%3Dfailed",
    )
    page = browser.get(answer.location).text
    assert 'name="next" value="/payments?state=failed"' in page
    answer = sign_in(browser, fin.email, next="/payments?state=failed")
    assert answer.location == "/payments?state=failed"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/\tx", "evil"],
)
def test_login_never_leads_elsewhere(desk: Desk, fin: personas.Persona, elsewhere: str) -> None:
    answer = sign_in(desk.anonymous(), fin.email, next=elsewhere)
    assert (answer.status_code, answer.location) == (303, "/")


def test_every_wrong_try_reads_the_same(desk: Desk, who: Personas, fin: personas.Persona) -> None:
    personas.give_password(who.ed.id)
    personas.change(who.ed.id, state="disabled")
    answers = [
        sign_in(desk.anonymous(), email, password)
        for email, password in (
            (fin.email, "wrong password here"),
            ("nobody@people.test", PASSWORD),
            (who.ed.email, PASSWORD),
            ("", ""),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    said = {text(answer.text).split("E-mail")[0] for answer in answers}
    assert len(said) == 1
    assert "The address or the password is not right." in said.pop()


def test_sixth_wrong_try_within_a_minute_is_refused(desk: Desk, fin: personas.Persona) -> None:
    for _ in range(5):
        assert sign_in(desk.anonymous(), fin.email, "wrong password here").status_code == 401
    answer = sign_in(desk.anonymous(), fin.email)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many wrong tries" in answer.text


def test_login_form_without_its_token_is_refused(desk: Desk, fin: personas.Persona) -> None:
    form = {"email": fin.email, "password": PASSWORD}
    assert desk.anonymous().client.post("/login", data=form).status_code == 403


def test_login_from_another_site_is_refused(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.anonymous()
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert found
    form = {"email": fin.email, "password": PASSWORD, "csrf_token": found[1]}
    headers = {"Origin": "https://evil.test"}
    assert browser.client.post("/login", data=form, headers=headers).status_code == 403


def test_each_sign_in_has_a_session_of_its_own(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.anonymous()
    browser.client.set_cookie(COOKIE, "chosen-by-somebody-else")
    sign_in(browser, fin.email)
    first = browser.client.get_cookie(COOKIE)
    assert first is not None
    assert first.value != "chosen-by-somebody-else"
    sign_in(other := desk.anonymous(), fin.email)
    second = other.client.get_cookie(COOKIE)
    assert second is not None
    assert second.value != first.value


def test_who_is_signed_in_needs_no_form(desk: Desk, fin: personas.Persona) -> None:
    answer = desk.browser(fin).get("/login?next=/orders")
    assert (answer.status_code, answer.location) == (303, "/orders")


def test_logout_ends_the_session_on_the_server(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.browser(fin)
    answer = browser.post("/logout")
    assert (answer.status_code, answer.location) == (303, "/login")
    thief = desk.anonymous()
    thief.client.set_cookie(COOKIE, browser.token)
    assert thief.get("/").status_code == 303


def test_passwords_are_listed_in_the_sandbox_only(app: Flask, desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    assert app.config["PAYDESK"].env == "test"
    assert "Sandbox people" not in desk.anonymous().get("/login").text

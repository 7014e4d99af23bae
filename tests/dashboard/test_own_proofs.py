"""One's own factors and password on the account pages: set up, replaced and taken away by their owner alone."""

from __future__ import annotations

import dataclasses

import pytest
import time_machine

from core import clock
from dashboard import proof_forms
from domain.database import reading
from domain.people import passkeys, second_factor
from models.people import User
from tests.api import personas
from tests.api.personas import PASSWORD, Personas
from tests.dashboard import proofs
from tests.dashboard.desk import COOKIE, Browser, Desk, hidden, text
from tests.dashboard.proofs import STEP_UP, give_codes
from tests.dashboard.test_second_step import first

APP, CONFIRM, REMOVE = "/account/code-app", "/account/code-app/confirm", "/account/code-app/remove"
NEW = "another horse battery"


@pytest.fixture
def fin(who: Personas) -> personas.Persona:
    personas.give_password(who.fin.id)
    return who.fin


def factors(user_id: str) -> second_factor.Factors:
    with reading() as session:
        return second_factor.factors(session, session.get_one(User, user_id))


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie(COOKIE)
    assert found is not None
    return str(found.value)


def test_codes_are_set_up_with_the_password_and_a_first_code(
    desk: Desk, fin: personas.Persona
) -> None:
    browser = desk.browser(fin)
    assert "You have no second factor" in text(browser.page("/account"))
    assert 'name="password"' in browser.page(APP)
    answer = browser.post(APP, password="not my password")
    assert answer.status_code == 422
    assert "This is not your password." in text(answer.text)
    assert browser.get(CONFIRM).location == APP
    assert browser.post(APP, password=PASSWORD).location == CONFIRM
    page = browser.page(CONFIRM)
    assert 'src="data:image/svg+xml' in page
    assert "otpauth" not in page, "the picture is drawn, not linked"
    codes = proofs.shown_secret(page)
    answer = browser.post(CONFIRM, code="abcdef")
    assert answer.status_code == 422
    assert codes.secret in answer.text
    assert not factors(fin.id).any
    before = cookie(browser)
    assert browser.post(CONFIRM, code=codes.now()).location == "/account"
    assert cookie(browser) != before
    said = text(browser.page("/account"))
    assert "Your code app is set up" in said
    assert "Asked at sign-in" in said
    assert first(desk.anonymous(), fin.email).location == "/login/second-factor"


def test_a_secret_is_shown_to_the_session_that_asked_only(
    desk: Desk, fin: personas.Persona
) -> None:
    browser, other = desk.browser(fin), desk.browser(fin)
    browser.post(APP, password=PASSWORD)
    codes = proofs.shown_secret(browser.page(CONFIRM))
    assert other.get(CONFIRM).location == APP
    assert other.post(CONFIRM, code=codes.now()).location == APP
    with time_machine.travel(clock.after(901)):
        assert browser.get(CONFIRM).location == APP
    assert not factors(fin.id).any


def test_whoever_has_a_factor_shows_it_before_changing_anything(
    desk: Desk, fin: personas.Persona
) -> None:
    give_codes(fin.id)
    proofs.add_passkey(desk.browser(fin, fresh=True))
    with reading() as session:
        key_id = passkeys.list_passkeys(session, fin.id)[0].id
    stale = desk.browser(fin)
    remove_key = f"/account/passkeys/{key_id}/remove"
    for path in (APP, REMOVE, "/account/passkeys/new", remove_key):
        assert stale.get(path).location == f"{STEP_UP}?next={path.replace('/', '%2F')}", path
    for path in (APP, REMOVE, remove_key):
        answer = stale.post(path, password=PASSWORD)
        assert answer.location == f"{STEP_UP}?next={path.replace('/', '%2F')}", path
    assert stale.post("/account/passkeys/options", name="x").status_code == 403
    assert factors(fin.id) == second_factor.Factors(True, True, 1)
    fresh = desk.browser(fin, fresh=True)
    assert 'name="password"' not in fresh.page(APP)
    assert fresh.post(APP).location == CONFIRM


def test_the_last_factor_of_staff_goes_for_the_password_only(
    desk: Desk, fin: personas.Persona
) -> None:
    give_codes(fin.id)
    browser = desk.browser(fin, fresh=True)
    page = browser.page(REMOVE)
    assert "You have no second factor left" in text(page)
    assert 'name="password"' in page
    answer = browser.post(REMOVE, password="not my password")
    assert answer.status_code == 422
    assert factors(fin.id).has_app
    assert browser.post(REMOVE, password=PASSWORD).location == "/account"
    assert not factors(fin.id).any
    assert browser.get(REMOVE).location == "/account"


def test_guessing_the_password_on_the_account_pages_is_counted_as_a_sign_in(
    desk: Desk, fin: personas.Persona
) -> None:
    browser = desk.browser(fin)
    for _ in range(5):
        assert browser.post(APP, password="not my password").status_code == 422
    answer = browser.post(APP, password=PASSWORD)
    assert answer.status_code == 429
    assert "Too many wrong tries" in text(answer.text)
    assert (
        browser.post("/account/password", password=PASSWORD, new=NEW, again=NEW).status_code == 429
    )
    options = browser.post("/account/passkeys/options", name="x", password=PASSWORD)
    assert (options.status_code, options.json["error"]) == (429, "Too many wrong tries")


def test_several_passkeys_have_names_and_go_one_by_one(desk: Desk, fin: personas.Persona) -> None:
    browser = desk.browser(fin)
    proofs.add_passkey(browser, name="Blue key")
    # Setting the first one up was a proof.
    proofs.add_passkey(browser, name='<b>"Laptop"</b>')
    page = browser.page("/account")
    assert "Blue key" in page
    assert "&lt;b&gt;&#34;Laptop&#34;&lt;/b&gt;" in page
    with reading() as session:
        rows = {row.name: row.id for row in passkeys.list_passkeys(session, fin.id)}
    path = f"/account/passkeys/{rows['Blue key']}/remove"
    assert "Your other second factor goes on counting." in text(browser.page(path))
    assert browser.post(path).location == "/account"
    assert browser.get(path).status_code == 404
    assert "Blue key" not in browser.page("/account")


def test_a_passkey_without_name_password_or_script_is_not_set_up(
    desk: Desk, fin: personas.Persona
) -> None:
    browser, page = desk.browser(fin), "/account/passkeys/new"
    ask = "/account/passkeys/options"
    for form, said in (
        ({"name": "", "password": PASSWORD}, "A name has 1 to 60 characters."),
        ({"name": "x", "password": "wrong"}, "This is not your password."),
    ):
        answer, _, _ = proofs.ask_options(browser, ask, page, **form)
        assert (answer.status_code, answer.json["error"]) == (422, said)
    answer = browser.post(page, name="Blue key", answer="")
    assert answer.status_code == 422
    assert "Passkeys need JavaScript" in text(answer.text)
    assert 'value="Blue key"' in answer.text
    _, challenge_id, challenge = proofs.ask_options(browser, ask, page, name="x", password=PASSWORD)
    made = proofs.device().make(challenge)
    other = desk.browser(fin)
    assert other.post(page, name="x", challenge=challenge_id, answer=made).status_code == 422
    assert browser.post(page, name="x", challenge=challenge_id, answer=made).status_code == 422
    assert not factors(fin.id).any


def test_nobody_sees_or_removes_somebody_elses_passkey(
    desk: Desk, who: Personas, fin: personas.Persona
) -> None:
    personas.give_password(who.flo.id)
    proofs.add_passkey(desk.browser(who.flo), name="Flo's key")
    with reading() as session:
        flos = passkeys.list_passkeys(session, who.flo.id)[0].id
    give_codes(fin.id)
    browser = desk.browser(fin, fresh=True)
    assert browser.get(f"/account/passkeys/{flos}/remove").status_code == 404
    assert browser.post(f"/account/passkeys/{flos}/remove", password=PASSWORD).status_code == 404
    assert factors(who.flo.id).passkeys == 1


def test_a_new_password_ends_every_other_session_and_token(
    desk: Desk, fin: personas.Persona
) -> None:
    here, there = desk.browser(fin), desk.browser(fin)
    before = cookie(here)
    answer = here.post("/account/password", password=PASSWORD, new=NEW, again=NEW)
    assert (answer.status_code, answer.location) == (303, "/account")
    said = text(here.page("/account"))
    assert "Your password is changed You were signed out of 2 other places." in said
    assert "Password Set just now" in said
    assert there.get("/").status_code == 303
    assert cookie(here) != before
    thief = desk.anonymous()
    thief.client.set_cookie(COOKIE, before)
    assert thief.get("/").status_code == 303
    assert desk.anonymous().get("/api/me", htmx=False).status_code == 401
    answer = desk.anonymous().client.get("/api/me", headers=fin.headers)
    assert answer.status_code == 401
    assert first(desk.anonymous(), fin.email).status_code == 401
    assert first(desk.anonymous(), fin.email, NEW).location == "/"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"password": "wrong", "new": NEW, "again": NEW}, "This is not your password."),
        ({"password": PASSWORD, "new": "short", "again": "short"}, "A password has 12 to 256"),
        ({"password": PASSWORD, "new": "a" * 20, "again": "a" * 20}, "one of the first"),
        ({"password": PASSWORD, "new": NEW, "again": "x"}, "not the same as above"),
        ({"password": PASSWORD, "new": PASSWORD, "again": PASSWORD}, "the password you have"),
        ({"password": PASSWORD, "new": "é\0" * 150, "again": "é\0" * 150}, "A password has 12"),
        ({}, "A password has 12 to 256"),
    ],
)
def test_a_password_is_not_changed_for_a_bad_form(
    desk: Desk, fin: personas.Persona, form: dict[str, str], said: str
) -> None:
    browser = desk.browser(fin)
    answer = browser.post("/account/password", dict(form))
    assert answer.status_code == 422
    assert said in text(answer.text)
    assert PASSWORD not in answer.text
    assert NEW not in answer.text
    assert browser.get("/").status_code == 200
    assert first(desk.anonymous(), fin.email).location == "/"


def test_a_bare_address_offers_no_passkeys_and_says_why(desk: Desk, fin: personas.Persona) -> None:
    settings = desk.app.config["PAYDESK"]
    desk.app.config["PAYDESK"] = dataclasses.replace(settings, public_url="http://127.0.0.1:8000")
    browser = desk.browser(fin)
    for path in ("/account", "/account/second-factor", "/account/passkeys/new"):
        assert "not by a bare address" in text(browser.page(path)), path
    assert hidden(browser.page("/account/passkeys/new"), "csrf_token")


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
        ("https://Desk.Example", "desk.example", "https://desk.example"),
        ("https://desk.example:443", "desk.example", "https://desk.example"),
        ("https://desk.example:8443/x", "desk.example", "https://desk.example:8443"),
    ],
)
def test_passkeys_are_held_against_the_origin_as_browsers_write_it(
    desk: Desk, url: str, host: str, origin: str
) -> None:
    settings = desk.app.config["PAYDESK"]
    desk.app.config["PAYDESK"] = dataclasses.replace(settings, public_url=url)
    with desk.app.test_request_context():
        assert proof_forms.site() == passkeys.Site(host, origin)

"""Setting a password by a link, and asking for one: nothing to be learned, nothing to be leaked."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

import config
from core.states import Role
from domain.actors import system
from domain.database import reading, transaction
from domain.jobs import mail as job
from domain.jobs import smtp
from domain.mail import mails
from domain.people import account_links
from models.audit import AuditRow
from models.people import SignInAttempt, User
from models.proofs import AccountLink, Mail
from tests.api import personas
from tests.api.personas import PASSWORD, Personas
from tests.dashboard.desk import COOKIE, HTMX, Browser, Desk, text
from web import identity

NEW = "four unrelated words here"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Mail goes to a server; nothing here lets it leave."""
    return environ | {"SMTP_URL": "smtp://127.0.0.1:1", "PUBLIC_URL": "http://desk.test"}


def link_for(user_id: str) -> str:
    with transaction() as session:
        user = session.get_one(User, user_id)
        url = account_links.make(session, user, actor=system("test"), source="test").url
    return url.removeprefix("http://desk.test")


def csrf(browser: Browser, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(path).text)
    assert found
    return found[1]


def choose(browser: Browser, path: str, new: str = NEW, again: str | None = None) -> TestResponse:
    form = {"new": new, "again": new if again is None else again}
    form["csrf_token"] = csrf(browser, path)
    return browser.client.post(path, data=form)


def sign_in(browser: Browser, email: str, password: str) -> TestResponse:
    form = {"email": email, "password": password, "csrf_token": csrf(browser, "/login")}
    return browser.client.post("/login", data=form)


def wish(browser: Browser, email: str) -> TestResponse:
    form = {"email": email, "csrf_token": csrf(browser, "/login/forgot")}
    return browser.client.post("/login/forgot", data=form)


def test_an_invited_person_chooses_a_password_and_signs_in(desk: Desk, who: Personas) -> None:
    path, browser = link_for(who.sue.id), desk.anonymous()
    page = browser.get(path)
    assert page.status_code == 200
    assert "Choose your password" in page.text
    answer = choose(browser, path)
    assert (answer.status_code, answer.location) == (303, "/login")
    assert COOKIE not in "".join(answer.headers.getlist("Set-Cookie"))
    assert browser.get("/").status_code == 303
    assert "Your password is set" in browser.get("/login").text
    assert sign_in(browser, who.sue.email, NEW).location == "/"


def test_a_link_works_once_and_says_so(desk: Desk, who: Personas) -> None:
    path, browser = link_for(who.sue.id), desk.anonymous()
    token = csrf(browser, path)
    assert choose(browser, path).status_code == 303
    late = browser.client.post(path, data={"new": NEW, "again": NEW, "csrf_token": token})
    for answer in (browser.get(path), browser.get("/account/set-password/nothing"), late):
        assert answer.status_code == 410
        assert "This link works no more" in answer.text


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("short", "short", "A password has 12"),
        ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "one of the first"),
        (NEW, "something else", "not the same"),
        ("x" * 300, "x" * 300, "to 256 characters"),
    ],
)
def test_a_bad_password_is_asked_for_again(
    desk: Desk, who: Personas, new: str, again: str, said: str
) -> None:
    path, browser = link_for(who.sue.id), desk.anonymous()
    answer = choose(browser, path, new, again)
    assert answer.status_code == 422
    assert said in answer.text
    assert new not in answer.text
    assert choose(browser, path).status_code == 303


def test_the_link_goes_into_no_referer_and_no_page(desk: Desk, who: Personas) -> None:
    path, browser = link_for(who.sue.id), desk.anonymous()
    for answer in (browser.get(path), choose(browser, path, "short"), choose(browser, path)):
        assert answer.headers["Referrer-Policy"] == "strict-origin"
        # The page's own word would overrule the header.
        assert "same-origin" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "sse-connect" not in answer.text
        outward = re.findall(r'(?:href|src)="([^"]+)"', answer.text)
        assert not [each for each in outward if path in each]
    assert browser.get(path).headers["Referrer-Policy"] == "strict-origin"


def test_setting_a_password_skips_no_second_factor(desk: Desk, who: Personas) -> None:
    import pyotp

    from core import clock
    from domain.people import second_factor
    from domain.secrets import keyring

    secret = pyotp.random_base32()
    sealed = keyring.seal_text(secret, purpose="totp", place=second_factor.place(who.fin.id))
    personas.change(who.fin.id, totp_sealed=sealed, totp_confirmed_at=clock.now())
    browser = desk.anonymous()
    choose(browser, link_for(who.fin.id))
    sign_in(browser, who.fin.email, NEW)
    assert browser.get("/").status_code == 303


def test_a_reset_ends_what_was_open(desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    open_one = desk.browser(who.fin)
    choose(desk.anonymous(), link_for(who.fin.id))
    assert open_one.get("/").status_code == 303
    assert desk.app.test_client().get("/api/me", headers=who.fin.headers).status_code == 401
    assert sign_in(desk.anonymous(), who.fin.email, PASSWORD).status_code == 401


def test_everybody_who_forgot_reads_the_same(desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    personas.give_password(who.ed.id)
    personas.change(who.ed.id, state="disabled")
    answers = [
        wish(desk.anonymous(), email)
        for email in (who.fin.email, who.ed.email, "nobody@people.test", "no address", "")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({re.sub(r'value="[^"]+"', "", answer.text) for answer in answers}) == 1
    with reading() as session:
        # Who that is, the worker finds out; the request writes the same for everybody.
        assert session.scalar(select(func.count()).select_from(Mail)) == len(answers)
        assert session.scalar(select(func.count()).select_from(AccountLink)) == 0
        rows = session.scalars(select(Mail)).all()
    assert {(row.kind, row.user_id, row.subject, row.state) for row in rows} == {
        (mails.FORGOT, None, "", "pending")
    }


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[mails.Addressed]:
    """What the worker hands to the mail server."""
    found: list[mails.Addressed] = []
    monkeypatch.setattr(smtp, "send", lambda letter, _: found.append(letter))
    return found


def test_who_forgot_gets_a_link_to_this_installation_whatever_host_was_asked(
    desk: Desk, who: Personas, sent: list[mails.Addressed]
) -> None:
    personas.give_password(who.fin.id)
    client, evil = desk.app.test_client(), "http://evil.test"
    found = re.search(
        r'name="csrf_token" value="([^"]+)"', client.get("/login/forgot", base_url=evil).text
    )
    assert found
    form = {"email": who.fin.email, "csrf_token": found[1]}
    headers = {"X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    answer = client.post("/login/forgot", base_url=evil, data=form, headers=headers)
    assert answer.status_code == 200
    wish(desk.anonymous(), "nobody@people.test")
    while job.send_next():
        pass
    assert [letter.to for letter in sent] == [who.fin.email]
    assert "evil" not in sent[0].body
    found = re.search(r"http://desk\.test(/account/set-password/\S+)", sent[0].body)
    assert found
    assert choose(desk.anonymous(), found[1]).location == "/login"


def test_wishes_are_counted_per_account_and_keep_nobody_from_signing_in(
    desk: Desk, who: Personas
) -> None:
    personas.give_password(who.fin.id)
    for email in (who.fin.email, "nobody@people.test"):
        for _ in range(5):
            assert wish(desk.anonymous(), email).status_code == 200
        refused = wish(desk.anonymous(), email.upper())
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
    assert sign_in(desk.anonymous(), who.fin.email, PASSWORD).location == "/"


def test_wishes_are_counted_per_address(desk: Desk) -> None:
    browser = desk.anonymous()
    came = [wish(browser, f"nobody{no}@people.test").status_code for no in range(21)]
    assert came == [200] * 20 + [429]
    with reading() as session:
        subjects = session.scalars(select(SignInAttempt.subject)).all()
    assert not [each for each in subjects if "nobody" in each]


def test_no_wish_from_another_site_is_heard(desk: Desk, who: Personas) -> None:
    browser, path = desk.anonymous(), link_for(who.sue.id)
    for where in ("/login/forgot", path):
        token = csrf(browser, where)
        form = {"email": who.sue.email, "new": NEW, "again": NEW}
        assert browser.client.post(where, data=form).status_code == 403
        evil = {"Origin": "https://evil.test"}
        answer = browser.client.post(where, data=form | {"csrf_token": token}, headers=evil)
        assert answer.status_code == 403
    assert browser.get(path).status_code == 200


def _look() -> None:
    identity.viewer()


def test_a_refused_form_writes_no_link_down(
    desk: Desk, who: Personas, capsys: pytest.CaptureFixture[str]
) -> None:
    path = link_for(who.sue.id)
    signed_in = desk.browser(who.fin)
    # As if something before the refusal had asked who this is.
    desk.app.before_request_funcs.setdefault(None, []).insert(0, _look)
    assert signed_in.client.post(path, data={"new": NEW, "again": NEW}).status_code == 403
    assert path.rpartition("/")[2][:20] not in "".join(capsys.readouterr())
    with reading() as session:
        rows = list(session.scalars(select(AuditRow)))
        assert [row.object_id for row in rows if row.refused] == ["/account/set-password/<token>"]
        for row in rows:
            assert path.rpartition("/")[2][:20] not in f"{row.object_id} {row.after} {row.source}"


def test_an_installation_without_mail_says_so(app: Flask, environ: dict[str, str]) -> None:
    mails.configure(config.load(environ | {"SMTP_URL": ""}))
    browser = Browser(app.test_client())
    assert "This installation sends no mail" in browser.get("/login/forgot").text
    token = csrf(browser, "/login")
    form = {"email": "nobody@people.test", "csrf_token": token}
    answer = browser.client.post("/login/forgot", data=form, headers=HTMX)
    assert "This installation sends no mail" in text(answer.text)
    with reading() as session:
        assert session.scalars(select(Mail)).all() == []


def test_whoever_is_signed_in_may_use_a_link_too(desk: Desk, who: Personas) -> None:
    path = link_for(personas.user("nina@people.test", role=Role.BUYER).id)
    browser = desk.browser(who.fin)
    assert "nina@people.test" in browser.page(path)
    assert choose(browser, path).location == "/login"
    assert browser.get("/").status_code == 200

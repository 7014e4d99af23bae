"""The desk's sign-in: rows that die on the server, cookies of the right kind, no act without its token."""

from __future__ import annotations

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select

from api import touch
from core import clock
from domain.database import reading
from domain.people import sessions
from models.people import DeskSession
from tests.api import personas
from tests.api.personas import Personas
from tests.web.pages import Desk


@pytest.fixture
def who(desk: Desk) -> Personas:
    """The people of this test, in the desk's database."""
    del desk
    return Personas()


def token_of(browser: FlaskClient) -> str:
    return str(browser.get("/knock/home").text.split(" ")[1])


def test_pages_send_strangers_to_the_login_and_back(desk: Desk, client: FlaskClient) -> None:
    answer = client.get("/knock/home?a=1&b=2")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/login?next=%2Fknock%2Fhome%3Fa%3D1%26b%3D2",
    )
    assert client.post("/knock/act").headers["Location"] == "/login?next=%2F"
    fragment = client.get("/knock/home", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (
        204,
        "/login?next=%2Fknock%2Fhome",
    )


def test_a_signed_in_person_is_known_and_their_role_counts(desk: Desk, who: Personas) -> None:
    browser = desk.sign_in(who.ann.id)
    assert browser.get("/knock/home").text.startswith(who.ann.id)
    assert browser.get("/knock/audit").status_code == 200
    assert desk.sign_in(who.ed.id).get("/knock/audit").status_code == 403


def test_a_token_or_key_opens_no_page(desk: Desk, client: FlaskClient, who: Personas) -> None:
    for caller in (who.ann, who.mels_key):
        assert client.get("/knock/home", headers=caller.headers).status_code == 401


def test_the_cookie_opens_the_api_for_reading_only_and_with_a_token_for_acts(
    desk: Desk, who: Personas
) -> None:
    browser = desk.sign_in(who.bo.id)
    assert browser.get("/api/me").json["userId"] == who.bo.id
    path = f"/api/users/{who.bo.id}/sessions?sessionId={who.bo.jti}"
    assert browser.delete(path).status_code == 403
    assert browser.delete(path, headers={"X-CSRF-Token": "x"}).status_code == 403
    assert browser.delete(path, headers={"X-CSRF-Token": token_of(browser)}).status_code == 204


def test_acts_need_the_token_of_this_session_and_our_own_origin(desk: Desk, who: Personas) -> None:
    browser, other = desk.sign_in(who.ann.id), desk.sign_in(who.ada.id)
    good, foreign = token_of(browser), token_of(other)
    refused = [
        browser.post("/knock/act"),
        browser.post("/knock/act", data={"csrf_token": ""}),
        browser.post("/knock/act", data={"csrf_token": "guess"}),
        browser.post("/knock/act", data={"csrf_token": foreign}),
        browser.post(
            "/knock/act", data={"csrf_token": good}, headers={"Sec-Fetch-Site": "cross-site"}
        ),
        browser.post(
            "/knock/act", data={"csrf_token": good}, headers={"Sec-Fetch-Site": "same-site"}
        ),
        browser.post(
            "/knock/act", data={"csrf_token": good}, headers={"Origin": "https://evil.example"}
        ),
        browser.post("/knock/act", data={"csrf_token": good}, headers={"Origin": "null"}),
        browser.post("/knock/act", data=f"csrf_token={good}", content_type="text/plain"),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert desk.acts == 0
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/knock/act", data={"csrf_token": good}, headers=own).status_code == 302
    assert browser.post("/knock/act", headers={"X-CSRF-Token": good}).status_code == 302
    assert desk.acts == 2


def test_a_token_survives_flashes_and_dies_with_its_session(desk: Desk, who: Personas) -> None:
    browser = desk.sign_in(who.ann.id)
    good = token_of(browser)
    for _ in range(3):
        assert browser.post("/knock/act", data={"csrf_token": good}).status_code == 302
    assert "csrf" not in (browser.get_cookie("paydesk_form") or "").__str__()
    assert browser.post("/knock/logout", data={"csrf_token": good}).status_code == 200
    again = desk.sign_in(who.ann.id)
    assert again.post("/knock/act", data={"csrf_token": good}).status_code == 403


def test_open_forms_need_their_token_too(desk: Desk, client: FlaskClient) -> None:
    token = client.get("/knock/open").text
    assert client.post("/knock/open").status_code == 403
    assert desk.app.test_client().post("/knock/open", data={"csrf_token": token}).status_code == 403
    assert client.post("/knock/open", data={"csrf_token": token}).status_code == 200


def test_a_session_ends_on_the_server(desk: Desk, who: Personas) -> None:
    browser = desk.sign_in(who.ann.id)
    cookie = browser.get_cookie("paydesk_session")
    assert cookie is not None
    assert browser.post("/knock/logout", data={"csrf_token": token_of(browser)}).status_code == 200
    thief = desk.app.test_client()
    thief.set_cookie("paydesk_session", cookie.value)
    assert thief.get("/knock/home").status_code == 303


def test_a_disabled_person_is_out_at_once(desk: Desk, who: Personas) -> None:
    browser = desk.sign_in(who.ann.id)
    personas.change(who.ann.id, state="disabled")
    assert browser.get("/knock/home").status_code == 303


def test_an_idle_or_old_session_is_dead_and_use_keeps_it_alive(
    desk: Desk, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its minute is one of the monotonic clock, which does not travel.
    monkeypatch.setattr(touch, "SECONDS", 0.0)
    browser = desk.sign_in(who.ann.id)
    with time_machine.travel(clock.after(sessions.IDLE_SECONDS + 5), tick=True):
        assert browser.get("/knock/home").status_code == 303
    browser = desk.sign_in(who.ann.id)
    start = clock.now().timestamp()
    with time_machine.travel(start, tick=False) as traveller:
        for step in range(1, 60):
            at = step * (sessions.IDLE_SECONDS - 60)
            traveller.move_to(start + at)
            alive = browser.get("/knock/home").status_code == 200
            assert alive == (at < sessions.ABSOLUTE_SECONDS), at
            if not alive:
                return
    pytest.fail("the session never ended")


def test_only_a_hash_of_the_cookie_is_stored(desk: Desk, who: Personas) -> None:
    browser = desk.sign_in(who.ann.id)
    cookie = browser.get_cookie("paydesk_session")
    assert cookie is not None
    assert len(cookie.value) == 43
    with reading() as db:
        hashes = list(db.scalars(select(DeskSession.token_hash)))
    assert cookie.value not in hashes
    # Neither a stored hash nor a token's id is of any use as a cookie.
    for value in (*hashes, who.ann.jti, f"jwt|{who.ann.jti}", "", "x" * 2000):
        thief = desk.app.test_client()
        thief.set_cookie("paydesk_session", value)
        assert thief.get("/knock/home").status_code == 303


def test_a_planted_session_id_stays_a_strangers(desk: Desk, who: Personas) -> None:
    browser = desk.app.test_client()
    browser.set_cookie("paydesk_session", "planted")
    assert browser.get("/knock/home").status_code == 303
    assert desk.sign_in(who.ann.id).get_cookie("paydesk_session") != browser.get_cookie(
        "paydesk_session"
    )
    assert browser.get("/knock/home").status_code == 303


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(
    desk: Desk, client: FlaskClient
) -> None:
    token = client.get("/knock/open").text
    said = client.post("/knock/login", data={"csrf_token": token}).headers["Set-Cookie"]
    assert said.startswith("paydesk_session=fresh-token;")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(said.split("; "))
    assert "Domain" not in said
    assert "Secure" not in said

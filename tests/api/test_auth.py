"""Tokens: issued for a password and a code, ended ones dead, guessing limited."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient

from core import clock, ids
from domain.database import transaction
from domain.people import tokens
from models.proofs import Passkey
from tests.api import personas
from tests.api.personas import PASSWORD, Personas
from tests.dashboard.proofs import give_codes
from web import identity

TOKEN = "/api/auth/token"


def code(answer: Any) -> str:
    return str(answer.json["error"]["code"])


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post(TOKEN, json={"email": email, "password": password} | more)


def test_a_password_gets_a_token_that_opens_the_api(client: FlaskClient, who: Personas) -> None:
    personas.give_password(who.bo.id)
    answer = sign_in(client, who.bo.email.upper())
    assert answer.status_code == 200
    me = client.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert (me.json["userId"], me.json["email"], me.json["role"]) == (
        who.bo.id,
        who.bo.email,
        "buyer",
    )
    assert me.json["steppedUpAt"] is None
    assert "orders:create" in me.json["permissions"]


def test_every_refusal_has_the_same_words(client: FlaskClient, who: Personas) -> None:
    personas.give_password(who.bo.id)
    personas.give_password(who.sal.id)
    personas.change(who.sal.id, state="disabled")
    said = [
        sign_in(client, "nobody@people.test"),
        sign_in(client, who.bo.email, "wrong password"),
        sign_in(client, who.sal.email),
        sign_in(client, who.ada.email),
        sign_in(client, who.bo.email, PASSWORD + "x" * 200),
    ]
    bodies = [{**answer.json["error"], "requestId": ""} for answer in said]
    assert {answer.status_code for answer in said} == {401}
    assert all(body == bodies[0] for body in bodies)


def test_five_refusals_a_minute_lock_an_account_known_or_not(
    client: FlaskClient, who: Personas
) -> None:
    personas.give_password(who.bo.id)
    for email in (who.bo.email, "nobody@people.test"):
        for _ in range(5):
            assert sign_in(client, email, "wrong password").status_code == 401
        locked = sign_in(client, email)
        assert (locked.status_code, code(locked)) == (429, "RATE_LIMITED")
        assert 1 <= int(locked.headers["Retry-After"]) <= 61
    with time_machine.travel(clock.after(61), tick=True):
        assert sign_in(client, who.bo.email).status_code == 200


def test_twenty_refusals_a_minute_lock_an_address(client: FlaskClient, who: Personas) -> None:
    personas.give_password(who.bo.id)
    for number in range(20):
        assert sign_in(client, f"guess{number}@people.test").status_code == 401
    assert sign_in(client, who.bo.email).status_code == 429
    elsewhere = client.post(
        TOKEN,
        json={"email": who.bo.email, "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert elsewhere.status_code == 200


def test_a_sign_in_that_succeeds_is_not_counted(client: FlaskClient, who: Personas) -> None:
    personas.give_password(who.bo.id)
    for _ in range(8):
        assert sign_in(client, who.bo.email).status_code == 200


def test_a_second_factor_is_asked_for_and_each_code_counts_once(
    client: FlaskClient, who: Personas
) -> None:
    codes = give_codes(who.ada.id)
    personas.give_password(who.ada.id)
    now = clock.unix()
    with time_machine.travel(now):
        assert code(sign_in(client, who.ada.email)) == "SECOND_FACTOR_REQUIRED"
        assert code(sign_in(client, who.ada.email, "wrong password")) == "UNAUTHENTICATED"
        assert code(sign_in(client, who.ada.email, code="abcdef")) == "UNAUTHENTICATED"
        answer = sign_in(client, who.ada.email, code=codes.at(now))
        assert answer.status_code == 200
        me = client.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
        assert me.json["steppedUpAt"] is not None
        again = sign_in(client, who.ada.email, code=codes.at(now))
        assert code(again) == "UNAUTHENTICATED"


def test_a_secret_that_was_only_handed_out_is_taken_and_not_demanded(
    client: FlaskClient, who: Personas
) -> None:
    codes = give_codes(who.ada.id, confirmed=False)
    personas.give_password(who.ada.id)
    for sent, is_stepped_up in (({}, False), ({"code": codes.now()}, True)):
        answer = sign_in(client, who.ada.email, **sent)
        assert answer.status_code == 200
        me = client.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
        assert (me.json["steppedUpAt"] is not None) == is_stepped_up
    assert code(sign_in(client, who.ada.email, code="abcdef")) == "UNAUTHENTICATED"


def test_a_user_has_a_second_factor_once_it_is_set_up_and_not_when_handed_out(
    client: FlaskClient, who: Personas
) -> None:
    def said(user_id: str) -> tuple[bool, bool]:
        listed = client.get("/api/users", headers=who.ada.headers).json["items"]
        one = client.get(f"/api/users/{user_id}", headers=who.ada.headers).json
        in_list = next(each for each in listed if each["userId"] == user_id)
        return one["secondFactor"], in_list["secondFactor"]

    assert said(who.fin.id) == (False, False)
    give_codes(who.fin.id, confirmed=False)
    assert said(who.fin.id) == (False, False)
    give_codes(who.fin.id)
    assert said(who.fin.id) == (True, True)
    flo = who.flo
    with transaction() as session:
        row = Passkey(
            id=ids.new("pky"),
            user_id=flo.id,
            credential_id="x",
            public_key=b"x",
            sign_count=0,
            name="Blue key",
            created_at=clock.now(),
        )
        session.add(row)
    assert said(who.flo.id) == (True, True)


def test_a_code_of_somebody_who_has_none_proves_nothing(client: FlaskClient, who: Personas) -> None:
    personas.give_password(who.bo.id)
    answer = sign_in(client, who.bo.email, code="123456")
    me = client.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert me.json["steppedUpAt"] is None


def test_guessed_codes_lock_a_person_for_a_quarter_of_an_hour_whatever_the_address(
    client: FlaskClient, who: Personas
) -> None:
    codes = give_codes(who.ada.id)
    personas.give_password(who.ada.id)
    for number in range(5):
        # One a minute stays below what the account itself allows.
        with time_machine.travel(clock.after(61 * number)):
            assert code(sign_in(client, who.ada.email, code="abcdef")) == "UNAUTHENTICATED"
    with time_machine.travel(clock.after(61 * 5)):
        locked = client.post(
            TOKEN,
            json={"email": who.ada.email, "password": PASSWORD, "code": codes.at(clock.unix())},
            environ_base={"REMOTE_ADDR": "192.0.2.7"},
        )
        assert (locked.status_code, code(locked)) == (429, "RATE_LIMITED")
        assert int(locked.headers["Retry-After"]) > 60
    with time_machine.travel(clock.after(61 * 4 + 901)):
        answer = sign_in(client, who.ada.email, code=codes.at(clock.unix()))
        assert answer.status_code == 200


def test_a_token_ends_itself(client: FlaskClient, who: Personas) -> None:
    assert client.delete(TOKEN, headers=who.bo.headers).status_code == 204
    answer = client.get("/api/me", headers=who.bo.headers)
    assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert client.delete(TOKEN, headers=who.mels_key.headers).status_code == 403


def test_an_ended_right_is_felt_within_five_seconds_on_other_processes(
    client: FlaskClient, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/api/me", headers=who.bo.headers).status_code == 200
    # Another process disables the user: this one's cache is not told.
    personas.change(who.bo.id, state="disabled")
    assert identity.CACHE_SECONDS <= 5
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + identity.CACHE_SECONDS)
    assert client.get("/api/me", headers=who.bo.headers).status_code == 401


def test_a_changed_role_counts_although_the_token_says_the_old_one(
    client: FlaskClient, who: Personas
) -> None:
    assert client.get("/api/users", headers=who.ada.headers).status_code == 200
    personas.change(who.ada.id, role="buyer")
    identity.forget_cached()
    assert client.get("/api/users", headers=who.ada.headers).status_code == 403


def test_an_expired_token_says_so(client: FlaskClient, who: Personas) -> None:
    token = tokens.issue(who.bo.id, role="buyer", kyc="approved", ttl_seconds=60).token
    with time_machine.travel(clock.after(120), tick=True):
        answer = client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, code(answer)) == (401, "TOKEN_EXPIRED")


def test_other_authorization_headers_are_refused_even_beside_a_cookie(
    client: FlaskClient, who: Personas
) -> None:
    del who
    client.set_cookie("paydesk_session", "whatever")
    for header in (
        "Basic dXNlcjpwYXNz",
        "bearer",
        "Bearer",
        "Bearer  x y",
        "Token x",
        "Bearer " + "x" * 5000,
    ):
        assert client.get("/api/me", headers={"Authorization": header}).status_code == 401, header

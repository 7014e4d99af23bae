"""`user add`, `token` and `api-key add`: what they print works at the door."""

from __future__ import annotations

import json

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from commands.people import seconds_of
from core.permissions import ALL_SCOPES


@pytest.fixture
def flask(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def said(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.output)
    return found


def test_a_user_added_can_sign_in(flask: FlaskCliRunner, client: FlaskClient) -> None:
    made = said(flask.invoke(args=["user", "add", "ada@people.test", "--role", "admin", "--json"]))
    assert (made["role"], made["kyc"]) == ("admin", "approved")
    body = {"email": "ada@people.test", "password": made["password"]}
    assert client.post("/api/auth/token", json=body).status_code == 200


def test_a_password_can_come_from_standard_input(
    flask: FlaskCliRunner, client: FlaskClient
) -> None:
    args = [
        "user",
        "add",
        "mel@people.test",
        "--role",
        "merchant",
        "--merchant",
        "Mel's",
        "--kyc",
        "none",
    ]
    result = flask.invoke(
        args=[*args, "--password", "-", "--json"], input="correct horse battery\n"
    )
    made = said(result)
    assert (made["password"], made["kyc"]) == (None, "none")
    body = {"email": "mel@people.test", "password": "correct horse battery"}
    token = client.post("/api/auth/token", json=body).json["token"]
    me = client.get("/api/me", headers={"Authorization": f"Bearer {token}"}).json
    assert (me["role"], me["merchantId"]) == ("merchant", made["merchantId"])
    assert me["merchantId"] is not None


def test_what_cannot_be_added_says_why_and_fails(flask: FlaskCliRunner) -> None:
    good = ["user", "add", "bo@people.test", "--role", "buyer"]
    assert flask.invoke(args=good).exit_code == 0
    for args, why in (
        (good, "There is a user"),
        (["user", "add", "nobody", "--role", "buyer"], "not an e-mail"),
        (["user", "add", "sal@people.test", "--role", "king"], "king"),
        (["user", "add", "sal@people.test", "--role", "merchant"], "belongs to a merchant"),
        (
            ["user", "add", "sal@people.test", "--role", "seller", "--password", "short"],
            "characters",
        ),
        (["token", "nobody@people.test"], "no active user"),
        (["token", "bo@people.test", "--ttl", "soon"], "90s"),
        (["api-key", "add", "!!!"], "letters or digits"),
    ):
        result = flask.invoke(args=args)
        assert result.exit_code != 0, args
        assert why in result.output, args


def test_a_token_printed_opens_the_api(flask: FlaskCliRunner, client: FlaskClient) -> None:
    flask.invoke(args=["user", "add", "bo@people.test", "--role", "buyer"])
    token = flask.invoke(args=["token", "bo@people.test"]).output.strip()
    me = client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json["email"] == "bo@people.test"
    made = said(flask.invoke(args=["token", "bo@people.test", "--ttl", "15m", "--json"]))
    assert set(made) == {"token", "expiresAt"}


def test_an_api_key_printed_opens_the_api_and_makes_its_merchant(
    flask: FlaskCliRunner, client: FlaskClient
) -> None:
    made = said(flask.invoke(args=["api-key", "add", "New Shop", "--json"]))
    me = client.get("/api/me", headers={"Authorization": f"Bearer {made['key']}"}).json
    assert (me["merchantId"], me["environment"], me["kyc"]) == (
        made["merchantId"],
        "test",
        "approved",
    )
    assert me["scopes"] == sorted(ALL_SCOPES)
    live = flask.invoke(args=["api-key", "add", "new-shop", "--live", "--scope", "orders:read"])
    me = client.get("/api/me", headers={"Authorization": f"Bearer {live.output.strip()}"}).json
    assert (me["merchantId"], me["environment"], me["scopes"]) == (
        made["merchantId"],
        "live",
        ["orders:read"],
    )


def test_durations_are_read() -> None:
    assert [seconds_of(text) for text in ("90", "90s", "15m", "12h", "30d")] == [
        90,
        90,
        900,
        43200,
        2592000,
    ]


def test_a_link_of_the_operator_sets_a_password(flask: FlaskCliRunner, client: FlaskClient) -> None:
    flask.invoke(args=["user", "add", "ada@people.test", "--role", "admin"])
    made = said(flask.invoke(args=["user", "link", "ada@people.test", "--json"]))
    path = str(made["url"]).removeprefix("http://localhost:8000")
    assert path.startswith("/account/set-password/")
    assert client.get(path).status_code == 200
    assert flask.invoke(args=["user", "link", "nobody@people.test"]).exit_code == 1

"""Tokens: issued for a password, forged ones refused, ended ones dead, guessing limited."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient

from core import clock
from domain import second_factor, tokens
from tests.api import personas
from tests.api.personas import PASSWORD, Personas
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
    import pyotp

    from domain import keyring

    secret = pyotp.random_base32()
    place = second_factor.place(who.ada.id)
    personas.change(who.ada.id, totp_sealed=keyring.seal_text(secret, purpose="totp", place=place))
    personas.give_password(who.ada.id)
    assert code(sign_in(client, who.ada.email)) == "SECOND_FACTOR_REQUIRED"
    assert code(sign_in(client, who.ada.email, "wrong password")) == "UNAUTHENTICATED"
    assert code(sign_in(client, who.ada.email, code="000000")) == "UNAUTHENTICATED"
    digits = pyotp.TOTP(secret).at(int(clock.now().timestamp()))
    answer = sign_in(client, who.ada.email, code=digits)
    assert answer.status_code == 200
    me = client.get("/api/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert me.json["steppedUpAt"] is not None
    assert code(sign_in(client, who.ada.email, code=digits)) == "UNAUTHENTICATED"


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


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _forged(app: Flask, user_id: str, jti: str) -> dict[str, str]:
    """Make every way of a bad token that we know, by name."""
    key = app.config["PAYDESK"].jwt_keys[0]
    now = int(clock.now().timestamp())
    good = {
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "sub": user_id,
        "jti": jti,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
    }
    head = {"kid": key.kid, "typ": tokens.TYPE}

    def made(claims: object, *, secret: bytes = key.key, alg: str = "HS256", **more: object) -> str:
        first = _part({"alg": alg, **head, **more})
        body = f"{first}.{_part(claims)}"
        digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(
            alg, hashlib.sha256
        )
        mac = hmac.new(secret, body.encode(), digest).digest()
        return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    rsa_key = rsa.generate_private_key(65537, 2048)
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    valid = made(good)
    first, second, third = valid.split(".")
    forged = {
        "alg none": f"{_part({'alg': 'none', **head})}.{second}.",
        "alg None": f"{_part({'alg': 'None', **head})}.{second}.{third}",
        "alg missing": f"{_part(head)}.{second}.{third}",
        "HS384": made(good, alg="HS384"),
        "HS512": made(good, alg="HS512"),
        "RS256": jwt.encode(good, rsa_key, algorithm="RS256", headers=head),
        "public key as secret": made(good, secret=public),
        "empty secret": made(good, secret=b""),
        "secret is kid": made(good, secret=key.kid.encode()),
        "other secret": made(good, secret=b"x" * 32),
        "unknown kid": made(good, kid="k99"),
        "kid is a path": made(good, kid="../../dev/null"),
        "kid missing": made(good, kid=None),
        "jku": made(good, jku="https://evil.example/jwks"),
        "jwk": made(good, jwk={"kty": "oct", "k": "AAAA"}),
        "x5u": made(good, x5u="https://evil.example/x"),
        "crit": made(good, crit=["b64"]),
        "b64 false": made(good, b64=False, crit=["b64"]),
        "typ JWT": made(good, typ="JWT"),
        "typ at+jwt": made(good, typ="at+jwt"),
        "other audience": made(good | {"aud": "somebody-else"}),
        "audience list": made(good | {"aud": [tokens.AUDIENCE, "x"]}),
        "other issuer": made(good | {"iss": "somebody-else"}),
        "not yet": made(good | {"nbf": now + 600}),
        "issued later": made(good | {"iat": now + 600}),
        "exp is text": made(good | {"exp": "soon"}),
        "sub is number": made(good | {"sub": 1}),
        "claims are a list": made([good]),
        "bit flipped": f"{first}.{second}.{'A' if third[0] != 'A' else 'B'}{third[1:]}",
        "signature missing": f"{first}.{second}.",
        "two parts": f"{first}.{second}",
        "four parts": f"{valid}.x",
        "spaces": f"{first}. {second}.{third}",
        "not base64": f"@@@.{second}.{third}",
        "unknown user": made(good | {"sub": "usr_00000000000000000000000000000"}),
        "empty": "",
    }
    forged |= {
        f"without {name}": made({k: v for k, v in good.items() if k != name}) for name in good
    }
    forged["VALID"] = valid
    return forged


def test_forged_tokens_are_refused(app: Flask, client: FlaskClient, who: Personas) -> None:
    forged = _forged(app, who.bo.id, who.bo.jti)
    valid = forged.pop("VALID")
    assert len(forged) >= 40
    assert client.get("/api/me", headers={"Authorization": f"Bearer {valid}"}).status_code == 200
    accepted = {
        name: client.get("/api/me", headers={"Authorization": f"Bearer {token}"}).status_code
        for name, token in forged.items()
    }
    assert {name: status for name, status in accepted.items() if status != 401} == {}


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

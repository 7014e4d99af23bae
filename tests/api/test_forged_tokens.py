"""Forged tokens: every way we know of making one is tried at the door, and answered 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask
from flask.testing import FlaskClient

from core import clock
from domain.database import transaction
from domain.people import sessions, tokens
from tests.api.personas import Personas

_HASHES = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}
_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_PUBLIC = _RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def part(value: object) -> str:
    """Write one part of a token; a text is taken as it is, so that JSON can be bent."""
    body = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Forge:
    """What a forger has: a person's own token to copy from, and for the second half our very key."""

    key: bytes
    head: dict[str, object]
    claims: dict[str, object]

    def signed(
        self, head: object, claims: object, *, key: bytes | None = None, alg: str = "HS256"
    ) -> str:
        body = f"{part(head)}.{part(claims)}"
        mac = hmac.new(
            self.key if key is None else key, body.encode(), _HASHES.get(alg, hashlib.sha256)
        )
        return f"{body}.{base64.urlsafe_b64encode(mac.digest()).decode().rstrip('=')}"

    def claiming(self, **changed: object) -> str:
        return self.signed(self.head, self.claims | changed)

    def lacking(self, name: str) -> str:
        return self.signed(self.head, {k: v for k, v in self.claims.items() if k != name})

    def headed(self, **changed: object) -> str:
        return self.signed(self.head | changed, self.claims)

    def by(self, key: bytes) -> str:
        return self.signed(self.head, self.claims, key=key)

    def hashed(self, alg: str) -> str:
        return self.signed(self.head | {"alg": alg}, self.claims, alg=alg)

    def unsigned(self, **changed: object) -> str:
        return f"{part(self.head | changed)}.{part(self.claims)}."

    def library(self, key: object, alg: str) -> str:
        head = {name: value for name, value in self.head.items() if name != "alg"}
        return str(jwt.encode(self.claims, key, algorithm=alg, headers=head))  # type: ignore[arg-type]

    @property
    def good(self) -> str:
        return self.signed(self.head, self.claims)

    @property
    def parts(self) -> tuple[str, str, str]:
        first, second, third = self.good.split(".")
        return first, second, third

    def twice(self, name: str, value: object) -> str:
        """Say a claim twice: what one reader takes first, another takes last."""
        text = json.dumps(self.claims)
        bent = f'{text[:-1]}, "{name}": {json.dumps(value)}}}'
        return self.signed(self.head, bent)

    @property
    def now(self) -> int:
        return clock.unix()


def _respelt(forge: Forge) -> str:
    """Write the last letter otherwise: the same bytes for a careless reader."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = forge.good
    return good[:-1] + letters[letters.index(good[-1]) ^ 1]


FORGED: dict[str, Callable[[Forge], str]] = {
    # No signature, or none that was asked for.
    "alg none": lambda f: f.unsigned(alg="none"),
    "alg None": lambda f: f.unsigned(alg="None"),
    "alg nOnE with the good signature": lambda f: (
        f"{part(f.head | {'alg': 'nOnE'})}.{f.parts[1]}.{f.parts[2]}"
    ),
    "alg empty": lambda f: f.headed(alg=""),
    "alg null": lambda f: f.headed(alg=None),
    "alg a list": lambda f: f.headed(alg=["HS256"]),
    "alg missing": lambda f: f.signed({k: v for k, v in f.head.items() if k != "alg"}, f.claims),
    "alg twice": lambda f: f.signed(json.dumps(f.head)[:-1] + ', "alg": "HS256"}', f.claims),
    "signature missing": lambda f: f.unsigned(),
    "signature of zeros": lambda f: f.unsigned() + "A" * 43,
    "signature of another token": lambda f: (
        f"{part(f.head)}.{part(f.claims | {'role': 'admin'})}.{f.parts[2]}"
    ),
    "signature cut": lambda f: f.good[:-4],
    "signature longer": lambda f: f"{f.good}AAAA",
    "signature spelt otherwise": _respelt,
    "signature with a bit flipped": lambda f: (
        f"{f.parts[0]}.{f.parts[1]}.{'A' if f.parts[2][0] != 'A' else 'B'}{f.parts[2][1:]}"
    ),
    # Another algorithm.
    "HS384": lambda f: f.hashed("HS384"),
    "HS512": lambda f: f.hashed("HS512"),
    "RS256": lambda f: f.library(_RSA, "RS256"),
    "PS256": lambda f: f.library(_RSA, "PS256"),
    "ES256": lambda f: f.library(_EC, "ES256"),
    # Another key.
    "a public key as the secret": lambda f: f.by(_PUBLIC),
    "an empty secret": lambda f: f.by(b""),
    "the kid as the secret": lambda f: f.by(str(f.head["kid"]).encode()),
    "another secret": lambda f: f.by(b"x" * 32),
    "kid unknown": lambda f: f.headed(kid="k99"),
    "kid missing": lambda f: f.signed({k: v for k, v in f.head.items() if k != "kid"}, f.claims),
    "kid null": lambda f: f.headed(kid=None),
    "kid a path": lambda f: f.headed(kid="../../../../dev/null"),
    "kid a query": lambda f: f.headed(kid="' union select 'x"),
    "kid a list": lambda f: f.headed(kid=[f.head["kid"]]),
    # A head that would bring its own key.
    "jku": lambda f: f.headed(jku="https://evil.example/jwks"),
    "jwk": lambda f: f.headed(jwk={"kty": "oct", "k": "AAAA"}),
    "x5u": lambda f: f.headed(x5u="https://evil.example/x"),
    "x5c": lambda f: f.headed(x5c=["AAAA"]),
    "x5t": lambda f: f.headed(x5t="AAAA"),
    "crit": lambda f: f.headed(crit=["exp"]),
    "b64 false": lambda f: f.headed(b64=False, crit=["b64"]),
    "zip": lambda f: f.headed(zip="DEF"),
    "cty a token inside": lambda f: f.headed(cty="JWT"),
    # Another kind of token.
    "typ JWT": lambda f: f.headed(typ="JWT"),
    "typ at+jwt": lambda f: f.headed(typ="at+jwt"),
    "typ missing": lambda f: f.signed({k: v for k, v in f.head.items() if k != "typ"}, f.claims),
    "iss another": lambda f: f.claiming(iss="somebody-else"),
    "iss a list": lambda f: f.claiming(iss=[tokens.ISSUER]),
    "aud another": lambda f: f.claiming(aud="somebody-else"),
    "aud a list": lambda f: f.claiming(aud=[tokens.AUDIENCE, "x"]),
    "aud null": lambda f: f.claiming(aud=None),
    # Times.
    "expired": lambda f: f.claiming(exp=f.now - 60),
    "exp a fraction": lambda f: f.claiming(exp=f.now + 600.5),
    "exp a text": lambda f: f.claiming(exp=str(f.now + 600)),
    "exp a word": lambda f: f.claiming(exp="soon"),
    "exp true": lambda f: f.claiming(exp=True),
    "exp null": lambda f: f.claiming(exp=None),
    "exp without end": lambda f: f.signed(
        f.head, json.dumps(f.claims).replace(str(f.claims["exp"]), "1e400")
    ),
    "exp infinity": lambda f: f.signed(f.head, json.dumps(f.claims | {"exp": float("inf")})),
    "exp beyond every calendar": lambda f: f.claiming(exp=10**30),
    "exp below nought": lambda f: f.claiming(exp=-1),
    "nbf ahead": lambda f: f.claiming(nbf=f.now + 600),
    "nbf a fraction": lambda f: f.claiming(nbf=f.now - 0.5),
    "iat ahead": lambda f: f.claiming(iat=f.now + 600),
    "iat a text": lambda f: f.claiming(iat=str(f.now)),
    "stepped up in a text": lambda f: f.claiming(stepped_up=str(f.now)),
    "stepped up, true": lambda f: f.claiming(stepped_up=True),
    # Claims that are not what they should be.
    "sub a number": lambda f: f.claiming(sub=1),
    "sub somebody unknown": lambda f: f.claiming(sub="usr_00000000000000000000000000000"),
    "sub empty": lambda f: f.claiming(sub=""),
    "jti a number": lambda f: f.claiming(jti=1),
    "exp twice": lambda f: f.twice("exp", f.now + 10**6),
    "sub twice": lambda f: f.twice("sub", f.claims["sub"]),
    "role twice": lambda f: f.twice("role", "admin"),
    "claims a list": lambda f: f.signed(f.head, [f.claims]),
    "claims a text": lambda f: f.signed(f.head, '"x"'),
    "claims nested without end": lambda f: f.signed(f.head, "[" * 1500),
    "head a list": lambda f: f.signed([f.head], f.claims),
    # Not of the form.
    "two parts": lambda f: ".".join(f.parts[:2]),
    "four parts": lambda f: f"{f.good}.x",
    "five parts, encrypted": lambda _: f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..AA.AA.AA",
    "padding": lambda f: f"{f.good}=",
    "a space inside": lambda f: f"{f.parts[0]}. {f.parts[1]}.{f.parts[2]}",
    "head no base64": lambda f: f"@@@.{f.parts[1]}.{f.parts[2]}",
    "head other base64": lambda f: f"{f.parts[0]}+/.{f.parts[1]}.{f.parts[2]}",
    "dots": lambda _: "..",
    "nothing": lambda _: "",
}
FORGED |= {
    f"without {name}": lambda f, name=name: f.lacking(name)  # type: ignore[misc]
    for name in ("iss", "aud", "sub", "jti", "iat", "nbf", "exp")
}


@pytest.fixture
def forge(app: Flask, who: Personas) -> Forge:
    """The tools of a forger who wants to be Bo."""
    key = app.config["PAYDESK"].jwt_keys[0]
    now = clock.unix()
    claims: dict[str, object] = {
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "sub": who.bo.id,
        "jti": who.bo.jti,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "role": "buyer",
        "kyc": "approved",
    }
    return Forge(key.key, {"alg": "HS256", "kid": key.kid, "typ": tokens.TYPE}, claims)


def status(client: FlaskClient, token: str) -> int:
    return client.get("/api/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_the_forger_knows_how_a_good_token_is_made(client: FlaskClient, forge: Forge) -> None:
    assert status(client, forge.good) == 200


def test_every_forged_token_is_answered_401(client: FlaskClient, forge: Forge) -> None:
    assert len(FORGED) >= 30
    answers = {name: status(client, make(forge)) for name, make in FORGED.items()}
    assert {name: said for name, said in answers.items() if said != 401} == {}


def test_a_good_token_that_was_ended_is_answered_401(
    client: FlaskClient, forge: Forge, who: Personas
) -> None:
    with transaction() as session:
        sessions.revoke_token(session, who.bo.jti, user_id=who.bo.id)
    assert status(client, forge.good) == 401


def test_no_forged_claim_makes_anybody_more_than_they_are(
    client: FlaskClient, forge: Forge
) -> None:
    # Even under our own key: who somebody is, is read from the database.
    token = forge.claiming(role="admin", kyc="approved", permissions=["*"])
    assert status(client, token) == 200
    asked = client.get("/api/users", headers={"Authorization": f"Bearer {token}"})
    assert asked.status_code == 403

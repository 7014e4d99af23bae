"""The rail as the environment makes it: its mode, its places, its secrets, and what comes in at its door."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from config import BadSettings
from core.errors import BadSignature, ProviderRefused, RailNotConfigured
from providers.deliveries import LiveSecret
from providers.seam import Rail
from providers.truelayer import rail as module
from providers.truelayer.places import Places, of
from tests.providers.truelayer.desk import OURS, SECRET, Fault, made_settings, open_desk
from tests.providers.truelayer.forging import Forger, Key, key_set, stamp
from tests.providers.truelayer.test_calls import NEW

THEIRS = Key("theirs")
FULL = {
    "TRUELAYER_CLIENT_ID": "client-1",
    "TRUELAYER_CLIENT_SECRET": SECRET,
    "TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem}",
}


def built(**given: str) -> Rail:
    return module.build(made_settings(given))


def placed(**given: str) -> Places:
    return of(made_settings(given))


def test_their_own_addresses_tell_the_mode_and_all_other_places() -> None:
    test = placed()
    assert (test.mode, test.api) == ("test", "https://api.truelayer-sandbox.com")
    assert test.auth == "https://auth.truelayer-sandbox.com"
    assert test.pages == "https://payment.truelayer-sandbox.com"
    assert test.jkus == ("https://webhooks.truelayer-sandbox.com/.well-known/jwks",)
    live = placed(TRUELAYER_API_URL="https://api.truelayer.com/")
    assert (live.mode, live.is_stand_in) == ("live", False)
    assert live.jkus == ("https://webhooks.truelayer.com/.well-known/jwks",)
    assert {live.auth, live.pages} == {
        "https://auth.truelayer.com",
        "https://payment.truelayer.com",
    }


def test_another_address_is_a_stand_in_of_test_mode_with_all_in_one_place() -> None:
    found = placed(TRUELAYER_API_URL="http://127.0.0.1:9001")
    assert (found.mode, found.is_stand_in) == ("test", True)
    assert {found.api, found.auth, found.pages} == {"http://127.0.0.1:9001"}
    assert found.jkus == ("http://127.0.0.1:9001/.well-known/jwks",)


@pytest.mark.parametrize(
    "url",
    ["api.truelayer.com", "ftp://api.truelayer.com", "https://", "https://a/v3", "https://a?b=c"]
    + ["https://user:word@api.truelayer.com", "https://a#b"],
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(BadSettings):
        placed(TRUELAYER_API_URL=url)


def test_a_list_of_key_sets_is_taken_exactly_as_it_is_written() -> None:
    found = placed(TRUELAYER_JKU="https://a.example/jwks, https://b.example/jwks")
    assert found.jkus == ("https://a.example/jwks", "https://b.example/jwks")
    for wrong in ("jwks", "https://user@a.example/jwks", "https://é.example/jwks"):
        with pytest.raises(BadSettings):
            placed(TRUELAYER_JKU=wrong)


def test_production_takes_neither_a_stand_in_nor_keys_in_the_clear() -> None:
    def in_production(**given: str) -> Places:
        return of(replace(made_settings(given), env="production"))

    assert in_production().api == "https://api.truelayer.com"
    assert in_production(TRUELAYER_API_URL="https://api.truelayer-sandbox.com").mode == "test"
    for more in (
        {"TRUELAYER_API_URL": "https://bank.example"},
        {"TRUELAYER_API_URL": "http://api.truelayer.com"},
        {"TRUELAYER_JKU": "http://webhooks.truelayer.com/.well-known/jwks"},
    ):
        with pytest.raises(BadSettings, match="TRUELAYER"):
            in_production(**more)


def test_it_can_be_called_when_all_three_secrets_are_there() -> None:
    assert built(**FULL).is_configured
    for name in FULL:
        given = {each: text for each, text in FULL.items() if each != name}
        lacking = built(**given, TRUELAYER_MERCHANT_ACCOUNT_ID="named-account")
        assert not lacking.is_configured
        if name != "TRUELAYER_CLIENT_ID":
            with pytest.raises(RailNotConfigured):
                lacking.create_link(NEW, key="k")
    assert not built().is_configured


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, word: bytes = b"") -> str:
    seal = serialization.BestAvailableEncryption(word) if word else serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, seal).decode()


@pytest.mark.parametrize(
    "given",
    [
        {"TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem}"},
        {"TRUELAYER_SIGNING_KEY": OURS.pem, "TRUELAYER_SIGNING_KID": OURS.kid},
        {"TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem.replace(chr(10), ' ')}"},
        {"TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem.replace(chr(10), chr(92) + 'n')}"},
        {"TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{OURS.pem.replace(chr(10), '')}"},
        {
            "TRUELAYER_SIGNING_KEY": base64.b64encode(OURS.pem.encode()).decode(),
            "TRUELAYER_SIGNING_KID": OURS.kid,
        },
        {"TRUELAYER_SIGNING_KEY": f"{OURS.kid}:{base64.b64encode(OURS.pem.encode()).decode()}"},
        {"TRUELAYER_SIGNING_KEY": base64.b64encode(f"{OURS.kid}:{OURS.pem}".encode()).decode()},
    ],
)
def test_a_signing_key_may_be_written_in_any_of_these_ways(given: dict[str, str]) -> None:
    with open_desk(**given) as (desk, rail):
        [value] = rail.given_secrets["signing_key"]
        assert rail.weakness("signing_key", value) is None
        rail.create_link(NEW, key="op_1-1")
        assert len(desk.payments) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "the key's id"),
        (OURS.pem, "the key's id"),
        ("kid:", "the key's id"),
        ("kid:" + "A" * 400, "the key's id"),
        ("a key:" + OURS.pem, "the key's id"),
        ("kid:-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----", "P-521"),
        ("kid:" + pem_of(ec.generate_private_key(ec.SECP256R1())), "P-521"),
        ("kid:" + pem_of(rsa.generate_private_key(65537, 2048)), "P-521"),
        ("kid:" + pem_of(OURS.private, b"password"), "P-521"),
        ("kid:" + OURS.public_pem.decode(), "P-521"),
    ],
)
def test_a_signing_key_that_cannot_be_is_explained(value: str, why: str) -> None:
    said = built().weakness("signing_key", value)
    assert said is not None
    assert why in said


def test_a_client_secret_that_cannot_be_is_explained() -> None:
    rail = built()
    assert rail.weakness("provider_key", "31a0cbb5-3de0-4c9c-9f7b-2c9fd2a6d2b1") is None
    for value in ("", "short", "has spaces in it, which none has", "é" * 40):
        assert rail.weakness("provider_key", value)
    assert rail.weakness("webhook", "whsec_" + "a" * 40)


def test_no_event_of_theirs_can_be_made_here() -> None:
    with pytest.raises(ProviderRefused):
        built().canary("n", secret=LiveSecret("scv_1", "s", "test"), now=1)


def test_a_delivery_is_verified_with_the_keys_that_are_published() -> None:
    with open_desk() as (desk, rail):
        jku = f"{rail.hosts[0]}/.well-known/jwks"
        desk.key_set = key_set(THEIRS)
        now = 1_711_111_111
        good = Forger(THEIRS, header={"jku": jku}, headers={"X-Tl-Webhook-Timestamp": stamp(now)})
        for _ in range(3):
            found = rail.verify(good.sent(), secrets=(), now=now)
            assert (found.version_id, found.mode) == (None, rail.mode)
        assert len(desk.paths("GET /.well-known/jwks")) == 1
        eve = Forger(Key("eve"), header={"jku": jku})
        for _ in range(3):
            with pytest.raises(BadSignature):
                rail.verify(eve.sent(), secrets=(), now=now)
        assert len(desk.paths("GET /.well-known/jwks")) == 1
        assert not desk.tokens, "keys are public: nobody signs in for them"


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_a_key_set_that_is_elsewhere_or_broken_lets_nobody_in(status: int) -> None:
    with open_desk() as (desk, rail):
        desk.key_set = key_set(THEIRS)
        desk.fail("GET /.well-known/jwks", Fault(status, body=desk.key_set))
        jku = f"{rail.hosts[0]}/.well-known/jwks"
        with pytest.raises(BadSignature):
            rail.verify(Forger(THEIRS, header={"jku": jku}).sent(), secrets=(), now=1_711_111_111)
        assert len(desk.requests) == 1


def test_it_takes_over_what_it_is_asked_to_be() -> None:
    rail = built(**FULL)
    assert (rail.name, rail.rail, rail.label) == ("truelayer", "bank", "TrueLayer")
    assert (rail.door, rail.signed_by) == ("bank/truelayer", "Tl-Signature")
    assert (rail.taken_status, rail.refused_status) == (200, 401)
    assert rail.methods == {"link"}
    assert rail.names_payer
    assert rail.key_lifetime_seconds <= 5 * 3600

"""Only what TrueLayer signed for this address, about now, is let in; nothing else is, and nothing crashes."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bench import report
from core.errors import BadSignature
from providers.deliveries import Sent, Verified
from providers.truelayer import signing
from providers.truelayer.signing import Jwk
from tests.providers.truelayer.forging import (
    BODY,
    JKU,
    NOW,
    PATH,
    Forger,
    Key,
    b64,
    plaintext,
    sent,
    stamp,
)

THEIRS, EVES = Key("45fc75cf-5649-4134-84b3-192c2c78e990"), Key("eve")
ASKED: list[tuple[str, str]] = []

# A webhook of TrueLayer's own, published with its libraries to be checked against.
# Source: https://github.com/TrueLayer/truelayer-signing, test-resources (webhook-signature.txt, jwks.json)
VECTOR = (
    "eyJhbGciOiJFUzUxMiIsImtpZCI6IjQ1ZmM3NWNmLTU2NDktNDEzNC04NGIzLTE5MmMyYzc4ZTk5MCIsInRsX3ZlcnNpb24i"
    "OiIyIiwidGxfaGVhZGVycyI6IlgtVGwtV2ViaG9vay1UaW1lc3RhbXAsQ29udGVudC1UeXBlIiwiamt1IjoiaHR0cHM6Ly93"
    "ZWJob29rcy50cnVlbGF5ZXIuY29tLy53ZWxsLWtub3duL2p3a3MifQ..AB9S1dzZTmw0tofUjJNGO7Kt_jZsahPyIrBTdhfx"
    "BWOI3KoLALkMy6ka1MjpZQx06_hQUJnanu9K_LS6V9lNaNGiAX5Cos5RWQfbeBCZWqAvIpXO3FvIzyJKRaTYK8FBG4lfJYPi"
    "76_pIkCLGKWeq8__7ElpMVRcLTM5IBKWL8isVZn_"
)
VECTOR_KEY = {
    "kty": "EC",
    "kid": "45fc75cf-5649-4134-84b3-192c2c78e990",
    "crv": "P-521",
    "x": "oLuW4nFqoUuR8d7FVsUoI62libYdQlWGtLStnqdudLY92bQ0ra5eZAbkunrGTR9-w9mr4o2Etyb6pC7YB2-23WM",
    "y": "AX1cjkGMiltikPrkX49qwuJDdcETaTsj-kyFP8jsF9W5XAB3Z4tBiQtc72DQnJYeKyAV_T6qZTtFKFr-Tp4iu-j7",
}


def find_key(address: str, kid: str) -> Jwk | None:
    ASKED.append((address, kid))
    return THEIRS.jwk if (address, kid) == (JKU, THEIRS.kid) else None


def verified(delivery: Sent, now: int = NOW) -> Verified:
    return signing.verify(delivery, jkus=(JKU,), find_key=find_key, mode="test", now=now)


def accepts(delivery: Sent, now: int = NOW) -> bool:
    try:
        verified(delivery, now)
    except BadSignature:
        return False
    return True


def test_what_they_signed_is_let_in_and_names_no_secret_of_ours() -> None:
    found = verified(Forger(THEIRS).sent())
    assert (found.version_id, found.scheme, found.mode) == (None, "truelayer_es512", "test")


def test_more_signed_headers_and_any_case_of_their_names_are_let_in() -> None:
    forger = Forger(THEIRS, headers={"Content-Type": "application/json"})
    assert accepts(forger.sent())
    lower = Forger(THEIRS, header={"tl_headers": "x-tl-webhook-timestamp"})
    lower.headers = {"x-tl-webhook-timestamp": stamp()}
    assert accepts(lower.sent())


def test_the_published_vector_verifies() -> None:
    """It was signed with another path and without a time of this century's clock in its tests."""
    forged = sent(
        VECTOR,
        headers={
            "X-Tl-Webhook-Timestamp": "2021-11-29T11:42:55Z",
            "Content-Type": "application/json",
        },
        path="/tl-webhook",
        body=b'{"event_type":"example","event_id":"18b2842b-a57b-4887-a0a6-d3c7c36f1020"}',
    )
    jku = "https://webhooks.truelayer.com/.well-known/jwks"
    found = signing.verify(
        forged, jkus=(jku,), find_key=lambda *_: VECTOR_KEY, mode="live", now=1_638_186_175
    )
    assert found.mode == "live"


@pytest.mark.parametrize("offset", [0, -299, 299, 300, -300])
def test_a_time_of_sending_within_five_minutes_is_accepted(offset: int) -> None:
    headers = {"X-Tl-Webhook-Timestamp": stamp(NOW + offset)}
    assert accepts(Forger(THEIRS, headers=headers).sent())


@pytest.mark.parametrize("offset", [-301, 301, -86_400, 10 * 365 * 86_400])
def test_one_further_off_is_refused_on_both_sides(offset: int) -> None:
    headers = {"X-Tl-Webhook-Timestamp": stamp(NOW + offset)}
    assert not accepts(Forger(THEIRS, headers=headers).sent())


@pytest.mark.parametrize(
    "text",
    ["", "now", "2024-03-22", "2024-03-22T12:38:31", "1711111111", "9" * 400]
    + ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)
def test_a_time_that_names_no_instant_is_refused(text: str) -> None:
    assert not accepts(Forger(THEIRS, headers={"X-Tl-Webhook-Timestamp": text}).sent())


def test_a_signature_counts_for_its_method_path_headers_and_body_only() -> None:
    good, token = Forger(THEIRS), Forger(THEIRS).token()
    assert accepts(good.sent(token))
    assert not accepts(sent(token, headers=good.headers, method="PUT"))
    assert not accepts(sent(token, headers=good.headers, method="BREW"))
    assert not accepts(sent(token, headers=good.headers, path=PATH + "x"))
    assert not accepts(sent(token, headers=good.headers, path="elsewhere"))
    assert not accepts(sent(token, headers=good.headers, path="/" + "a" * 600))
    assert not accepts(sent(token, headers=good.headers, body=BODY + b" "))
    assert not accepts(sent(token, headers=good.headers, body=b"\xff" + BODY))
    assert not accepts(sent(token, headers={"X-Tl-Webhook-Timestamp": stamp(NOW + 1)}))
    assert not accepts(sent(token, headers={}))


def unsigned(header: dict[str, object], tail: str = "") -> str:
    return Forger(THEIRS, header=header).head() + ".." + tail


def hmac_with_public_key() -> str:
    """Sign with their public key as if it were a shared secret: the oldest trick against JWS."""
    forger = Forger(THEIRS, header={"alg": "HS256"})
    mac = hmac.new(THEIRS.public_pem, forger.to_sign(), hashlib.sha256).digest()
    return forger.token(mac)


def attached() -> str:
    """Carry the payload in the token instead of leaving it out."""
    forger = Forger(THEIRS)
    payload = b64(plaintext("POST", PATH, forger.headers, BODY))
    return forger.token().replace("..", f".{payload}.")


def other_curve() -> str:
    return Forger(Key(THEIRS.kid)).token()


FORGED: dict[str, tuple[str, bool]] = {
    # name → token, and whether its key is looked for at all
    "a key set of the attacker's": (
        Forger(EVES, header={"jku": "https://evil.example/.well-known/jwks"}).token(),
        False,
    ),
    "a key set beside theirs": (
        Forger(EVES, header={"jku": JKU + "?kid=eve"}).token(),
        False,
    ),
    "a key set below their name": (
        Forger(EVES, header={"jku": JKU.replace(".com/", ".com.evil.example/")}).token(),
        False,
    ),
    "their key set in the other mode": (
        Forger(THEIRS, header={"jku": JKU.replace("-sandbox", "")}).token(),
        False,
    ),
    "their key set, written otherwise": (
        Forger(THEIRS, header={"jku": JKU.replace("https", "HTTPS")}).token(),
        False,
    ),
    "a key of the attacker's name": (Forger(EVES).token(), True),
    "the attacker's key under their name": (
        Forger(EVES, header={"kid": THEIRS.kid}).token(),
        True,
    ),
    "no algorithm": (unsigned({"alg": "none"}, b64(bytes(132))), False),
    "no algorithm and no signature": (unsigned({"alg": "none"}), False),
    "a MAC made with their public key": (hmac_with_public_key(), False),
    "another algorithm": (Forger(THEIRS, header={"alg": "ES256"}).token(), False),
    "a key in the header itself": (Forger(EVES, header={"jwk": EVES.jwk}).token(), False),
    "an older version": (Forger(THEIRS, header={"tl_version": "1"}).token(), False),
    "a payload carried along": (attached(), False),
    "a signature of zeros": (unsigned({}, b64(bytes(132))), True),
    "nothing signed but the path": (
        Forger(THEIRS, header={"tl_headers": ""}).token(),
        False,
    ),
    "a header that did not come": (
        Forger(THEIRS, header={"tl_headers": "X-Tl-Webhook-Timestamp,X-Missing"}).token(),
        False,
    ),
    "a critical extension": (Forger(THEIRS, header={"crit": ["b64"], "b64": False}).token(), False),
    "a name of a key that is a path": (
        Forger(EVES, header={"kid": "../../etc/passwd"}).token(),
        False,
    ),
    "a key of another's": (other_curve(), True),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused_and_leads_nowhere(name: str) -> None:
    token, is_looked_for = FORGED[name]
    ASKED.clear()
    assert not accepts(Forger(THEIRS).sent(token))
    assert bool(ASKED) == is_looked_for
    assert {address for address, _ in ASKED} <= {JKU}


def test_a_key_of_another_curve_is_no_key() -> None:
    small = Key(THEIRS.kid, ec.SECP256R1())
    delivery = Forger(THEIRS).sent()
    for jwk in (small.jwk, small.jwk | {"crv": "P-521"}, THEIRS.jwk | {"x": "!"}, {"kid": "k"}):
        with pytest.raises(BadSignature):
            signing.verify(
                delivery, jkus=(JKU,), find_key=lambda *_, jwk=jwk: jwk, mode="test", now=NOW
            )


@pytest.mark.parametrize(
    "token",
    [None, "", "..", "a..b", "é..é", "a" * 10_000, "A" * 100 + ".." + "A" * 176]
    + [b64(json.dumps([1] * 20).encode()) + ".." + "A" * 176, b64(b"{" * 900) + ".." + "A" * 176]
    + [b64(b'{"alg":"ES512","alg":"none","kid":"k","tl_version":"2"}') + ".." + "A" * 176]
    + [unsigned({"kid": 7}, "A" * 176), unsigned({"tl_headers": None}, "A" * 176)],
)
def test_a_malformed_header_is_refused_and_never_crashes(token: str | None) -> None:
    good = Forger(THEIRS)
    assert not accepts(sent(token, headers=good.headers))


def mutated(chance: random.Random, good: Forger, token: str) -> Sent:
    """Change one thing of a good delivery: a character, a byte, a header's value, or how they are written."""
    head, body, value = list(token), bytearray(good.body), good.headers["X-Tl-Webhook-Timestamp"]
    alphabet = "ABCabc012-_=.!\n \x00é"
    match chance.randrange(7):
        case 0 | 1 | 2:
            place = chance.randrange(len(head))
            head[place] = chance.choice([c for c in alphabet if c != head[place]])
        case 3:
            head.insert(chance.randrange(len(head)), chance.choice(alphabet))
        case 4:
            del head[chance.randrange(len(head))]
        case 5:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        case _:
            value += chance.choice([" ", "0", "\t", "é"])
    headers = {"X-Tl-Webhook-Timestamp": value}
    return sent("".join(head), headers=headers, body=bytes(body))


def assert_no_mutation_passes(count: int, seed: int) -> None:
    chance, good = random.Random(seed), Forger(THEIRS)
    token = good.token()
    for _ in range(count):
        delivery = mutated(chance, good, token)
        assert not accepts(delivery), (delivery.header("Tl-Signature"), delivery.body)


def test_no_mutation_of_signature_header_or_body_is_accepted() -> None:
    assert_no_mutation_passes(5_000, seed=7)


@pytest.mark.soak
def test_no_mutation_of_a_hundred_thousand_is_accepted() -> None:
    began = time.monotonic()
    assert_no_mutation_passes(100_000, seed=11)
    report.note_soak(
        "forged bank webhooks, truelayer",
        "none",
        count=100_000,
        seconds=time.monotonic() - began,
        held="100,000 mutations of a signed webhook: none let in, none crashed",
    )

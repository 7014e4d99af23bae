"""Only a delivery that a live secret signed, about now, is let in; nothing else is, and nothing crashes."""

from __future__ import annotations

import hashlib
import hmac
import random

import pytest

from core.errors import BadSignature
from providers.deliveries import LiveSecret
from providers.stripe import wire

NOW = 1_711_111_111
BODY = b'{"id":"evt_test_1","object":"event","type":"payment_intent.succeeded"}'
NEW = LiveSecret("scv_2", "whsec_new", "test")
OLD = LiveSecret("scv_1", "whsec_test", "test")


def signed(body: bytes, secret: str, at: int) -> str:
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def accepts(body: bytes, header: str | None, now: int = NOW) -> bool:
    try:
        wire.verify(body, header, secrets=(NEW, OLD), now=now)
    except BadSignature:
        return False
    return True


def test_the_published_vector_verifies() -> None:
    mac = "f39e30ecb899a6e148850df1dc0e36d1be0ccfd0f921890a4bb2b44a14d0e974"
    found = wire.verify(BODY, f"t={NOW},v1={mac}", secrets=(OLD,), now=NOW)
    assert (found.version_id, found.mode) == ("scv_1", "test")


def test_any_live_version_verifies_and_is_named() -> None:
    assert (
        wire.verify(BODY, signed(BODY, "whsec_new", NOW), secrets=(NEW, OLD), now=NOW).version_id
        == "scv_2"
    )
    assert (
        wire.verify(BODY, signed(BODY, "whsec_test", NOW), secrets=(NEW, OLD), now=NOW).version_id
        == "scv_1"
    )
    rolled = signed(BODY, "whsec_gone", NOW) + "," + signed(BODY, "whsec_test", NOW).split(",")[1]
    assert accepts(BODY, rolled)


@pytest.mark.parametrize("offset", [0, -299, 299, 300, -300])
def test_a_timestamp_within_five_minutes_is_accepted(offset: int) -> None:
    assert accepts(BODY, signed(BODY, "whsec_test", NOW + offset))


@pytest.mark.parametrize("offset", [-301, 301, -86_400, 10 * 365 * 86_400])
def test_a_timestamp_further_off_is_refused_on_both_sides(offset: int) -> None:
    assert not accepts(BODY, signed(BODY, "whsec_test", NOW + offset))


@pytest.mark.parametrize(
    "header",
    [None, "", "t=", "v1=", "t=1,v0=abc", f"t={NOW}", "t=x,v1=y", "=,=,=", "t=1,t=1,v1=a", "é"]
    + ["t=" + "9" * 400 + ",v1=aa", "v1=" + "a" * 5000, f"t={NOW},v1=" + ",v1=a" * 50],
)
def test_a_malformed_header_is_refused_and_never_crashes(header: str | None) -> None:
    assert not accepts(BODY, header)


def test_the_downgraded_scheme_is_not_accepted() -> None:
    assert not accepts(BODY, signed(BODY, "whsec_test", NOW).replace("v1=", "v0="))


def test_no_mutation_of_body_or_header_is_accepted() -> None:
    chance = random.Random(7)
    header = signed(BODY, "whsec_test", NOW)
    for _ in range(20_000):
        body, head = bytearray(BODY), list(header)
        if chance.random() < 0.5:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        else:
            place = chance.randrange(len(head))
            head[place] = chr(ord(head[place]) ^ (1 << chance.randrange(7)))
        changed = "".join(head)
        if bytes(body) != BODY or changed != header:
            assert not accepts(bytes(body), changed), changed

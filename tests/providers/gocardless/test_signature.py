"""Only what was signed with a live secret of the endpoint's is let in; nothing else is, and nothing crashes."""

from __future__ import annotations

import json
import random
import time

import pytest

from bench import report
from core.errors import BadSignature
from providers.deliveries import PROBE, LiveSecret
from providers.gocardless import signing, wire
from tests.providers.gocardless.bodies import batch, event, signed

NEW = LiveSecret("scv_2", "the-newer-secret-of-two", "test")
OLD = LiveSecret("scv_1", "the-older-secret-of-two", "test")
BODY = batch(event("payments.confirmed"), event("payments.paid_out"))
# GoCardless' scheme, made with another program than ours. Source: spec/vectors.json, `gocardless`
VECTOR_BODY = (
    b'{"events":[{"id":"EV123","created_at":"2026-01-01T12:00:00.000Z","resource_type":"payments",'
    b'"action":"confirmed","links":{"payment":"PM123"},"details":{"origin":"gocardless",'
    b'"cause":"payment_confirmed","description":"x"},"metadata":{}}],"meta":{"webhook_id":"WB123"}}'
)
VECTOR = "c8e007fa60c777c1de64ed2cc92b8ea75d6feab824c3132258927e2e6f17405a"


def accepts(body: bytes, header: str | None) -> bool:
    try:
        signing.verify(body, header, secrets=(NEW, OLD))
    except BadSignature:
        return False
    return True


def test_the_published_vector_verifies() -> None:
    secret = LiveSecret("scv_v", "gc-secret", "test")
    found = signing.verify(VECTOR_BODY, VECTOR, secrets=(secret,))
    assert (found.version_id, found.scheme, found.mode) == ("scv_v", signing.SCHEME, "test")
    [head] = wire.read_deliveries(VECTOR_BODY, mode="test")
    assert (head.event_id, head.type, head.reference) == ("EV123", "payments.confirmed", "PM123")


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_every_live_secret_lets_in_and_is_named_with_its_mode(secret: LiveSecret) -> None:
    found = signing.verify(BODY, signed(secret.value, BODY), secrets=(NEW, OLD))
    assert (found.version_id, found.mode) == (secret.version_id, secret.mode)


def test_a_secret_that_is_not_live_lets_nobody_in() -> None:
    assert not accepts(BODY, signed("another-secret-altogether", BODY))
    with pytest.raises(BadSignature):
        signing.verify(BODY, signed(NEW.value, BODY), secrets=())


@pytest.mark.parametrize(
    "header",
    [None, "", "a", "é" * 64, "0" * 64, "0" * 63, "0" * 65, "0" * 100_000, "\x00" * 64]
    + [signed(NEW.value, BODY).upper(), " " + signed(NEW.value, BODY)]
    + ["sha256=" + signed(NEW.value, BODY), signed(NEW.value, BODY) + "," + "0" * 64],
)
def test_a_header_that_is_none_is_refused_and_never_crashes(header: str | None) -> None:
    assert not accepts(BODY, header)


def test_a_signature_is_over_the_bytes_as_they_came() -> None:
    same = json.dumps(json.loads(BODY), indent=1).encode()
    assert accepts(BODY, signed(NEW.value, BODY))
    assert not accepts(same, signed(NEW.value, BODY))
    for odd in (b"", b"\xff\xfe", b"[]", b"not json"):
        assert accepts(odd, signed(NEW.value, odd)), "whether it can be read is asked later"


def test_our_own_probe_passes_like_an_event_and_says_nothing() -> None:
    probe = signing.canary("n0nce", secret=NEW, now=1_711_111_111)
    assert accepts(probe.body, probe.headers["Webhook-Signature"])
    [head] = wire.read_deliveries(probe.body, mode="test")
    assert (head.type, head.event_id) == (PROBE, probe.event_id)


def mutated(chance: random.Random, good: str) -> tuple[bytes, str]:
    """Change one thing of a good delivery: a character of its signature, a byte of it, or its length."""
    text, body = list(good), bytearray(BODY)
    alphabet = "0123456789abcdefABCDEF =,\n\x00é"
    match chance.randrange(6):
        case 0 | 1:
            place = chance.randrange(len(text))
            text[place] = chance.choice([c for c in alphabet if c != text[place]])
        case 2:
            text.insert(chance.randrange(len(text) + 1), chance.choice(alphabet))
        case 3:
            del text[chance.randrange(len(text))]
        case 4:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        case _:
            place = chance.randrange(len(body) + 1)
            body[place:place] = bytes([chance.randrange(256)])
    return bytes(body), "".join(text)


def assert_no_mutation_passes(count: int, seed: int) -> None:
    chance, good = random.Random(seed), signed(NEW.value, BODY)
    for _ in range(count):
        body, header = mutated(chance, good)
        assert not accepts(body, header), (header, body)


def test_no_mutation_of_signature_or_body_is_accepted() -> None:
    assert_no_mutation_passes(5_000, seed=7)


@pytest.mark.soak
def test_no_mutation_of_a_hundred_thousand_is_accepted() -> None:
    began = time.monotonic()
    assert_no_mutation_passes(100_000, seed=11)
    report.note_soak(
        "forged bank webhooks, gocardless",
        "none",
        count=100_000,
        seconds=time.monotonic() - began,
        held="100,000 mutations of a signed webhook: none let in, none crashed",
    )

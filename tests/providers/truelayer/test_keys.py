"""TrueLayer's keys are asked for once a minute at most, kept while they count, and given up in time."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import pytest

from core import strictjson
from core.errors import BadSignature, ProviderUnavailable
from providers.truelayer import keys, signing
from providers.truelayer.keys import KeySets, read_set
from tests.providers.truelayer.forging import JKU, NOW, Forger, Key, key_set

OLD, NEW = Key("old"), Key("new")


@dataclass
class Site:
    """The address of a key set, and a clock. slow: set by a test that lets fetches finish."""

    document: bytes = field(default_factory=lambda: key_set(OLD))
    error: Exception | None = None
    at: float = 1_000.0
    fetches: int = 0
    slow: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)

    def load(self, address: str) -> bytes:
        assert address == JKU
        self.fetches += 1
        self.begun.set()
        if self.slow is not None:
            assert self.slow.wait(10)
        if self.error is not None:
            raise self.error
        return self.document

    def now(self) -> float:
        return self.at


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def sets(site: Site) -> KeySets:
    return KeySets([JKU], site.load, site.now)


def test_a_set_is_asked_for_once_and_its_keys_are_kept(site: Site, sets: KeySets) -> None:
    for _ in range(50):
        assert sets.find(JKU, "old") == {
            name: part for name, part in OLD.jwk.items() if name != "alg"
        }
    assert site.fetches == 1


def test_an_address_that_is_not_ours_is_never_asked(site: Site, sets: KeySets) -> None:
    for address in ("https://evil.example/jwks", JKU + "/", JKU.upper(), ""):
        assert sets.find(address, "old") is None
    assert site.fetches == 0


def test_a_flood_of_unknown_names_from_sixteen_threads_is_one_fetch(
    site: Site, sets: KeySets
) -> None:
    assert sets.find(JKU, "old") is not None
    site.at += keys.PAUSE_SECONDS
    site.slow, together = threading.Event(), threading.Barrier(17)
    found: list[object] = []

    def flood(number: int) -> None:
        together.wait()
        found.extend(sets.find(JKU, f"kid-{number}-{turn}") for turn in range(25))

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    together.wait()
    # A key that is known waits for none of them.
    assert sets.find(JKU, "old") is not None
    site.slow.set()
    for thread in threads:
        thread.join()
    assert (len(found), set(found)) == (400, {None})
    assert site.fetches == 2


@pytest.mark.parametrize(
    "error", [ProviderUnavailable("It does not answer."), strictjson.Unreadable("not JSON")]
)
def test_a_failed_fetch_counts_as_the_minutes_one_and_loses_nothing(
    site: Site, sets: KeySets, error: Exception
) -> None:
    assert sets.find(JKU, "old") is not None
    site.error, site.at = error, site.at + keys.PAUSE_SECONDS
    for _ in range(20):
        assert sets.find(JKU, "new") is None
        assert sets.find(JKU, "old") is not None
    assert site.fetches == 2
    site.error, site.document = None, key_set(OLD, NEW)
    site.at += keys.PAUSE_SECONDS
    assert sets.find(JKU, "new") is not None
    assert site.fetches == 3


def test_a_cold_start_without_an_answer_lets_nobody_in(site: Site, sets: KeySets) -> None:
    site.error = ProviderUnavailable("It does not answer.")
    assert sets.find(JKU, "old") is None
    site.error = None
    assert sets.find(JKU, "old") is None, "the minute's one fetch was made"
    site.at += keys.PAUSE_SECONDS
    assert sets.find(JKU, "old") is not None


def test_the_waiting_profit_by_the_fetch_that_is_under_way(site: Site, sets: KeySets) -> None:
    """A rotation: many deliveries come at once, all with the new key; none is sent away."""
    assert sets.find(JKU, "old") is not None
    site.document, site.at = key_set(OLD, NEW), site.at + keys.PAUSE_SECONDS
    site.slow, found = threading.Event(), list[object]()
    site.begun.clear()
    threads = [
        threading.Thread(target=lambda: found.append(sets.find(JKU, "new"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    assert site.begun.wait(10)
    site.slow.set()
    for thread in threads:
        thread.join()
    assert all(found)
    assert (len(found), site.fetches) == (16, 2)


def test_keys_rotate_in_mid_stream_and_nothing_signed_rightly_is_lost(
    site: Site, sets: KeySets
) -> None:
    def let_in(key: Key) -> bool:
        try:
            signing.verify(
                Forger(key).sent(), jkus=(JKU,), find_key=sets.find, mode="test", now=NOW
            )
        except BadSignature:
            return False
        return True

    assert let_in(OLD)
    # The new key is published, then used; the old one's last deliveries are still under way.
    site.document, site.at = key_set(OLD, NEW), site.at + keys.PAUSE_SECONDS
    assert all(let_in(key) for key in (NEW, OLD, NEW, OLD))
    site.document, site.at = key_set(NEW), site.at + keys.STALE_SECONDS + 1
    assert all(let_in(key) for key in (NEW, OLD, NEW, OLD))
    site.at += keys.GRACE_SECONDS + 1
    assert let_in(NEW)
    assert not let_in(OLD), "what left the set counts for nothing after a while"
    assert site.fetches <= 4


def test_a_key_that_was_taken_out_is_noticed_without_anything_new_being_asked_for(
    site: Site, sets: KeySets
) -> None:
    """A stolen key is taken out and none comes in its place: whoever signs with it is found out."""
    assert sets.find(JKU, "old") is not None
    site.document = key_set(NEW)
    site.at += keys.STALE_SECONDS + 1
    assert sets.find(JKU, "old") is not None
    site.at += keys.GRACE_SECONDS + 1
    assert sets.find(JKU, "old") is None


def test_a_key_that_comes_back_counts_again(site: Site, sets: KeySets) -> None:
    assert sets.find(JKU, "old") is not None
    site.document, site.at = key_set(NEW), site.at + keys.STALE_SECONDS + 1
    assert sets.find(JKU, "old") is not None
    site.document, site.at = key_set(OLD, NEW), site.at + keys.GRACE_SECONDS + 1
    assert sets.find(JKU, "old") is not None


def test_the_last_word_of_a_set_that_cannot_be_had_is_believed_for_a_day(
    site: Site, sets: KeySets
) -> None:
    assert sets.find(JKU, "old") is not None
    site.error = ProviderUnavailable("It does not answer.")
    site.at += keys.LONGEST_SECONDS
    assert sets.find(JKU, "old") is not None
    site.at += 1
    assert sets.find(JKU, "old") is None


def test_only_public_keys_for_es512_are_taken_out_of_a_set() -> None:
    jwk = OLD.jwk
    others: list[object] = [
        {"kty": "RSA", "alg": "RS512", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        jwk | {"kid": "p256", "crv": "P-256"},
        jwk | {"kid": "sealing", "use": "enc"},
        jwk | {"kid": "es256", "alg": "ES256"},
        jwk | {"kid": 7},
        jwk | {"kid": "long", "x": "A" * 500},
        {"kty": "EC", "crv": "P-521", "kid": "half", "x": jwk["x"]},
        "a text",
        None,
    ]
    document = {"keys": [*others, jwk | {"d": "private"}, NEW.jwk, NEW.jwk | {"x": "AA"}]}
    found = read_set(json.dumps(document).encode())
    assert sorted(found) == ["new", "old"]
    assert set(found["old"]) == {"kty", "crv", "kid", "x", "y"}
    assert found["new"]["x"] == NEW.jwk["x"], "the first of a name counts"


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", b"\xff", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[{"kty":"RSA"}]}']
    + [b'{"keys":[], "keys":[]}', b"{" * 5_000, json.dumps({"keys": [NEW.jwk] * 51}).encode()],
)
def test_what_is_no_set_is_unreadable_and_never_crashes(document: bytes) -> None:
    with pytest.raises(strictjson.Unreadable):
        read_set(document)

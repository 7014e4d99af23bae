"""Passwords: at most four hashes at once, the same time for nobody, long enough, rehashed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import InvalidInput
from domain.people import passwords

WORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap() -> Iterator[None]:
    passwords.configure(cheap=True)
    yield
    passwords.configure(cheap=True)


def test_at_most_four_hashes_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()

    class Slow:
        def hash(self, _: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.02)
            with lock:
                running -= 1
            return "hash"

    monkeypatch.setattr(passwords._hashing, "hasher", Slow())
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(passwords.hashed, ["x"] * 24))
    assert most == 4


def test_an_unknown_user_costs_one_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    real = passwords._matches

    def counting(stored: str, password: str) -> bool:
        tried.append(stored)
        return real(stored, password)

    monkeypatch.setattr(passwords, "_matches", counting)
    assert passwords.verify(None, WORD) is False
    assert passwords.verify(passwords.hashed(WORD), WORD) is True
    assert len(tried) == 2
    # Same algorithm, same costs: the part before the salt says so.
    assert tried[0].split("$")[:4] == tried[1].split("$")[:4]


def test_a_new_password_is_long_enough() -> None:
    for bad in ("", "short", "x" * 257, "aaaaaaaaaaaaaa", "ababababababab"):
        with pytest.raises(InvalidInput):
            passwords.assert_acceptable(bad)
    passwords.assert_acceptable("twelve chars")


def test_a_hash_with_other_costs_is_outdated() -> None:
    old = passwords.hashed(WORD)
    assert not passwords.is_outdated(old)
    passwords.configure(cheap=False)
    assert passwords.is_outdated(old)

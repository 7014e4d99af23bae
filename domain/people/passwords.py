"""Passwords: argon2id, at most four at once, the same time for a user that does not exist."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core import ids
from core.errors import invalid

SHORTEST, LONGEST = 12, 256
# Each takes 64 MiB and about 0.1 s of a core: more at once would starve the other routes.
IN_FLIGHT = threading.BoundedSemaphore(4)
T = TypeVar("T")


class _Hashing:
    def __init__(self) -> None:
        self.hasher = PasswordHasher()
        self.dummy: str | None = None


_hashing = _Hashing()


def configure(*, cheap: bool) -> None:
    """Choose the cost. cheap: for tests only, where no password is anybody's."""
    # Source: RFC 9106 section 4, second recommended option, is argon2-cffi's default
    _hashing.hasher = (
        PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1) if cheap else PasswordHasher()
    )
    _hashing.dummy = None


def _outside_the_loop(work: Callable[[], T]) -> T:
    """Run CPU-heavy work in a real thread under gevent, so that its loop goes on."""
    if "gevent.monkey" in sys.modules:
        from gevent import get_hub, monkey

        if monkey.is_module_patched("threading"):
            done: T = get_hub().threadpool.apply(work)
            return done
    return work()


def hashed(password: str) -> str:
    """Hash a password."""
    with IN_FLIGHT:
        return _outside_the_loop(lambda: _hashing.hasher.hash(password))


def _matches(stored: str, password: str) -> bool:
    try:
        return _hashing.hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def verify(stored: str | None, password: str) -> bool:
    """Tell whether a password is right. stored None: nobody; takes just as long and says no."""
    if _hashing.dummy is None:
        _hashing.dummy = hashed(ids.token())
    # One longer than we would ever have stored costs no more time than any other.
    tried = password[:LONGEST]
    with IN_FLIGHT:
        is_right = _outside_the_loop(lambda: _matches(stored or _hashing.dummy or "", tried))
    return is_right and stored is not None and len(password) <= LONGEST


def is_outdated(stored: str) -> bool:
    """Tell whether a hash was made with other costs than today's."""
    return _hashing.hasher.check_needs_rehash(stored)


def assert_acceptable(password: str) -> None:
    """Check a new password.

    Raises: InvalidInput
    Source: NIST SP 800-63B section 3.1.1.2: length, no composition rules
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise invalid("password", f"A password has {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < 4:
        raise invalid("password", "This password is one of the first that anybody would try.")

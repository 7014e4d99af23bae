"""Master keys as people see them: which seals how many values, and whether an old one may leave MASTER_KEYS."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core import clock
from domain import database
from domain.secrets import keyring, reencryption
from domain.secrets.reencryption import Standing

# Counting reads every row that holds a sealed value; many people may look at once.
COUNTED_SECONDS = 2.0


@dataclass(frozen=True)
class KeyStanding:
    """One key. is_first: it seals now; may_go: nothing needs it any more, and why (not) in a sentence."""

    kid: str
    rows: int
    is_first: bool
    may_go: bool
    why: str


@dataclass(frozen=True)
class Masters:
    """All keys of this process. stray: values that none of them opens; indexes: what blind indexes need."""

    keys: Sequence[KeyStanding]
    stray: int
    indexes: str
    at: datetime


@dataclass
class _Counted:
    lock: threading.Lock
    engine: object = None
    at: float = -COUNTED_SECONDS
    found: Standing | None = None


_counted = _Counted(threading.Lock())


def look(session: Session) -> Masters:
    """Judge every master key of this process; counts are at most two seconds old.

    Transaction: caller's, reads only.
    """
    found, row = _standing(session), reencryption.last(session)
    has_indexes = keyring.find_indexes(session) is not None
    first = keyring.vault().kid
    is_running = row is not None and row.state == reencryption.RUNNING
    judged = [
        KeyStanding(
            kid,
            found.counts.get(kid, 0),
            kid == first,
            *_verdict(kid, first, found, has_indexes=has_indexes, is_running=is_running),
        )
        for kid in keyring.vault().kids
    ]
    return Masters(judged, found.stray, _indexes(has_indexes), found.at)


def _standing(session: Session) -> Standing:
    with _counted.lock:
        is_fresh = clock.monotonic() - _counted.at < COUNTED_SECONDS
        found, engine = _counted.found, database.engine()
        is_ours = found is not None and tuple(found.counts) == keyring.vault().kids
        if found is None or not is_fresh or not is_ours or _counted.engine is not engine:
            found = _counted.found = reencryption.standing(session)
            _counted.at, _counted.engine = clock.monotonic(), engine
        return found


def _verdict(
    kid: str, first: str, found: Standing, *, has_indexes: bool, is_running: bool
) -> tuple[bool, str]:
    if kid == first:
        return False, "It seals what is written now."
    if found.counts.get(kid, 0):
        return False, "Values are sealed with it. Seal everything anew."
    if is_running:
        return False, "A pass is running; look again when it is done."
    if not has_indexes:
        return False, "The blind indexes still need it: no worker has kept their keys yet."
    return True, "Nothing is sealed with it. Take it out of MASTER_KEYS on every machine."


def _indexes(has_indexes: bool) -> str:
    if not has_indexes:
        return (
            "Blind indexes are keyed from the oldest master key until a worker has kept their keys."
        )
    return (
        "Blind indexes (the ones that find an address without opening it) have keys of their own, once "
        "derived from the oldest master key and now sealed like everything else. They stay when that key "
        "goes. Whoever holds a leaked oldest key and a copy of the database can therefore still test "
        "whether an address is in it, though open nothing."
    )

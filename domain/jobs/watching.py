"""The worker's duty to ask the rules of the books again and again; of all workers one at a time does it.

What is new is asked for every few seconds, everything as often as it costs no more than a twentieth of
the time: in a small house every few seconds as well, in a large one minutes apart.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from core import clock
from core.errors import LostRace
from core.strictjson import Json
from domain import database
from domain.watch import invariants, turns
from domain.watch.turns import ASKED, Turn, Work

EVERY_SECONDS = 3.0
# Everything is read anew after this many times as long as it took.
REST = 20
LONGEST_GAP_SECONDS = 15 * 60.0
LEASE_SECONDS, SHORTEST_LEASE_SECONDS = 600.0, 15.0
# Entries that were being written while the rules were asked may bear an earlier instant.
OVERLAP = timedelta(seconds=15)
WORK = Work("invariants", "every few seconds", LEASE_SECONDS, EVERY_SECONDS)
FULL_AT, FULL_MS, ASKED_AT = "fullAt", "fullMs", "recentAt"
log = structlog.get_logger()


def watch() -> bool:
    """Ask the rules, if it is this worker's turn, and act on what is broken. Gives False: nothing waits.

    Writes, emits: as `invariants.settle`. Transaction: opens its own: to take the turn, to read, to settle.
    """
    with database.reading() as session:
        if not turns.is_due(session, WORK):
            return False
        row = turns.look(session, WORK)
        lease = _lease_seconds(row.outcome if row else {})
    with database.transaction() as session:
        turn = turns.take(session, WORK, lease_seconds=lease)
    if turn is not None:
        try:
            _ask(turn)
        except LostRace:
            # It took longer than its lease; whoever has the turn now asks again.
            log.warning("invariants.turn_lost")
    return False


def _lease_seconds(memory: dict[str, Json]) -> float:
    took = memory.get(FULL_MS)
    if not isinstance(took, int):
        return LEASE_SECONDS
    return max(SHORTEST_LEASE_SECONDS, took * 4 / 1000)


def _ask(turn: Turn) -> None:
    began, now = clock.monotonic(), clock.now()
    is_full = _is_full_due(turn.memory, now)
    found = invariants.find(since=None if is_full else _since(turn.memory, now))
    took = round((clock.monotonic() - began) * 1000)
    memory = turn.memory | {ASKED_AT: clock.rfc3339(now)}
    if is_full:
        memory |= {FULL_AT: clock.rfc3339(now), FULL_MS: took}
    with database.transaction() as session:
        turns.give_back(session, turn, due_at=clock.after(EVERY_SECONDS), memory=memory)
        invariants.settle(session, found)


def _is_full_due(memory: dict[str, Json], now: datetime) -> bool:
    at, took = memory.get(FULL_AT), memory.get(FULL_MS)
    if memory.get(ASKED) is not None or not isinstance(at, str) or not isinstance(took, int):
        return True
    age = (now - datetime.fromisoformat(at)).total_seconds()
    gap = min(max(EVERY_SECONDS - 1, took * REST / 1000), LONGEST_GAP_SECONDS)
    # A clock that was set back makes the last time lie ahead.
    return age >= gap or age < 0


def _since(memory: dict[str, Json], now: datetime) -> datetime:
    at = memory.get(ASKED_AT)
    last = datetime.fromisoformat(at) if isinstance(at, str) else now
    return min(last, now) - OVERLAP

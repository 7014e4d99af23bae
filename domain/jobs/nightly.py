"""The night's duty: comparisons, and the proof of everything; at night on the house's clock, or when asked for."""

from __future__ import annotations

import structlog

from core import clock
from core.errors import LostRace
from domain import crash, database
from domain.books import verification
from domain.watch import nightly, turns
from domain.watch.turns import Turn, Work

DAY_SECONDS = 24 * 3600.0
# A proof of everything may take long; a worker that was killed is waited for no longer than this.
WORK = Work("nightly", "02:30 on the house's clock", 1800.0, 2 * DAY_SECONDS)
log = structlog.get_logger()


def check() -> bool:
    """Make the night's comparisons, if it is this worker's turn. Gives False: nothing waits.

    Each is kept by itself, so what a kill cut short is done again from the beginning, and opens no case twice.
    Writes, emits: as `nightly.keep`, `verification.verify`. Transaction: opens its own.
    """
    with database.reading() as session:
        if not turns.is_due(session, WORK):
            return False
    with database.transaction() as session:
        turn = turns.take(session, WORK, first_at=nightly.next_at(clock.now()))
    if turn is not None:
        _run(turn)
    return False


def _run(turn: Turn) -> None:
    found = [*nightly.compare_all(), nightly.of_report(verification.verify())]
    try:
        with database.transaction() as session:
            turns.give_back(session, turn, due_at=nightly.next_at(clock.now()))
            for each in found:
                nightly.keep(session, each)
            crash.point("nightly.before_commit")
    except LostRace:
        # It took longer than its lease; whoever has the turn now compares again.
        log.warning("nightly.turn_lost")

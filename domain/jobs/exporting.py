"""Copies of people's data that wait to be made: one at a time, from one view of the database."""

from __future__ import annotations

import structlog

from core.errors import LostRace
from core.vault import CannotOpen
from domain import database
from domain.people import person_exports

log = structlog.get_logger()


def make_next() -> bool:
    """Make the copy that has waited longest. Gives False when none waits.

    Transaction: opens its own; what is read is read in none that writes.
    """
    with database.transaction() as session:
        claimed = person_exports.claim(session)
    if claimed is None:
        return False
    try:
        with (
            database.reading() as session,
            person_exports.written(session, claimed.user_id) as file,
        ):
            body = file.read()
        with database.transaction() as session:
            person_exports.keep(session, claimed, body)
    except LostRace:
        log.warning("export.lost_race", export=claimed.id)
    except (CannotOpen, ValueError) as error:
        log.warning("export.failed", export=claimed.id, error=type(error).__name__)
        with database.transaction() as session:
            person_exports.fail(session, claimed, type(error).__name__)
    return True

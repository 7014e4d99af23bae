"""Looking for what should have a case and has none: deliveries set aside whose telling was lost."""

from __future__ import annotations

from domain import database
from domain.inbox import set_aside


def tell_untold() -> bool:
    """Open the cases that are missing. Gives whether there may be more.

    Writes, emits: as `set_aside.sweep`. Transaction: opens its own.
    """
    with database.reading() as session:
        if not set_aside.is_untold(session):
            return False
    with database.transaction() as session:
        return set_aside.sweep(session) >= set_aside.BATCH

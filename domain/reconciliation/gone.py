"""What earlier runs found and this one does not: noted honestly, on the difference and on its case."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy.orm import Session

from domain import database
from domain.reconciliation import differences
from domain.reconciliation.pages import Page
from models.reconciliation import ReconciliationDifference, ReconciliationRun

_AT_ONCE = 100


def look(run: ReconciliationRun) -> Page:
    """Find the next differences that are gone. Transaction: opens its own, reads only."""
    with database.reading() as session:
        rows = differences.list_gone(session, run, after=run.cursor or "", limit=_AT_ONCE)
    return Page(
        cursor=rows[-1].id if len(rows) == _AT_ONCE else None,
        counts={"gone": len(rows)},
        write=partial(_write, ids=[row.id for row in rows]),
    )


def _write(session: Session, run: ReconciliationRun, *, ids: Sequence[str]) -> None:
    for row_id in ids:
        row = session.get_one(ReconciliationDifference, row_id)
        differences.note_gone(session, run, row)

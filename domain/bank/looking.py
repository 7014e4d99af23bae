"""Holding lines that show nothing yet against what became known since; what is found is suggested, never matched."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import clock
from domain import calendar
from domain.bank import suggesting
from domain.bank.seen import seen_of
from models.statements import BankLine

BATCH = 200
# What is older is looked at by people only.
_DAYS, _AGAIN_SECONDS = 90, 900


def look_again(session: Session) -> int:
    """Look at the lines that were not looked at for longest. Gives how many.

    Writes: bank_lines. Transaction: caller's, writing.
    """
    first = calendar.today() - timedelta(days=_DAYS)
    due = or_(BankLine.looked_at.is_(None), BankLine.looked_at < clock.after(-_AGAIN_SECONDS))
    statement = (
        select(BankLine)
        .where(BankLine.state != "matched", BankLine.booked_on >= first, due)
        .order_by(BankLine.looked_at.asc().nulls_first(), BankLine.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = session.scalars(statement).all()
    found = suggesting.suggest(session, [seen_of(row) for row in rows])
    for row in rows:
        row.state = "suggested" if found[row.id] else "unmatched"
        row.looked_at = clock.now()
    session.flush()
    return len(rows)

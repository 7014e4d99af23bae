"""Where an entry is booked: in the month it took effect, or, when that is closed, in the open one.

Months are closed in their order and reopened from the newest, so that one month says it all: whatever
took effect in it or before is late. What is late is booked in the first month that is not closed.
So what a month's snapshot says is all that took effect up to its end and was known when it was closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.calendar import following, month_of
from domain.control import gates
from domain.control.gates import Gate
from models.periods import Period

CLOSED = "closed"
_KEY = "newest_closed_period"


@dataclass(frozen=True)
class Place:
    """A month such as `2026-11`. late_of: the closed one in which it took effect, if it is another."""

    period: str
    late_of: str | None = None


def place(session: Session, effective_at: datetime) -> Place:
    """Choose the month of an entry; whoever closes one waits for those who are posting.

    Transaction: caller's, writing.
    """
    newest = _newest_closed(session)
    month = month_of(effective_at)
    if month > newest:
        return Place(month)
    return Place(following(newest), month)


def newest_closed(session: Session) -> str:
    """Give the newest closed month, or a text before all months, for whoever only wants to know.

    Transaction: caller's, reads only.
    """
    return session.scalar(select(func.max(Period.id)).where(Period.state == CLOSED)) or ""


def _newest_closed(session: Session) -> str:
    """Give the same for good: whoever closes a month waits for us. Asked once in a transaction."""
    if _KEY not in session.info:
        gates.pass_through(session, Gate.POSTING)
        session.info[_KEY] = newest_closed(session)
    return str(session.info[_KEY])

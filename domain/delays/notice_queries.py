"""Reading notices about rails: what everybody may read, and what staff read besides; no acts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.strictjson import Json
from domain.payments.payments import LONGEST_PAGE, Page
from models.delays import DelayNotice

OPEN, CLOSED = "open", "closed"
STATES = (OPEN, CLOSED)
# How a rail stands while one of a kind is open, as the public status has it.
HEALTH = {"delay": "degraded", "outage": "outage"}


@dataclass(frozen=True)
class NoticeFilter:
    """Which notices. state: empty for any."""

    rail: Sequence[str] = ()
    state: str = ""


def state_of(row: DelayNotice) -> str:
    """Say how a notice stands."""
    return OPEN if row.closed_at is None else CLOSED


def list_notices(
    session: Session, wanted: NoticeFilter, *, page: Page
) -> tuple[list[DelayNotice], tuple[datetime, str] | None]:
    """List notices, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    statement = select(DelayNotice)
    if wanted.rail:
        statement = statement.where(DelayNotice.rail.in_(list(wanted.rail)))
    if wanted.state == OPEN:
        statement = statement.where(DelayNotice.open_key.is_not(None))
    elif wanted.state == CLOSED:
        statement = statement.where(DelayNotice.open_key.is_(None))
    if page.before:
        statement = statement.where(tuple_(DelayNotice.opened_at, DelayNotice.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (DelayNotice.opened_at.desc(), DelayNotice.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.opened_at, more.id) if more else None


def get_notice(session: Session, notice_id: str) -> DelayNotice:
    """Fetch a notice.

    Raises: NotFound
    """
    row = session.get(DelayNotice, notice_id)
    if row is None:
        raise NotFound
    return row


def live(session: Session) -> list[DelayNotice]:
    """List what is open now, outages first, then the newest first.

    Transaction: caller's, reads only.
    """
    statement = select(DelayNotice).where(DelayNotice.open_key.is_not(None))
    order = (DelayNotice.kind.desc(), DelayNotice.opened_at.desc(), DelayNotice.id)
    return list(session.scalars(statement.order_by(*order)))


def of_rail(
    notices: Iterable[DelayNotice], rail: str, provider: str | None = None
) -> list[DelayNotice]:
    """Choose what is said of a rail and its provider; of whichever provider, when none is named."""
    return [
        each
        for each in notices
        if each.rail == rail and (provider is None or each.provider in ("", provider))
    ]


def eta_at(notices: Iterable[DelayNotice]) -> datetime | None:
    """Give the moment by which all that is said to be late is there; one that has passed is no news."""
    ahead = [each.eta_at for each in notices if each.eta_at and each.eta_at > clock.now()]
    return max(ahead, default=None)


def wire(row: DelayNotice, *, for_staff: bool) -> dict[str, Json]:
    """Write a notice as the API answers it; who opened it and why is for staff."""
    said: dict[str, Json] = {
        "noticeId": row.id,
        "rail": row.rail,
        "provider": row.provider or None,
        "kind": row.kind,
        "text": row.text,
        "etaAt": clock.rfc3339(row.eta_at),
        "state": state_of(row),
        "since": clock.rfc3339(row.opened_at),
    }
    if not for_staff:
        return said
    return said | {
        "retryWindowHours": row.retry_window_hours,
        "reason": row.reason,
        "openedBy": row.opened_by,
        "closedBy": row.closed_by,
        "closedReason": row.closed_reason,
        "closedAt": clock.rfc3339(row.closed_at),
    }

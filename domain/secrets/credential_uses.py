"""How often each secret version and API key let somebody in: counted in memory, written by the hour.

A courtesy count: a process that is killed loses its last seconds. Nobody waits for a write.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from core import clock
from domain import database
from models.secrets import CredentialUse

FLUSH_SECONDS = 3.0
KEPT = timedelta(days=90)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Use:
    """How often something was used within one hour."""

    subject_id: str
    hour: datetime
    count: int


@dataclass
class _Buffer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[str, int] = field(default_factory=dict)


_buffer = _Buffer()


def count(subject_id: str) -> None:
    """Count one use of a secret version or key; costs no write."""
    with _buffer.lock:
        _buffer.counts[subject_id] = _buffer.counts.get(subject_id, 0) + 1


def flush() -> None:
    """Write down what was counted since the last time; a companion of each process does it.

    Writes: credential_uses. Transaction: opens its own when there is something to write.
    """
    with _buffer.lock:
        counted, _buffer.counts = _buffer.counts, {}
    if not counted:
        return
    try:
        with database.transaction() as session:
            _add(session, counted)
    except BaseException:
        with _buffer.lock:
            for subject_id, number in counted.items():
                _buffer.counts[subject_id] = _buffer.counts.get(subject_id, 0) + number
        raise


def _add(session: Session, counted: dict[str, int]) -> None:
    now = clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    # In one order, so that two processes cannot wait for each other.
    rows = [
        {"subject_id": subject_id, "hour": hour, "count": counted[subject_id], "last_at": now}
        for subject_id in sorted(counted)
    ]
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CredentialUse)
    added = {"count": CredentialUse.count + statement.excluded.count, "last_at": now}
    keys = [CredentialUse.subject_id, CredentialUse.hour]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=added), rows)


def since(session: Session, subject_ids: Collection[str], *, begin: datetime) -> list[Use]:
    """List the uses of some subjects by the hour, oldest first.

    Transaction: caller's, reads only.
    """
    statement = (
        select(CredentialUse)
        .where(CredentialUse.subject_id.in_(subject_ids), CredentialUse.hour >= begin)
        .order_by(CredentialUse.hour, CredentialUse.subject_id)
    )
    return [Use(row.subject_id, row.hour, row.count) for row in session.scalars(statement)]


def last_uses(session: Session, subject_ids: Sequence[str]) -> dict[str, datetime]:
    """Give when each subject was last used; one that never was is absent.

    Transaction: caller's, reads only.
    """
    statement = (
        select(CredentialUse.subject_id, func.max(CredentialUse.last_at))
        .where(CredentialUse.subject_id.in_(subject_ids))
        .group_by(CredentialUse.subject_id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def forget_old(session: Session, *, now: datetime) -> None:
    """Delete counts that no chart shows any more; the last one of each subject stays.

    Writes: credential_uses. Transaction: caller's.
    """
    later = aliased(CredentialUse)
    is_newer = and_(later.subject_id == CredentialUse.subject_id, later.hour > CredentialUse.hour)
    statement = delete(CredentialUse).where(CredentialUse.hour < now - KEPT)
    statement = statement.where(select(later.hour).where(is_newer).exists())
    session.execute(statement.execution_options(synchronize_session=False))

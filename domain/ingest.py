"""Group commit of the inbox: requests that arrive while one commit runs share the next.

The first request to come writes for all that wait; nobody is answered before the commit that holds
its own row. On SQLite this also takes the file's write turn once per batch instead of per row.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.strictjson import Json
from domain import crash, database, events, inbox_conflicts, pending
from models.events import EventLog
from models.inbound import InboundEvent

LARGEST_BATCH = 64


@dataclass
class Arrival:
    """One verified delivery on its way into the inbox."""

    row: dict[str, object]
    body: bytes
    stored: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    is_duplicate: bool = False
    error: BaseException | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a redelivery the same: provider, account, mode, delivery key."""
        names = ("provider", "account", "mode", "delivery_key")
        provider, account, mode, delivery_key = (str(self.row[name]) for name in names)
        return provider, account, mode, delivery_key


class Ingest:
    """The queue of arrivals of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Arrival] = []
        self._is_writing = False

    def store(self, arrival: Arrival) -> None:
        """Return when the arrival is committed; raise what kept it from being so.

        Writes: inbound_events, event_log. Transaction: opens its own, shared with others.
        """
        with self._lock:
            self._waiting.append(arrival)
            leads = not self._is_writing
            self._is_writing = True
        if not leads:
            arrival.stored.wait()
            leads = arrival.leads
        if leads:
            self._write_next()
        if arrival.error is not None:
            raise arrival.error

    def _write_next(self) -> None:
        with self._lock:
            batch = self._waiting[:LARGEST_BATCH]
            del self._waiting[:LARGEST_BATCH]
        try:
            write(batch)
        except Exception as error:  # noqa: BLE001  # each request reports it as its own
            for arrival in batch:
                arrival.error = error
        finally:
            self._hand_over()
            for arrival in batch:
                arrival.leads = False
                arrival.stored.set()

    def _hand_over(self) -> None:
        with self._lock:
            if not self._waiting:
                self._is_writing = False
                return
            successor = self._waiting[0]
        successor.leads = True
        successor.stored.set()


def write(batch: Sequence[Arrival]) -> None:
    """Insert arrivals in one transaction; a row that was there already counts as a duplicate.

    Rows go in by the order of their keys, so that two processes with the same events cannot deadlock.
    Writes: inbound_events, event_log, exception_cases. Transaction: opens its own.
    """
    crash.point("ingest.before_insert")
    first: dict[tuple[str, str, str, str], Arrival] = {}
    for arrival in batch:
        first.setdefault(arrival.key, arrival)
        arrival.is_duplicate = first[arrival.key] is not arrival
    with database.transaction() as session:
        fresh = _insert(session, [first[key] for key in sorted(first)])
        for arrival in first.values():
            arrival.is_duplicate = arrival.row["id"] not in fresh
        repeated = [arrival for arrival in batch if arrival.is_duplicate]
        if repeated:
            _count(session, repeated)
            inbox_conflicts.compare(session, [(a.key, a.body) for a in repeated])
        _tell(session, [arrival for arrival in batch if not arrival.is_duplicate])
        crash.point("ingest.before_commit")
    crash.point("ingest.after_commit")


def _insert(session: Session, arrivals: Sequence[Arrival]) -> set[object]:
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(InboundEvent).on_conflict_do_nothing().returning(InboundEvent.id)
    return set(session.scalars(statement, [arrival.row for arrival in arrivals]))


def _count(session: Session, repeated: Sequence[Arrival]) -> None:
    columns = tuple_(
        InboundEvent.provider, InboundEvent.account, InboundEvent.mode, InboundEvent.delivery_key
    )
    counts: dict[tuple[str, str, str, str], int] = {}
    for arrival in repeated:
        counts[arrival.key] = counts.get(arrival.key, 0) + 1
    for key in sorted(counts):
        session.execute(
            update(InboundEvent)
            .where(columns == key)
            .values(duplicates=InboundEvent.duplicates + counts[key])
            .execution_options(synchronize_session=False)
        )


def _tell(session: Session, arrivals: Sequence[Arrival]) -> None:
    for arrival in arrivals:
        row = arrival.row
        body: dict[str, Json] = {
            "inboundId": str(row["id"]),
            "provider": str(row["provider"]),
            "providerType": str(row["type"]),
            "attempts": 0,
        }
        kind = "inbound.quarantined" if row["state"] == "quarantined" else "inbound.received"
        about = events.about_staff(str(row["id"]))
        told = events.row(
            kind, about, source=f"inbound:{row['id']}", status=str(row["state"]), body=body
        )
        pending.later(session, EventLog, told)
    if arrivals:
        database.mark(session, "events")
        database.mark(session, "work")


ingest = Ingest()

"""Group commit of the inbox: requests that arrive while one commit runs share the next.

The first request to come writes for all that wait; nobody is answered before the commit that holds
its own row. On SQLite this also takes the file's write turn once per batch instead of per row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import tuple_, update
from sqlalchemy.orm import Session

from core.errors import Unavailable
from core.states import Inbound
from domain import crash, database
from domain.inbox import inbox_conflicts, set_aside
from domain.inbox.inbox_insert import Inserter
from models.inbound import InboundEvent

LARGEST_BATCH = 64
# As PostgreSQL's commit_delay: under load it saves more commits than it costs; alone nobody waits.
GATHERING_SECONDS = 0.0005


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class Arrival:
    """One verified event on its way into the inbox."""

    row: dict[str, object]
    body: bytes
    is_duplicate: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a redelivery the same: provider, account, mode, delivery key."""
        names = ("provider", "account", "mode", "delivery_key")
        provider, account, mode, delivery_key = (str(self.row[name]) for name in names)
        return provider, account, mode, delivery_key


@dataclass
class _Parcel:
    """What one request brought: stored whole or not at all.

    wakes: held from the start; whoever waits for it was stored, or leads. An event would do the same
    with three locks.
    """

    arrivals: Sequence[Arrival]
    wakes: threading.Lock = field(default_factory=_held_lock)
    leads: bool = False
    error: BaseException | None = None


class Ingest:
    """The queue of arrivals of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Parcel] = []
        self._is_writing = False
        self._last_size = 0
        self._inserter = Inserter()

    def store(self, arrivals: Sequence[Arrival]) -> None:
        """Return when all the arrivals are committed; raise what kept them from being so.

        Writes: inbound_events, event_log. Transaction: opens its own, shared with others.
        """
        if not arrivals:
            return
        parcel = _Parcel(arrivals)
        with self._lock:
            self._waiting.append(parcel)
            leads = not self._is_writing
            self._is_writing = True
        if not leads:
            parcel.wakes.acquire()
            leads = parcel.leads
        if leads:
            self._write_next()
        if parcel.error is not None:
            raise parcel.error

    def _write_next(self) -> None:
        parcels: list[_Parcel] = []
        try:
            if self._last_size > 1:
                # Others have just come together; those of them that were answered come again.
                time.sleep(GATHERING_SECONDS)
            # Whoever comes while another process has its turn shares the one we wait for.
            with database.writing_turn():
                parcels = self._take()
                self._last_size = len(parcels)
                batch = [arrival for parcel in parcels for arrival in parcel.arrivals]
                fresh = _insert(batch, self._inserter)
            _follow_up(batch, fresh)
        except BaseException as error:
            # Each request reports it as its own; one that ends this thread is ours alone.
            parcels = parcels or self._take()
            is_ours = not isinstance(error, Exception)
            for parcel in parcels:
                parcel.error = Unavailable() if is_ours else error
            if is_ours:
                raise
        finally:
            self._hand_over()
            for parcel in parcels:
                parcel.leads = False
                parcel.wakes.release()

    def _take(self) -> list[_Parcel]:
        """Take the parcels that go in together: the first one however large it is."""
        with self._lock:
            number, size = 0, 0
            for parcel in self._waiting:
                size += len(parcel.arrivals)
                if number and size > LARGEST_BATCH:
                    break
                number += 1
            taken = self._waiting[:number]
            del self._waiting[:number]
        return taken

    def _hand_over(self) -> None:
        with self._lock:
            if not self._waiting:
                self._is_writing = False
                return
            successor = self._waiting[0]
        successor.leads = True
        successor.wakes.release()


def _insert(batch: Sequence[Arrival], inserter: Inserter) -> set[str]:
    """Insert arrivals and commit; a row that was there already counts as a duplicate.

    Rows go in by the order of their keys, so that two processes with the same events cannot
    deadlock. Gives the ids that went in. Writes: inbound_events. Raises: Unavailable.
    Transaction: opens its own, with the turn held.
    """
    crash.point("ingest.before_insert")
    first: dict[tuple[str, str, str, str], Arrival] = {}
    for arrival in batch:
        first.setdefault(arrival.key, arrival)
        arrival.is_duplicate = first[arrival.key] is not arrival
    crash.point("ingest.before_commit")
    fresh = inserter.insert([first[key].row for key in sorted(first)])
    crash.point("ingest.after_commit")
    for arrival in first.values():
        arrival.is_duplicate = arrival.row["id"] not in fresh
    return fresh


def _follow_up(batch: Sequence[Arrival], fresh: set[str]) -> None:
    """Tell what was set aside, count and compare what came again; nothing stored depends on it.

    Writes: inbound_events, event_log, exception_cases. Transaction: opens its own if it needs one.
    """
    repeated = [arrival for arrival in batch if arrival.is_duplicate]
    aside = [a for a in batch if not a.is_duplicate and a.row["state"] == Inbound.QUARANTINED]
    if repeated or aside:
        with database.transaction() as session:
            _count(session, repeated)
            inbox_conflicts.compare(session, [(a.key, a.body) for a in repeated])
            _tell(session, aside)
    if fresh:
        database.tell_committed(frozenset({"work"}))


def _count(session: Session, repeated: Sequence[Arrival]) -> None:
    counts: dict[tuple[str, str, str, str], int] = {}
    for arrival in repeated:
        counts[arrival.key] = counts.get(arrival.key, 0) + 1
    for key in sorted(counts):
        session.execute(
            update(InboundEvent)
            .where(tuple_(*inbox_conflicts.KEY) == key)
            .values(duplicates=InboundEvent.duplicates + counts[key])
            .execution_options(synchronize_session=False)
        )


def _tell(session: Session, aside: Sequence[Arrival]) -> None:
    """Tell of what was set aside; what is applied is told by the worker, with its outcome.

    Should this fail, `domain/jobs/sweeping.py` tells of it later.
    """
    for arrival in aside:
        row = arrival.row
        set_aside.tell(
            session,
            str(row["id"]),
            provider=str(row["provider"]),
            provider_type=str(row["type"]),
            verdict=str(row["verdict"]),
        )


ingest = Ingest()

"""Numbering the event log: committed rows get their place in one gapless order, in batches, after commit.

Any process that has just committed events does it, one at a time by an advisory lock, so no business
transaction waits for another. On SQLite, which has one writer, the same statement runs in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core import clock
from domain import crash, database

if TYPE_CHECKING:
    import psycopg

LOCK = 0x70617964
CHANNEL = "paydesk"
BATCH = 2000
BACKSTOP_SECONDS = 1.0
SHORTEST_ROUND_SECONDS = 0.008

_NUMBER_POSTGRESQL = text(
    """with head as (select coalesce(max(seq), 0) as seq from event_log),
    batch as (select id, row_number() over (order by at, id) as place from event_log
              where seq is null order by at, id limit :batch)
    update event_log set seq = head.seq + batch.place from head, batch where event_log.id = batch.id"""
)
_NUMBER_SQLITE = text(
    """update event_log set seq = batch.seq from (
      select id, (select coalesce(max(seq), 0) from event_log)
        + row_number() over (order by at, id) as seq
      from event_log where seq is null order by at, id limit :batch) as batch
    where event_log.id = batch.id"""
)
_NOTIFY = text(f"notify {CHANNEL}")
_ANY = text("select 1 from event_log where seq is null limit 1")
log = structlog.get_logger()


def number_events(*, ring: bool) -> int:
    """Number what is committed and unnumbered, and wake the readers of every process.

    ring: send the wake-up even when there was nothing to number (other work is due).
    Gives the number of rows numbered. Transaction: opens its own.
    """
    if database.is_sqlite():
        with database.reading() as session:
            if session.execute(_ANY).first() is None:
                return 0
        with database.transaction() as session:
            counted = session.connection().execute(_NUMBER_SQLITE, {"batch": BATCH}).rowcount
            crash.point("sequencer.before_commit")
        crash.point("sequencer.after_commit")
        return counted
    with database.engine().begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        counted = connection.execute(_NUMBER_POSTGRESQL, {"batch": BATCH}).rowcount
        if counted or ring:
            connection.execute(_NOTIFY)
        if counted:
            crash.point("sequencer.before_commit")
    if counted:
        crash.point("sequencer.after_commit")
    return counted


class Knocker:
    """Wakes the workers of every process, on a connection of its own: one round trip, no transaction."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[object]] | None = None

    def knock(self) -> None:
        """Say that inbound events are due; on SQLite the commit itself is heard.

        Raises: OSError, sqlalchemy or driver errors, after giving the connection up.
        """
        if database.is_sqlite():
            return
        try:
            self._open().execute(f"notify {CHANNEL}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up."""
        held, self._connection = self._connection, None
        if held is not None:
            held.close()

    def _open(self) -> psycopg.Connection[tuple[object]]:
        if self._connection is None:
            own = database.own_connection()
            self._connection = cast("psycopg.Connection[tuple[object]]", own)
            self._connection.autocommit = True
        return self._connection


class Bell:
    """One thread per process that numbers events as soon as this process has committed some."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._stopping = False
        self._work = False
        self._events = False
        self._pause = threading.Event()
        self._knocker = Knocker()
        self._thread: threading.Thread | None = None
        self._local: list[Callable[[], None]] = []

    def wake_locally(self, listener: Callable[[], None]) -> None:
        """Also call `listener` in this process after each numbering."""
        self._local.append(listener)

    def ring(self, marks: frozenset[str]) -> None:
        """Say that events or due work were committed; never blocks."""
        self._work = self._work or "work" in marks
        self._events = self._events or "events" in marks
        self._rung.set()

    def start(self) -> None:
        """Start the thread and listen to this process's commits."""
        database.on_commit(self.ring)
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Number what is left and end the thread."""
        self._stopping = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._knocker.close()

    def _run(self) -> None:
        while not self._stopping:
            is_rung = self._rung.wait(BACKSTOP_SECONDS)
            self._rung.clear()
            work, self._work = self._work, False
            events, self._events = self._events or not is_rung, False
            self._once(work=work, events=events)
            # Rings that come meanwhile share the next round.
            self._pause.wait(SHORTEST_ROUND_SECONDS)

    def _once(self, *, work: bool, events: bool) -> None:
        began = clock.monotonic()
        try:
            if events:
                while number_events(ring=work) == BATCH:
                    work = False
            elif work:
                self._knocker.knock()
        except (SQLAlchemyError, OSError, database.engine().dialect.loaded_dbapi.Error) as error:
            log.warning("sequencer.failed", error=type(error).__name__)
            self._pause.wait(max(0.0, 0.5 - (clock.monotonic() - began)))
            return
        for listener in self._local:
            listener()


bell = Bell()

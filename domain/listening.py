"""Hearing that something was committed, by any process; what it was, readers look up themselves.

PostgreSQL tells it by LISTEN on a connection of its own, SQLite by a changed data version. Either is only
a wake-up: a tick each second stands behind it, so a lost one costs a second and never an event. A payload
says for whom it is, `events` for streams or `work` for workers; without one it is for everybody.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, cast

import structlog
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from core import clock, ids
from domain import database
from domain.sequencer import CHANNEL

if TYPE_CHECKING:
    import psycopg

ANY = ""
KINDS = (ANY, "events", "work")
BACKSTOP_SECONDS = 1.0
POLL_SECONDS = 0.01
QUIET_POLL_SECONDS = 0.025
QUIET_AFTER_SECONDS = 5.0
LINGER_SECONDS = 2.0
log = structlog.get_logger()


class Waker:
    """One thread per process that wakes whoever waits; it lives while somebody does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()
        self._waiting = 0
        self._listeners: list[tuple[Callable[[], None], str]] = []
        self._wanted_at = 0.0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._pid = 0

    def count(self, kind: str = ANY) -> int:
        """Give how often it woke; hand it to `wait` to miss nothing between looking and waiting."""
        return self._counts[kind]

    def wake(self, kind: str = ANY) -> None:
        """Wake those in this process who wait for a kind, or everybody."""
        with self._changed:
            for each in KINDS if kind == ANY else (kind, ANY):
                self._counts[each] += 1
            self._changed.notify_all()
        for listener, wanted in tuple(self._listeners):
            if ANY in (kind, wanted) or kind == wanted:
                listener()

    def wait(self, timeout: float, *, since: int | None = None, kind: str = ANY) -> bool:
        """Wait until something may have happened. Gives False when `timeout` seconds passed.

        since: a `count(kind)` taken before looking; a wake-up after it counts as heard.
        """
        with self._changed:
            self._waiting += 1
            self._want()
            try:
                before = self._counts[kind] if since is None else since
                return self._changed.wait_for(lambda: self._counts[kind] != before, timeout)
            finally:
                self._waiting -= 1
                self._wanted_at = clock.monotonic()

    def subscribe(self, listener: Callable[[], None], *, kind: str = ANY) -> Callable[[], None]:
        """Call `listener`, which must not block, at each wake-up of a kind. Gives what ends it."""
        subscribed = (listener, kind)
        with self._changed:
            self._listeners.append(subscribed)
            self._want()

        def end() -> None:
            with self._changed:
                if subscribed in self._listeners:
                    self._listeners.remove(subscribed)
                self._wanted_at = clock.monotonic()

        return end

    def stop(self) -> None:
        """End the thread; the next `wait` or `subscribe` starts another."""
        with self._changed:
            thread, self._stopping = self._thread, True
            self._changed.notify_all()
        if thread is not None and self._pid == os.getpid():
            thread.join(timeout=5)

    def _want(self) -> None:
        self._wanted_at = clock.monotonic()
        if self._thread is not None and self._thread.is_alive() and self._pid == os.getpid():
            return
        self._pid, self._stopping = os.getpid(), False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._thread.start()

    def _is_wanted(self) -> bool:
        if self._listeners or self._waiting:
            return True
        return clock.monotonic() - self._wanted_at < LINGER_SECONDS

    def _goes_on(self) -> bool:
        with self._changed:
            if self._is_wanted() and not self._stopping:
                return True
            self._thread = None
            return False

    def _run(self) -> None:
        follow = _follow_sqlite if database.is_sqlite() else _follow_postgresql
        failed = (SQLAlchemyError, OSError, database.engine().dialect.loaded_dbapi.Error)
        while self._goes_on():
            try:
                with closing(database.own_connection()) as connection:
                    for heard in follow(connection):
                        for kind in heard:
                            self.wake(kind)
                        if not self._goes_on():
                            return
            except failed as error:
                log.warning("waker.lost_connection", error=type(error).__name__)
                self._pause()

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait(ids.jittered(BACKSTOP_SECONDS / 2))
        self.wake()


def _follow_postgresql(connection: DBAPIConnection) -> Iterator[Iterable[str]]:
    """Give the kinds of each notification; everything once it listens, and each second."""
    listening = cast("psycopg.Connection[tuple[object, ...]]", connection)
    listening.autocommit = True
    listening.execute(f"listen {CHANNEL}")
    told_at, heard = 0.0, {ANY}
    while True:
        now = clock.monotonic()
        if ANY in heard or now - told_at >= BACKSTOP_SECONDS:
            told_at, heard = now, {ANY}
        yield heard
        # Several notifications that came together wake once. Short, so that `stop` is not kept waiting.
        notified = listening.notifies(timeout=BACKSTOP_SECONDS / 5, stop_after=1)
        heard = {each.payload if each.payload in KINDS else ANY for each in notified}


def _follow_sqlite(connection: DBAPIConnection) -> Iterator[Iterable[str]]:
    """Wake everybody when another connection has committed, and each second."""
    cursor = connection.cursor()
    seen: object = None
    changed_at = told_at = clock.monotonic()
    pause = threading.Event()
    while True:
        cursor.execute("pragma data_version")
        row = cursor.fetchone()
        now = clock.monotonic()
        changed, seen = row != seen, row
        if changed:
            changed_at = now
        if changed or now - told_at >= BACKSTOP_SECONDS:
            told_at = now
            yield (ANY,)
        else:
            yield ()
        quiet = now - changed_at > QUIET_AFTER_SECONDS
        pause.wait(QUIET_POLL_SECONDS if quiet else POLL_SECONDS)


waker = Waker()

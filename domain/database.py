"""The engine of this process and the two ways to use it: `transaction()` and `reading()`.

Whoever opens a transaction commits it; on SQLite writers take turns by a file lock, which wakes the
next one at once where SQLite's own busy loop would sleep.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ARRAY, ColumnElement, Connection, Engine, cast, event, func, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import Unavailable
from domain import pending

BUSY_SECONDS = 15
SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "2",
    "foreign_keys": "1",
    "recursive_triggers": "1",
}


@dataclass
class _Bound:
    engine: Engine | None = None
    turn: Turn | None = None
    after_commit: list[Callable[[frozenset[str]], None]] = field(default_factory=list)


class Turn:
    """A fair write lock across the threads and processes that share one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._descriptor: int | None = None
        self._pid = 0

    def take(self) -> None:
        """Wait for this process's and this thread's turn to write."""
        self._threads.acquire()
        try:
            if self._descriptor is None or self._pid != os.getpid():
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._pid = os.getpid()
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def give(self) -> None:
        """Let the next writer begin."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Let go of the file, unless somebody is writing; the next turn opens it again."""
        if self._threads.acquire(blocking=False):
            if self._descriptor is not None and self._pid == os.getpid():
                os.close(self._descriptor)
            self._descriptor = None
            self._threads.release()


_Value = TypeVar("_Value", str, int)
_bound = _Bound()
_this = threading.local()


def is_open() -> bool:
    """Tell whether this thread has a writing transaction open; no socket may be opened then."""
    return bool(getattr(_this, "open", False))


@contextmanager
def _alone() -> Iterator[None]:
    if is_open():
        raise RuntimeError("this thread already has a transaction open")
    _this.open = True
    try:
        yield
    finally:
        _this.open = False


def _on_checkout(connection: DBAPIConnection, *_: object) -> None:
    """Say BEGIN ourselves: the driver would open a transaction unasked, and nobody would end it.

    Each time, for whoever had the connection before may have given it back in the driver's own mode.
    """
    connection.isolation_level = None


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for name, value in SQLITE_PRAGMAS.items():
        cursor.execute(f"pragma {name}={value}")
    cursor.execute(f"pragma busy_timeout={BUSY_SECONDS * 1000}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("begin immediate" if writing else "begin")


def bind(engine: Engine) -> None:
    """Make `engine` the one this process works on; on SQLite, prepare its connections.

    Reads: the driver's connect and begin events are ours on this engine only.
    """
    turn = None
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _on_connect):
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "checkout", _on_checkout)
        event.listen(engine, "begin", _on_begin)
    database = engine.url.database
    if engine.dialect.name == "sqlite" and database and database != ":memory:":
        turn = Turn(Path(f"{database}-turn"))
        file = turn
        event.listen(engine, "engine_disposed", lambda _: file.close())
    _bound.engine, _bound.turn = engine, turn


def engine() -> Engine:
    """Give the engine of this process.

    Raises: RuntimeError before `bind`
    """
    if _bound.engine is None:
        raise RuntimeError("no database is bound to this process")
    return _bound.engine


def is_sqlite() -> bool:
    """Tell whether this process works on SQLite."""
    return engine().dialect.name == "sqlite"


def on_commit(listener: Callable[[frozenset[str]], None]) -> None:
    """Call `listener` with the marks of each transaction of ours after it committed."""
    _bound.after_commit.append(listener)


def mark(session: Session, name: str) -> None:
    """Note on the running transaction that something others wait for was written."""
    session.info.setdefault("marks", set()).add(name)


@contextmanager
def writing_turn() -> Iterator[None]:
    """Hold the write turn of a SQLite file; nothing to wait for elsewhere.

    Raises: Unavailable when the file's folder is gone
    """
    turn = _bound.turn
    if turn is None:
        yield
        return
    try:
        turn.take()
    except OSError as error:
        raise Unavailable from error
    try:
        yield
    finally:
        turn.give()


class Untold(Exception, ABC):
    """Ended a transaction, and has something to be kept all the same, once that is rolled back."""

    @abstractmethod
    def tell(self) -> None:
        """Keep it. Transaction: opens its own."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Open one writing transaction and commit it, or roll all of it back.

    Raises: whatever the block raises, after the rollback; an `Untold` has told its story by then.
    Transaction: opens its own.
    """
    try:
        with _transaction() as session:
            yield session
    except Untold as error:
        error.tell()
        raise


@contextmanager
def _transaction() -> Iterator[Session]:
    with _alone(), writing_turn():
        bound = engine().execution_options(writing=True) if is_sqlite() else engine()
        with Session(bound, expire_on_commit=False, autoflush=False) as session:
            session.connection()
            yield session
            pending.write_rows(session)
            session.commit()
            marks = frozenset(session.info.get("marks", ()))
    if marks:
        tell_committed(marks)


def tell_committed(marks: frozenset[str]) -> None:
    """Tell the listeners of this process what was committed."""
    for listener in _bound.after_commit:
        listener(marks)


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session that only reads, and whose statements all see the database as of its first one.

    A page is put together from several statements while others go on writing: without one snapshot it
    would show a payment from before a commit beside its entries from after it.
    Transaction: opens its own, read only; whatever it did is rolled back.
    Source: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ
    """
    # A reading transaction of SQLite is a snapshot already.
    bound = engine()
    if not is_sqlite():
        bound = bound.execution_options(isolation_level="REPEATABLE READ")
    with Session(bound, expire_on_commit=False, autoflush=False) as session:
        # Closing rolls back and, unlike rollback(), leaves the loaded rows readable.
        yield session


class _RolledBack(Exception):
    """Carries nothing; ends a rehearsal."""


@contextmanager
def rehearsal() -> Iterator[Session]:
    """Open a writing transaction that is always rolled back: what would happen, never what does."""
    try:
        with _transaction() as session:
            yield session
            raise _RolledBack
    except _RolledBack:
        return


def own_connection() -> DBAPIConnection:
    """Give a driver connection that the pool knows nothing of any more; whoever asked closes it.

    Raises: OSError, and the driver's errors
    """
    borrowed = engine().raw_connection()
    connection: DBAPIConnection | None = borrowed.driver_connection
    borrowed.detach()
    if connection is None:
        raise OSError("the pool gave no connection")
    return connection


def assert_answers() -> None:
    """Ask the database for a sign of life.

    Raises: Unavailable
    """
    try:
        with engine().connect() as connection:
            connection.execute(text("select 1"))
    except Exception as error:
        raise Unavailable from error


def is_one_of(
    column: InstrumentedAttribute[_Value] | InstrumentedAttribute[_Value | None],
    values: Iterable[_Value],
) -> ColumnElement[bool]:
    """Say that a column holds one of many values, which travel as one array instead of a parameter each.

    Thousands are no trouble then: SQLite takes 32,766 parameters in a statement, and PostgreSQL compares
    each row with every one of them in turn, once a statement is prepared.
    Source: https://www.sqlite.org/limits.html#max_variable_number,
    https://www.postgresql.org/docs/current/functions-array.html (unnest)
    """
    given = list(values)
    if is_sqlite():
        each = func.json_each(json.dumps(given)).table_valued("value")
        return column.in_(select(each.c.value))
    array = cast(given, ARRAY(column.type))
    return column.in_(select(func.unnest(array).column_valued()))

"""The stand-in's own truth in one SQLite file: objects, jobs, deliveries, stored answers."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.common.wire import Obj

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL, customer TEXT, parent TEXT, label TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_customer ON objects (kind, customer) WHERE customer NOT NULL;
CREATE INDEX IF NOT EXISTS objects_parent ON objects (kind, parent) WHERE parent NOT NULL;
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL,
  type TEXT NOT NULL, endpoint TEXT NOT NULL, lane TEXT NOT NULL, state TEXT NOT NULL,
  due_at REAL NOT NULL, attempts TEXT NOT NULL DEFAULT '[]');
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state);
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, name TEXT NOT NULL,
  subject TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL, body BLOB NOT NULL, request TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


# Gives the customer, the parent and the word by which lists of a kind are filtered.
Keys = Callable[[str, Obj], tuple[str | None, str | None, str | None]]


@dataclass(frozen=True)
class Query:
    """One page of a list: newest first, or forwards from `before`."""

    kind: str
    limit: int = 10
    customer: str | None = None
    parent: str | None = None
    labels: tuple[str, ...] = ()
    label_prefix: str | None = None
    created: tuple[tuple[str, int], ...] = ()
    after: str | None = None
    before: str | None = None
    delivered: bool | None = None
    extra: tuple[tuple[str, str | int], ...] = field(default=())


class Store:
    """Objects as JSON rows behind one lock; fields that begin with `_` never leave the sandbox."""

    def __init__(self, path: str, keys: Keys, *, lasting: tuple[str, ...]) -> None:
        self._keys = keys
        self._lasting = lasting
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # WAL with NORMAL survives any kill of the process; a power cut is not what is rehearsed.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and one database transaction; an exception rolls it back."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock alone: a read, or a write within the transaction that is open."""
        with self._lock:
            yield self._db

    def close(self) -> None:
        """Wait for the running transaction and close the file."""
        with self._lock:
            self._db.close()

    def put(self, kind: str, obj: Obj) -> Obj:
        """Insert or replace an object; its place in lists stays."""
        row = (kind, obj["id"], obj.get("created", 0), *self._keys(kind, obj), json.dumps(obj))
        self._db.execute(
            "INSERT INTO objects (kind, id, created, customer, parent, label, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " customer=excluded.customer, parent=excluded.parent, label=excluded.label,"
            " body=excluded.body",
            row,
        )
        return obj

    def find(self, kind: str, object_id: str) -> Obj | None:
        """Return a private copy of an object, or None."""
        row = self._db.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)
        ).fetchone()
        return None if row is None else _load(row[0])

    def remove(self, object_id: str) -> None:
        """Forget an object."""
        self._db.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def page(self, query: Query) -> tuple[list[Obj], bool] | None:
        """Return a page and whether more follow, or None when the cursor names nothing."""
        where, values = _conditions(query)
        order = "DESC"
        for cursor, sign in ((query.after, "<"), (query.before, ">")):
            if cursor is None:
                continue
            row = self._db.execute(
                "SELECT seq FROM objects WHERE id = ? AND kind = ?", (cursor, query.kind)
            ).fetchone()
            if row is None:
                return None
            where.append(f"seq {sign} ?")
            values.append(row[0])
            order = "DESC" if sign == "<" else "ASC"
        sql = (
            f"SELECT body FROM objects WHERE {' AND '.join(where)}"  # noqa: S608 - fixed words only
            f" ORDER BY seq {order} LIMIT ?"
        )
        rows = self._db.execute(sql, (*values, query.limit + 1)).fetchall()
        found = [_load(row[0]) for row in rows[: query.limit]]
        return (found if order == "DESC" else found[::-1]), len(rows) > query.limit

    def every(self, kind: str) -> Iterator[Obj]:
        """Yield all objects of a kind, oldest first."""
        rows = self._db.execute("SELECT body FROM objects WHERE kind = ? ORDER BY seq", (kind,))
        for row in rows.fetchall():
            yield _load(row[0])

    def of(self, kind: str, parent: str, *, label: str | None = None) -> Iterator[Obj]:
        """Yield all objects of a kind that belong to a parent, oldest first."""
        rows = self._db.execute(
            "SELECT body FROM objects WHERE kind = ? AND parent = ? AND label IS COALESCE(?, label)"
            " ORDER BY seq",
            (kind, parent, label),
        )
        for row in rows.fetchall():
            yield _load(row[0])

    def fact(self, name: str, value: str) -> str:
        """Return a lasting fact of this account, written the first time."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def wipe(self) -> None:
        """Forget everything but the account's facts and the kinds that last."""
        marks = ", ".join("?" * len(self._lasting))
        sql = f"DELETE FROM objects WHERE kind NOT IN ({marks})"  # noqa: S608 - marks only
        self._db.execute(sql, self._lasting)
        for name in ("deliveries", "jobs", "answers"):
            self._db.execute(f"DELETE FROM {name}")  # noqa: S608 - three fixed names


def _load(text: str) -> Obj:
    loaded: Obj = json.loads(text)
    return loaded


def _conditions(query: Query) -> tuple[list[str], list[str | int]]:
    where, values = ["kind = ?"], list[str | int]([query.kind])
    for column, wanted in (("customer", query.customer), ("parent", query.parent)):
        if wanted is not None:
            where.append(f"{column} = ?")
            values.append(wanted)
    if query.labels:
        where.append(f"label IN ({', '.join('?' * len(query.labels))})")
        values += query.labels
    if query.label_prefix:
        where.append("substr(label, 1, ?) = ?")
        values += [len(query.label_prefix), query.label_prefix]
    for sign, moment in query.created:
        where.append(f"created {sign} ?")
        values.append(moment)
    for path, value in query.extra:
        where.append("json_extract(body, ?) = ?")
        values += [path, value]
    if query.delivered is not None:
        undelivered = "EXISTS (SELECT 1 FROM deliveries d WHERE d.event = objects.id"
        undelivered += " AND d.state NOT IN ('delivered', 'superseded'))"
        where.append(f"NOT {undelivered}" if query.delivered else undelivered)
    return where, values

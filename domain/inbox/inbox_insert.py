"""The one insert of the hot path, at the driver's level: a batch of arrivals as one statement or turn.

On PostgreSQL a constant statement over arrays in autocommit is one round trip and one commit; through
the session it was four, and the statement's text grew with the batch and was parsed anew each time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, cast

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Unavailable
from domain import database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    import psycopg

Row = dict[str, object]

# Column → the array type it travels as; `headers` is JSON.
COLUMNS = {
    "id": "text",
    "provider": "text",
    "account": "text",
    "mode": "text",
    "delivery_key": "text",
    "provider_event_id": "text",
    "type": "text",
    "object_reference": "text",
    "state": "text",
    "body_sealed": "bytea",
    "body_sha256": "text",
    "body_bytes": "int8",
    "headers": "text",
    "secret_version_id": "text",
    "signature_scheme": "text",
    "received_at": "timestamptz",
    "provider_at": "timestamptz",
    "due_at": "timestamptz",
    "verdict": "text",
}
_NAMES = ", ".join(COLUMNS)
_POSTGRESQL = (
    f"insert into inbound_events ({_NAMES}, attempts, duplicates) select "  # noqa: S608  # our own names
    + ", ".join("headers::jsonb" if name == "headers" else name for name in COLUMNS)
    + ", 0, 0 from unnest("
    + ", ".join(f"%{'b' if kind == 'bytea' else 's'}::{kind}[]" for kind in COLUMNS.values())
    + f") as arrived ({_NAMES}) on conflict do nothing returning id"
)
_MARKS = f"({', '.join('?' for _ in COLUMNS)}, 0, 0)"


@cache
def _statement_of(rows: int) -> str:
    """Write the statement that inserts so many rows.

    One for each row would give up Python's lock as often, and wait for it behind every other request
    while the file is ours alone.
    """
    marks = ", ".join([_MARKS] * rows)
    return (
        f"insert into inbound_events ({_NAMES}, attempts, duplicates) values {marks}"  # noqa: S608  # as above
        " on conflict do nothing"
    )


class Inserter:
    """Keeps one connection of its own; its caller lets one thread at a time use it."""

    def __init__(self) -> None:
        self._held: psycopg.Connection[tuple[str]] | sqlite3.Connection | None = None
        self._engine: object = None

    def insert(self, rows: Sequence[Row]) -> set[str]:
        """Insert rows that are new by their key and commit. Gives the ids that went in.

        Writes: inbound_events. Raises: Unavailable.
        Transaction: opens its own; on SQLite the caller holds the file's write turn.
        """
        with self._reporting():
            if database.is_sqlite():
                return self._into_sqlite(rows)
            return self._into_postgresql(rows)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        engine = database.engine()
        if engine is not self._engine:
            self.close()
            self._engine = engine
            # Whoever lets the engine go means this connection too.
            event.listen(engine, "engine_disposed", lambda _: self.close())
        failed = (SQLAlchemyError, OSError, engine.dialect.loaded_dbapi.Error)
        try:
            yield
        except failed as error:
            self.close()
            raise Unavailable from error

    def close(self) -> None:
        """Give the connection up; the next insert opens another."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _connection(self) -> psycopg.Connection[tuple[str]] | sqlite3.Connection:
        if self._held is None:
            own = database.own_connection()
            self._held = cast("psycopg.Connection[tuple[str]] | sqlite3.Connection", own)
            if not database.is_sqlite():
                connection = cast("psycopg.Connection[tuple[str]]", own)
                connection.autocommit = True
                connection.prepare_threshold = 0
        return self._held

    def _into_postgresql(self, rows: Sequence[Row]) -> set[str]:
        connection = cast("psycopg.Connection[tuple[str]]", self._connection())
        columns: list[list[object]] = [[row[name] for row in rows] for name in COLUMNS]
        headers = list(COLUMNS).index("headers")
        columns[headers] = [json.dumps(value) for value in columns[headers]]
        return {found[0] for found in connection.execute(_POSTGRESQL, columns)}

    def _into_sqlite(self, rows: Sequence[Row]) -> set[str]:
        connection = cast("sqlite3.Connection", self._connection())
        values = [_for_sqlite(row[name]) for row in rows for name in COLUMNS]
        ids = [str(row["id"]) for row in rows]
        # By itself a statement is a transaction.
        written = connection.execute(_statement_of(len(rows)), values).rowcount
        if connection.in_transaction:
            # What is not committed is not acknowledged, whatever mode the driver fell into.
            raise OSError("the inbox's connection does not commit by itself")
        if written < len(ids):
            marks = ", ".join("?" for _ in ids)
            there = f"select id from inbound_events where id in ({marks})"  # noqa: S608  # as above
            ids = [found[0] for found in connection.execute(there, ids)]
        return set(ids)


def _for_sqlite(value: object) -> object:
    """Write a value as the session would."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return json.dumps(value) if isinstance(value, dict) else value

"""Many rows at once: COPY on PostgreSQL, prepared inserts on SQLite; one column plan per table, no rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import Boolean, Date, LargeBinary, Table, text
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON

from domain import database
from models.audit import AuditRow, ChainLink
from models.base import Base, UtcInstant
from models.cases import ExceptionCase
from models.events import EventLog
from models.inbound import InboundAttempt, InboundEvent
from models.invoices import Invoice, InvoicePayment
from models.ledger import AccountBalance, JournalEntry, JournalSeal, LedgerAccount, Posting
from models.operations import Operation
from models.orders import Milestone, Order
from models.payments import Payment, PaymentFact, ProviderReference, StateChange
from models.people import Merchant, User

Row = dict[str, object]
Convert = Callable[[object], object]
# Parents before children, the seal after what it seals.
ORDER: tuple[type[Base], ...] = (
    Merchant,
    User,
    Order,
    Milestone,
    Invoice,
    Payment,
    InvoicePayment,
    Operation,
    ProviderReference,
    InboundEvent,
    InboundAttempt,
    PaymentFact,
    StateChange,
    LedgerAccount,
    AccountBalance,
    JournalEntry,
    Posting,
    JournalSeal,
    ExceptionCase,
    EventLog,
    AuditRow,
    ChainLink,
)


class Sheaf:
    """Rows kept together until they are written in one transaction."""

    def __init__(self) -> None:
        self.rows: dict[type[Base], list[Row]] = {table: [] for table in ORDER}

    def add(self, table: type[Base], row: Row) -> None:
        """Keep a row; keys are column names, the same ones for every row of a table."""
        self.rows[table].append(row)

    def write(self, session: Session, tables: Sequence[type[Base]] = ORDER) -> int:
        """Write and forget everything, or some tables only. Gives how many rows.

        Writes: every table that has rows. Transaction: caller's.
        """
        count = 0
        write = _copy
        if database.is_sqlite():
            write = _insert
            # Names and keys are scattered over their indexes; the pages of all of them should stay.
            session.execute(text(f"pragma cache_size=-{CACHE_KIB}"))
        for table in tables:
            if rows := self.rows[table]:
                write(session, _table(table), rows)
                count += len(rows)
                rows.clear()
        return count


def _table(model: type[Base]) -> Table:  # type: ignore[explicit-any]  # Table has a default of Any
    table = model.__table__
    assert isinstance(table, Table)  # every model of ours maps one table
    return table


CACHE_KIB = 512 * 1024
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copied(value: object) -> str:
    """Write one value in the text format of COPY.

    Source: PostgreSQL 15, COPY, "Text Format"
    """
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES) if not value.isalnum() else value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    if isinstance(value, int):
        return str(value)
    return json.dumps(value).translate(_ESCAPES)


def _copy(session: Session, table: Table, rows: Sequence[Row]) -> None:  # type: ignore[explicit-any]  # Table has a default of Any
    names = list(rows[0])
    lines = ("\t".join([_copied(row[name]) for name in names]) for row in rows)
    columns = ", ".join(f'"{name}"' for name in names)
    driver = session.connection().connection.driver_connection
    assert driver is not None  # the session's connection is open
    with driver.cursor() as cursor, cursor.copy(f"copy {table.name} ({columns}) from stdin") as out:
        for block in _blocks(lines):
            out.write(block)


def _blocks(lines: Iterable[str]) -> Iterable[str]:
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == 200:
            yield "\n".join(block) + "\n"
            block.clear()
    if block:
        yield "\n".join(block) + "\n"


def _bare_utc(value: object) -> object:
    """Write an instant as the column type writes it on SQLite."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _day(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _converters(table: Table, names: Sequence[str]) -> list[tuple[int, Convert]]:  # type: ignore[explicit-any]  # Table has a default of Any
    """Say which places of a row SQLite's driver cannot take as they are."""
    found: list[tuple[int, Convert]] = []
    for place, name in enumerate(names):
        kind = table.c[name].type
        if isinstance(kind, UtcInstant):
            found.append((place, _bare_utc))
        elif isinstance(kind, JSON):
            found.append((place, json.dumps))
        elif isinstance(kind, Boolean):
            found.append((place, lambda value: int(bool(value))))
        elif isinstance(kind, Date):
            found.append((place, _day))
        elif isinstance(kind, LargeBinary):
            continue
    return found


def _insert(session: Session, table: Table, rows: Sequence[Row]) -> None:  # type: ignore[explicit-any]  # Table has a default of Any
    names = list(rows[0])
    converters = _converters(table, names)

    def values(row: Row) -> tuple[object, ...]:
        line = [row[name] for name in names]
        for place, convert in converters:
            line[place] = convert(line[place])
        return tuple(line)

    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    statement = f"insert into {table.name} ({columns}) values ({marks})"  # noqa: S608  # our own names
    session.connection().exec_driver_sql(statement, [values(row) for row in rows])

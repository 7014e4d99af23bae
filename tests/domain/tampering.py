"""Changing rows as the owner of a database can: past every trigger and key, which stand again afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    and_,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON

from domain.books import verification
from models import guards
from models.base import Base, UtcInstant

TABLES = Base.metadata.tables
# table → the columns that verification answers for
COLUMNS = {
    "journal_entries": (
        *("kind", "source_key", "source", "order_id", "invoice_id", "payment_id", "provider"),
        *(
            "provider_reference",
            "note",
            "content_hash",
            "livemode",
            "demo",
            "effective_at",
            "posted_at",
            "period",
            "late_of",
            "resolves_id",
            "reverses_id",
            "details",
            "reversal_due_on",
        ),
    ),
    "postings": ("pair", "address", "asset", "amount_minor"),
    "journal_seals": ("postings",),
    "audit_log": tuple(column.name for column in TABLES["audit_log"].columns),
    "ledger_accounts": ("kind",),
    "account_balances": ("balance_minor",),
    "checkpoints": ("chain", "seq", "hash", "previous_hash", "key_id", "signature", "at"),
    "chain_links": ("seq", "row_id", "content_hash", "previous_hash", "hash"),
    "payments": ("status", "sub_state", "escrow_state", "received_minor", "amount_minor", "asset"),
    "orders": ("status", "paid_minor"),
    "payment_facts": ("kind", "amount_minor", "payment_id"),
    "state_changes": ("object_id", "old", "new"),
}
DELETED = (
    *("journal_entries", "postings", "journal_seals", "audit_log", "chain_links"),
    *("payment_facts", "state_changes", "account_balances", "checkpoints"),
)
# Rows that say something else than their fellows of the same table.
ONLY = {
    "payments": "status = 'completed'",
    "orders": "status = 'deposit_paid'",
    "payment_facts": "kind = 'succeeded'",
    "state_changes": "object_kind in ('payment', 'order', 'escrow')",
    # The last one of a chain may be missing: a process that was killed had not written it yet.
    "checkpoints": "exists (select 1 from checkpoints as later where later.chain = checkpoints.chain"
    " and later.seq > checkpoints.seq)",
    "account_balances": "balance_minor <> 0",
}


@dataclass(frozen=True)
class Tampering:
    """One row changed (column named) or deleted (column None). names: what the finding may call it."""

    table: str
    column: str | None
    row: dict[str, object]

    @property
    def names(self) -> set[str]:
        keys = ("id", "entry_id", "payment_id", "order_id", "object_id", "row_id", "address")
        return {str(self.row[key]) for key in keys if self.row.get(key)}


def primary_key(tampering: Tampering) -> list[Column[object]]:
    return list(TABLES[tampering.table].primary_key)


def other(value: object, column: Column[object]) -> object:
    """Give another value of the same kind, one that no CHECK of the table refuses."""
    if (column.table.name, column.name) == ("ledger_accounts", "kind"):  # type: ignore[attr-defined]
        return "income" if value != "income" else "asset"
    if isinstance(column.type, Date) and not isinstance(column.type, DateTime):
        return (value or date(2031, 1, 1)) + timedelta(days=1)  # type: ignore[operator]
    if value is None and isinstance(column.type, DateTime | UtcInstant):
        return datetime.fromisoformat("2031-01-01T00:00:00+00:00")
    if value is None and isinstance(column.type, JSON):
        return {"more": 1}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1000
    if isinstance(value, datetime):
        return value + timedelta(hours=1)
    if isinstance(value, dict):
        return value | {"more": 1}
    return f"{value or ''}x"[-32:]


def apply(session: Session, tampering: Tampering) -> None:
    table = TABLES[tampering.table]
    where = and_(*(key == tampering.row[key.name] for key in primary_key(tampering)))
    if tampering.column is None:
        session.execute(delete(table).where(where))
    else:
        changed = other(tampering.row[tampering.column], table.c[tampering.column])
        session.execute(update(table).where(where).values({tampering.column: changed}))


@contextmanager
def rolled_back(session: Session) -> Iterator[None]:
    """Work as one who owns the database: no trigger, no foreign key; until the rollback."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("set local session_replication_role = replica"))
    else:
        session.execute(text("pragma defer_foreign_keys = on"))
        for name in guards.expected("sqlite"):
            session.execute(text(f"drop trigger {name}"))
    yield
    session.rollback()


def found_in(session: Session) -> list[str]:
    """Run every check on what this transaction sees, but whether the guards stand."""
    found = (
        verification.run_check(name, rows(session)).first_bad
        for name, rows in verification.CHECKS.items()
        if name != "guards"
    )
    return [problem for problem in found if problem is not None]


def tamperings(session: Session, chance: random.Random) -> list[Tampering]:
    """Choose a row for each column and each deletion."""
    chosen = [(table, name) for table, names in COLUMNS.items() for name in names]
    found = []
    for table, column in [*chosen, *((table, None) for table in DELETED)]:
        statement = select(TABLES[table]).where(text(ONLY.get(table, "true")))
        rows = [dict(row) for row in session.execute(statement).mappings()]
        found.append(Tampering(table, column, chance.choice(rows)))
    return found


def any_tampering(session: Session, chance: random.Random) -> Tampering:
    """Choose any row of any table, and one of its columns, or to delete it."""
    while True:
        table = chance.choice(sorted(COLUMNS))
        statement = select(TABLES[table]).where(text(ONLY.get(table, "true")))
        rows = [dict(row) for row in session.execute(statement).mappings()]
        columns: list[str | None] = [*COLUMNS[table], *([None] if table in DELETED else [])]
        if rows:
            return Tampering(table, chance.choice(columns), chance.choice(rows))


def unseen(session: Session, tampering: Tampering) -> str | None:
    """Carry one tampering out and verify; say what was not found or not named, and undo it."""
    with rolled_back(session):
        apply(session, tampering)
        problems = found_in(session)
    is_named = any(name in problem for problem in problems for name in tampering.names)
    # A link or checkpoint that is gone leaves its row behind; there is no row to be named.
    by_place = problems and tampering.table in ("chain_links", "checkpoints")
    if is_named or by_place:
        return None
    return f"{tampering.table}.{tampering.column or 'deleted'} of {tampering.names}: {problems}"


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """Work on a connection that nothing refuses anything; commit, and put the guards back."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("set local session_replication_role = replica"))
        else:
            connection.execute(text("pragma defer_foreign_keys = on"))
            connection.execute(text("pragma ignore_check_constraints = on"))
            for name in guards.expected("sqlite"):
                connection.execute(text(f"drop trigger if exists {name}"))
        yield connection
        if engine.dialect.name == "sqlite":
            connection.execute(text("pragma ignore_check_constraints = off"))
            guards.install(connection)


def change(engine: Engine, statement: str, **values: object) -> None:
    """Carry out one statement as the database's owner."""
    with unguarded(engine) as connection:
        done = connection.execute(text(statement), values)
        assert done.rowcount == 1, statement

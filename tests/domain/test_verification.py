"""Verification names the first bad row, whichever row a superuser has tampered with."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Column, Engine, and_, delete, insert, select, text, update
from sqlalchemy.orm import Session

from core import clock
from domain import database, sequencer
from domain.books import chains, verification
from models import guards
from models.base import Base
from tests.domain.world import World
from tests.rig import checker
from tests.rig.checker import Claim

SEED = 20261121
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
        ),
    ),
    "postings": ("pair", "address", "asset", "amount_minor"),
    "journal_seals": ("postings",),
    "audit_log": tuple(column.name for column in TABLES["audit_log"].columns),
    "chain_links": ("seq", "row_id", "content_hash", "previous_hash", "hash"),
    "payments": ("status", "sub_state", "escrow_state", "received_minor", "amount_minor", "asset"),
    "orders": ("status", "paid_minor"),
    "payment_facts": ("kind", "amount_minor", "payment_id"),
    "state_changes": ("object_id", "old", "new"),
}
DELETED = (
    *("journal_entries", "postings", "journal_seals", "audit_log", "chain_links"),
    *("payment_facts", "state_changes"),
)
# Rows that say something else than their fellows of the same table.
ONLY = {
    "payments": "status = 'completed'",
    "orders": "status = 'deposit_paid'",
    "payment_facts": "kind = 'succeeded'",
    "state_changes": "object_kind in ('payment', 'order', 'escrow')",
}


@dataclass(frozen=True)
class Tampering:
    """One row changed (column named) or deleted (column None). names: what the finding may call it."""

    table: str
    column: str | None
    row: dict[str, object]

    @property
    def names(self) -> set[str]:
        keys = ("id", "entry_id", "payment_id", "order_id", "object_id", "row_id")
        return {str(self.row[key]) for key in keys if self.row.get(key)}


@pytest.fixture
def books(world: World, engine: Engine) -> Engine:
    """A database with payments that were paid, paid late, cancelled, and are open; linked and numbered."""
    for _ in range(3):
        world.deliver_and_apply(world.paid(world.payment()))
    late = world.payment()
    world.deliver_and_apply(world.event("payment_intent.canceled", late, status="canceled"))
    world.deliver_and_apply(world.paid(late))
    world.deliver_and_apply(world.paid(world.payment(), 2400))
    world.payment()
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    assert verification.verify().ok
    return engine


def primary_key(tampering: Tampering) -> list[Column[object]]:
    return list(TABLES[tampering.table].primary_key)


def other(value: object) -> object:
    """Give another value of the same kind."""
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
        changed = other(tampering.row[tampering.column])
        session.execute(update(table).where(where).values({tampering.column: changed}))


@contextmanager
def unguarded(session: Session) -> Iterator[None]:
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
    problems = []
    for name, rows in verification.CHECKS.items():
        if name != "guards":
            problems += [problem for problem in rows(session) if problem is not None][:1]
    return problems


def tamperings(session: Session, chance: random.Random) -> list[Tampering]:
    """Choose a row for each column and each deletion."""
    chosen = [(table, name) for table, names in COLUMNS.items() for name in names]
    found = []
    for table, column in [*chosen, *((table, None) for table in DELETED)]:
        statement = select(TABLES[table]).where(text(ONLY.get(table, "true")))
        rows = [dict(row) for row in session.execute(statement).mappings()]
        found.append(Tampering(table, column, chance.choice(rows)))
    return found


def test_every_tampering_with_one_row_is_found_and_named(books: Engine) -> None:
    chance = random.Random(SEED)
    missed: list[str] = []
    with Session(books) as session:
        chosen = tamperings(session, chance)
        assert len(chosen) > 50
        for tampering in chosen:
            with unguarded(session):
                apply(session, tampering)
                problems = found_in(session)
            is_named = any(name in problem for problem in problems for name in tampering.names)
            # A link that is gone leaves its row behind; there is no row to be named.
            if not (is_named or (problems and tampering.table == "chain_links")):
                missed.append(f"{tampering.table}.{tampering.column or 'deleted'}: {problems}")
        assert found_in(session) == []
    assert missed == []


def test_a_posting_slipped_into_an_old_entry_is_found(books: Engine) -> None:
    with Session(books) as session:
        line = dict(session.execute(select(TABLES["postings"])).mappings().first() or {})
        with unguarded(session):
            for place, sign in ((98, 1), (99, -1)):
                slipped = line | {"line": place, "pair": 9, "amount_minor": sign * 50}
                session.execute(insert(TABLES["postings"]).values(slipped))
            problems = found_in(session)
    assert any(line["entry_id"] in problem for problem in problems)


def test_two_amounts_changed_so_that_they_balance_are_found(books: Engine) -> None:
    with Session(books) as session:
        entry_id = session.scalar(select(TABLES["postings"].c.entry_id))
        with unguarded(session):
            doubled = "update postings set amount_minor = amount_minor * 2 where entry_id = :id"
            session.execute(text(doubled), {"id": entry_id})
            assert any(str(entry_id) in problem for problem in found_in(session))


def test_the_report_names_the_first_bad_row_and_is_kept(books: Engine) -> None:
    with database.reading() as session:
        entry_id = session.scalar(select(TABLES["journal_entries"].c.id))
    with books.begin() as connection:
        names = guards.expected(books.dialect.name)
        for name in [name for name in names if name.startswith("guard_journal_entries")]:
            on = "" if books.dialect.name == "sqlite" else " on journal_entries"
            connection.execute(text(f"drop trigger {name}{on}"))
        forged = "update journal_entries set note = 'as agreed' where id = :id"
        connection.execute(text(forged), {"id": entry_id})
    report = verification.verify()
    bad = {check.name: check.first_bad for check in report.checks if not check.ok}
    assert set(bad) == {"guards", "journal_entries"}
    assert bad["guards"] is not None and "guard_journal_entries" in bad["guards"]
    assert bad["journal_entries"] == f"{entry_id} does not say what its hash covers"
    with database.reading() as session:
        kept = verification.last_report(session)
    assert kept is not None and kept["ok"] is False
    assert json.loads(json.dumps(kept)) == verification.wire(report)


def test_the_checker_of_the_rig_sees_what_verification_sees(
    books: Engine, database_url: str
) -> None:
    assert checker.differences(database_url, Claim()) == []
    with Session(books) as session:
        entry = dict(session.execute(select(TABLES["journal_entries"])).mappings().first() or {})
    with books.begin() as connection:
        if books.dialect.name == "postgresql":
            connection.execute(text("set local session_replication_role = replica"))
        else:
            connection.execute(text("drop trigger guard_journal_entries_update"))
        statement = "update journal_entries set order_id = 'ord_other' where id = :id"
        connection.execute(text(statement), {"id": entry["id"]})
    found = checker.differences(database_url, Claim())
    assert [each for each in found if each.startswith("I10") and str(entry["id"]) in each]


def test_an_event_that_waits_too_long_is_named(books: Engine, world: World) -> None:
    received = world.deliver(world.event("payment_intent.succeeded", world.payment()))
    assert verification.verify().ok
    with database.transaction() as session:
        long_ago = clock.after(-7200)
        table = TABLES["inbound_events"]
        waits = update(table).where(table.c.id == received.inbound_id).values(due_at=long_ago)
        session.execute(waits)
    [bad] = [check for check in verification.verify().checks if not check.ok]
    assert (
        bad.name == "inbox" and bad.first_bad is not None and received.inbound_id in bad.first_bad
    )


def test_a_missing_number_in_the_order_of_events_is_found(books: Engine) -> None:
    with Session(books) as session, unguarded(session):
        session.execute(text("delete from event_log where seq = 2"))
        [problem] = found_in(session)
    assert "events are numbered 1 to" in problem

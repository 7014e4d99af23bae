"""What the database itself refuses, whoever asks: edits of the append-only, entries that do not balance."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest
from sqlalchemy import Connection, Engine, UniqueConstraint, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.money import Money, asset
from domain import database, sequencer
from domain.books import accounts, chains, ledger, reserving
from domain.inbox import replays
from models import guards
from models.base import Base
from models.ledger import JournalEntry
from tests.domain import banking, closing_months
from tests.domain.world import World

REFUSAL = re.compile(r"append-only|sealed")
NOW = "2026-11-21 12:00:00.000000"
# A column of each table that no trigger of another kind looks at.
HARMLESS = {
    "journal_entries": "note = 'other'",
    "postings": "address = 'other'",
    "journal_seals": "postings = postings",
    "audit_log": "reason = 'other'",
    "chain_links": "content_hash = content_hash",
    "state_changes": "reason = 'other'",
    "inbound_attempts": "reason = 'other'",
    "period_balances": "closing_minor = closing_minor",
    "bank_statements": "account = account",
}


@pytest.fixture
def posted(world: World, engine: Engine) -> Engine:
    """A database in which every append-only table has rows."""
    world.deliver_and_apply(world.paid(world.payment()))
    chains.link_all()
    closing_months.written_closing()
    banking.bring(world.fin, banking.camt(banking.Row()))
    with engine.connect() as connection:
        for table in guards.APPEND_ONLY:
            assert connection.scalar(text(f"select count(*) from {table}")), table
    return engine


@pytest.fixture
def replayed(posted: Engine, world: World) -> Engine:
    """The same, with a reversal, a replay under a key, and all events numbered: every key is in use."""
    with database.transaction() as session:
        entry_id = session.scalars(select(JournalEntry.id)).first()
        ledger.reverse(session, str(entry_id), source="test", note="to have one")
        void_one(session)
    [inbound_id] = inbound_ids(posted)
    replays.replay(inbound_id, actor=world.fin, reason="to have one", once_key="key-1")
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    return posted


def void_one(session: Session) -> None:
    """Reserve what a merchant is owed and let it go, so that an entry ends another."""
    owed, amount = accounts.merchant_payable("mrc_house"), Money(100, asset("EUR"))
    said = {"source": "test", "ties": ledger.Ties()}
    earned = ledger.Movement(accounts.adjustments("test"), owed, amount)
    ledger.post(session, "reserve", movements=[earned], source_key="owed", **said)  # type: ignore[arg-type]
    kept = reserving.reserve(session, owed, amount, source_key="kept", **said)  # type: ignore[arg-type]
    reserving.void(session, kept.entry_id, source="test")


def inbound_ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("select id from inbound_events")))


def contents(engine: Engine) -> dict[str, list[str]]:
    with engine.connect() as connection:
        return {
            table: sorted(str(row) for row in connection.execute(text(f"select * from {table}")))
            for table in (*guards.APPEND_ONLY, "event_log")
        }


def refused(engine: Engine, *statements: str) -> str:
    """Run statements in one transaction that must fail, at the latest at its commit. Gives why."""
    with pytest.raises(DBAPIError) as caught:
        run(engine, statements)
    return str(caught.value.orig)


def run(engine: Engine, statements: Sequence[str]) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_rows_are_neither_changed_nor_deleted(posted: Engine) -> None:
    before = contents(posted)
    for table in guards.APPEND_ONLY:
        for statement in (f"update {table} set {HARMLESS[table]}", f"delete from {table}"):
            assert f"{table} is append-only" in refused(posted, statement)
    assert contents(posted) == before


def unique_keys(table: str) -> list[tuple[str, ...]]:
    """List what makes a row of a table unique: its primary key and every other."""
    found = Base.metadata.tables[table]
    keys = [tuple(column.name for column in found.primary_key)]
    keys += [
        tuple(column.name for column in constraint.columns)
        for constraint in found.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    single = (column.name for column in found.columns if column.unique)
    return list(dict.fromkeys([*keys, *((name,) for name in single)]))


KEYS = [(table, key) for table in (*guards.APPEND_ONLY, "event_log") for key in unique_keys(table)]


def other_with(row: dict[str, object], table: str, key: Sequence[str]) -> dict[str, object]:
    """Make another row that has one key with a row in common and no other."""
    changed = dict(row)
    for name in {name for other in unique_keys(table) for name in other} - set(key):
        value = row[name]
        changed[name] = value + 1000 if isinstance(value, int) else f"{value}_other"
    return changed


def a_row(engine: Engine, table: str, key: Sequence[str]) -> dict[str, object]:
    """Give a row in which the key is not null, written there if there is none."""
    with engine.connect() as connection:
        where = " and ".join(f"{name} is not null" for name in key)
        found = connection.execute(text(f"select * from {table} where {where}")).mappings().first()
    assert found is not None, f"no row of {table} has {key}"
    return dict(found)


def replace(engine: Engine, table: str, key: Sequence[str], *, recursive: str) -> str:
    """Put another row in the place of one, as any tool may: without our pragmas. Gives why not."""
    row = other_with(a_row(engine, table, key), table, key)
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    statement = f"insert or replace into {table} ({names}) values ({marks})"
    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as connection:
        connection.execute(f"pragma recursive_triggers={recursive}")
        with pytest.raises(sqlite3.DatabaseError) as caught:
            connection.execute(statement, list(row.values()))
    return str(caught.value)


@pytest.mark.parametrize("recursive", ["on", "off"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_replaces_no_row_whatever_its_pragmas_say(replayed: Engine, recursive: str) -> None:
    before = contents(replayed)
    for table, key in KEYS:
        assert REFUSAL.search(replace(replayed, table, key, recursive=recursive)), (table, key)
    assert contents(replayed) == before


def test_no_row_takes_the_place_of_another(replayed: Engine) -> None:
    before = contents(replayed)
    for table, key in KEYS:
        names = ", ".join(f'"{column.name}"' for column in Base.metadata.tables[table].columns)
        where = " and ".join(f"{name} is not null" for name in key)
        said = refused(
            replayed,
            f"insert into {table} ({names}) select {names} from {table} where {where}"
            f" on conflict ({', '.join(key)}) do update set {key[0]} = excluded.{key[0]}",
        )
        assert REFUSAL.search(said), (table, key)
    assert contents(replayed) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_table_is_emptied_at_once(posted: Engine) -> None:
    before = contents(posted)
    for table in (*guards.APPEND_ONLY, "event_log"):
        assert "append-only" in refused(posted, f"truncate {table} cascade")
    assert contents(posted) == before


def test_a_numbered_event_stays_as_it_is(posted: Engine) -> None:
    while sequencer.number_events(ring=False):
        pass
    before = contents(posted)
    for change in ("seq = seq + 1000", "seq = null", "type = 'other'", "audience = 'parties'"):
        assert "append-only" in refused(posted, f"update event_log set {change} where seq = 1")
    assert contents(posted) == before


def test_numbering_changes_nothing_but_the_number(posted: Engine) -> None:
    before = contents(posted)
    for change in (
        "type = 'other'",
        "audience = 'nobody'",
        "status = 'paid'",
        "payment_id = 'pay_x'",
    ):
        assert "append-only" in refused(posted, f"update event_log set seq = 5000, {change}")
    assert contents(posted) == before


def entry(entry_id: str, *lines: tuple[str, object], seal: int | None = None) -> list[str]:
    """Write an entry, its postings (asset, amount) and its seal as statements."""
    head = (
        "insert into journal_entries (id, kind, source_key, source, content_hash, livemode,"
        f" demo, effective_at, posted_at) values ('{entry_id}', 'reserve', '{entry_id}',"
        f" 'test', 'x', false, false, '{NOW}', '{NOW}')"
    )
    statements = [head]
    statements += [
        "insert into postings (entry_id, line, pair, address, asset, amount_minor)"
        f" values ('{entry_id}', {place}, {place}, 'provider:stripe:clearing', '{asset}', {amount})"
        for place, (asset, amount) in enumerate(lines, 1)
    ]
    if seal is not None:
        statements.append(
            f"insert into journal_seals (entry_id, postings, sealed_at) values ('{entry_id}', {seal}, '{NOW}')"
        )
    return statements


BALANCED = (("EUR/2", 100), ("EUR/2", -100))
FORBIDDEN = {
    "without a seal": entry("jrn_a", *BALANCED),
    "without postings": entry("jrn_a", seal=0),
    "with one posting": entry("jrn_a", ("EUR/2", 100), seal=1),
    "with one posting of nothing": entry("jrn_a", ("EUR/2", 0), seal=1),
    "out of balance": entry("jrn_a", ("EUR/2", 100), ("EUR/2", -99), seal=2),
    "balanced across currencies only": entry("jrn_a", ("EUR/2", 100), ("USD/2", -100), seal=2),
    "with a seal that miscounts": entry("jrn_a", *BALANCED, seal=3),
    "with a late posting": [
        *entry("jrn_a", *BALANCED, seal=2),
        *entry("jrn_a", *BALANCED, ("EUR/2", 0))[3:],
    ],
    "with a second seal": [*entry("jrn_a", *BALANCED, seal=2), entry("jrn_a", seal=2)[-1]],
    "with a fraction of a cent": entry("jrn_a", ("EUR/2", 0.25), ("EUR/2", -0.25), seal=2),
    "with words for an amount": entry("jrn_a", ("EUR/2", "'ten'"), ("EUR/2", "'-ten'"), seal=2),
    "with more than 64 bits": entry("jrn_a", ("EUR/2", 2**70), ("EUR/2", -(2**70)), seal=2),
    "with nothing for an amount": entry("jrn_a", ("EUR/2", "null"), ("EUR/2", "null"), seal=2),
}


@pytest.fixture
def open_account(posted: Engine) -> Engine:
    """A database where the account that these entries use is open in both currencies."""
    with posted.begin() as connection:
        for asset in ("EUR/2", "USD/2"):
            _open(connection, asset)
    return posted


def _open(connection: Connection, asset: str) -> None:
    connection.execute(
        text(
            "insert into ledger_accounts (address, asset, kind, created_at)"
            f" values ('provider:stripe:clearing', '{asset}', 'asset', '{NOW}') on conflict do nothing"
        )
    )


def test_entries_that_are_not_in_order_are_refused(open_account: Engine) -> None:
    before = contents(open_account)
    for statements in FORBIDDEN.values():
        assert refused(open_account, *statements)
    assert contents(open_account) == before


def test_an_entry_that_is_in_order_is_taken(open_account: Engine) -> None:
    with open_account.begin() as connection:
        for statement in entry("jrn_a", *BALANCED, seal=2):
            connection.execute(text(statement))
        for statement in entry("jrn_b", *BALANCED, ("USD/2", 7), ("USD/2", -7), seal=4):
            connection.execute(text(statement))
    with open_account.connect() as connection:
        assert (
            connection.scalar(text("select count(*) from journal_entries where kind = 'reserve'"))
            == 2
        )


def test_a_posting_is_not_added_to_an_entry_of_yesterday(open_account: Engine) -> None:
    with open_account.connect() as connection:
        entry_id = connection.scalar(text("select id from journal_entries"))
    late = entry(str(entry_id), *BALANCED, ("EUR/2", 5), ("EUR/2", -5))
    before = contents(open_account)
    # Lines 1 to 4 are there already; these would be the fifth and the sixth.
    lines = [line.replace(", 3, 3,", ", 5, 5,").replace(", 4, 4,", ", 6, 6,") for line in late[3:]]
    assert "sealed" in refused(open_account, *lines)
    assert contents(open_account) == before


def test_two_entries_for_one_fact_are_refused(open_account: Engine) -> None:
    first, *rest = entry("jrn_a", *BALANCED, seal=2)
    again = [statement.replace("jrn_a", "jrn_b") for statement in (first, *rest)]
    again[0] = again[0].replace("'reserve', 'jrn_b', 'test'", "'reserve', 'jrn_a', 'test'")
    refused(open_account, first, *rest, *again)


def test_a_guard_that_is_missing_is_named(posted: Engine) -> None:
    with posted.begin() as connection:
        assert guards.missing(connection) == []
        if posted.dialect.name == "sqlite":
            connection.execute(text("drop trigger guard_postings_update"))
        else:
            connection.execute(text("alter table postings disable trigger guard_postings"))
    with posted.begin() as connection:
        expected = "guard_postings_update" if posted.dialect.name == "sqlite" else "guard_postings"
        assert guards.missing(connection) == [expected]
        guards.install(connection)
        assert guards.missing(connection) == []

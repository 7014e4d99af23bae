"""Verification names the first bad row, whichever row a superuser has tampered with."""

from __future__ import annotations

import json
import random

import pytest
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

from core import clock
from domain import database
from domain.books import verification
from models import guards
from tests.domain import forgeable
from tests.domain.tampering import TABLES, found_in, rolled_back, tamperings, unseen
from tests.domain.world import World
from tests.rig import checker
from tests.rig.checker import Claim

SEED = 20261121


@pytest.fixture
def books(world: World, engine: Engine) -> Engine:
    """A database with payments that were paid, paid late, cancelled, and are open; linked and signed."""
    forgeable.fill(world)
    return engine


def test_every_tampering_with_one_row_is_found_and_named(books: Engine) -> None:
    chance = random.Random(SEED)
    with Session(books) as session:
        chosen = tamperings(session, chance)
        assert len(chosen) > 50
        missed = [said for each in chosen if (said := unseen(session, each)) is not None]
        assert found_in(session) == []
    assert missed == []


def test_a_posting_slipped_into_an_old_entry_is_found(books: Engine) -> None:
    with Session(books) as session:
        line = dict(session.execute(select(TABLES["postings"])).mappings().first() or {})
        with rolled_back(session):
            for place, sign in ((98, 1), (99, -1)):
                slipped = line | {"line": place, "pair": 9, "amount_minor": sign * 50}
                session.execute(insert(TABLES["postings"]).values(slipped))
            problems = found_in(session)
    assert any(line["entry_id"] in problem for problem in problems)


def test_two_amounts_changed_so_that_they_balance_are_found(books: Engine) -> None:
    with Session(books) as session:
        entry_id = session.scalar(select(TABLES["postings"].c.entry_id))
        with rolled_back(session):
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
    with Session(books) as session, rolled_back(session):
        session.execute(text("delete from event_log where seq = 2"))
        [problem] = found_in(session)
    assert "events are numbered 1 to" in problem

"""A connection that a reader of the event log gave back serves the inbox as any other: committed, or not acknowledged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from core.errors import Unavailable
from domain import database, feed
from domain.inbox.ingest import ingest
from tests.domain.world import World


def stored(engine: Engine) -> int:
    """Count what every other connection sees of the inbox."""
    with engine.connect() as connection:
        return int(connection.scalar(text("select count(*) from inbound_events")) or 0)


def test_what_arrives_after_a_reader_left_is_committed_before_it_is_acknowledged(
    world: World, engine: Engine
) -> None:
    payment = world.payment()
    # The pool holds nothing but what the reader gives back.
    ingest._inserter.close()
    engine.dispose()
    follower = feed.Follower()
    follower.read_after(0)
    follower.close()
    world.deliver(world.paid(payment))
    assert stored(engine) == 1
    with database.transaction() as session:
        session.execute(text("update orders set description = 'others can write'"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_acknowledged_on_a_connection_that_would_not_commit(
    world: World, engine: Engine
) -> None:
    payment = world.payment()
    world.deliver(world.paid(payment))
    held = ingest._inserter._held
    assert isinstance(held, sqlite3.Connection)
    held.isolation_level = "DEFERRED"
    with pytest.raises(Unavailable):
        world.deliver(world.held(payment))
    assert stored(engine) == 1
    world.deliver(world.held(payment))
    assert stored(engine) == 2
    with closing(sqlite3.connect(str(engine.url.database), timeout=1)) as other:
        other.execute("begin immediate")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_file_that_writers_queue_at_is_let_go_with_the_engine(
    world: World, engine: Engine, database_url: str
) -> None:
    world.order()
    name = f"{make_url(database_url).database}-turn"
    assert name in held_files()
    engine.dispose()
    assert name not in held_files()
    world.order()
    assert name in held_files()


def held_files() -> set[str]:
    """List the files that this process has open."""
    return {os.path.realpath(each) for each in Path("/dev/fd").iterdir() if os.path.lexists(each)}

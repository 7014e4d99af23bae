"""Events and principals for the tests of live delivery."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Engine

from core.states import Role
from domain import database, events, sequencer
from domain.actors import Actor
from domain.events import About
from domain.listening import waker
from models import guards
from models.base import Base
from tests.rig import cluster
from tests.rig.run import Run

_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> Iterator[Engine]:
    if request.param == "sqlite":
        made = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'live.db'}")
        drop = None
    else:
        running = cluster.start(run)
        name = f"live{next(_numbers)}_{__import__('os').getpid()}"
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        made = sqlalchemy.create_engine(running.url(name))
        drop = (running, name)
    database.bind(made)
    with made.begin() as connection:
        Base.metadata.create_all(connection)
        guards.install(connection)
    yield made
    waker.stop()
    made.dispose()
    if drop:
        with psycopg.connect(drop[0].dsn(), autocommit=True) as connection:
            connection.execute(f"drop database {drop[1]} with (force)")


@pytest.fixture
def staff() -> Actor:
    return Actor(id="usr_sue", kind="user", role=Role.SUPPORT, name="Sue")


@pytest.fixture
def mel() -> Actor:
    return Actor(
        id="key_mel",
        kind="key",
        role=Role.MERCHANT,
        name="Mel",
        merchant_id="mer_mel",
        livemode=False,
    )


@pytest.fixture
def buyer() -> Actor:
    return Actor(id="usr_bo", kind="user", role=Role.BUYER, name="Bo")


Write = Callable[..., list[str]]


@pytest.fixture
def write(engine: Engine) -> Write:
    """Commit events and number them, as a process of ours does; gives their ids."""

    def written(
        kind: str = "payment.succeeded",
        times: int = 1,
        about: About | None = None,
        number: bool = True,
    ) -> list[str]:
        where = about or About(
            object_id="pay_1", payment_id="pay_1", merchant_id="mer_mel", buyer_id="usr_bo"
        )
        rows = [events.row(kind, where, source="test:1", sequence=no) for no in range(times)]
        with database.transaction() as session:
            events.append(session, rows)
        if number:
            sequencer.number_events(ring=False)
        return [str(row["id"]) for row in rows]

    return written

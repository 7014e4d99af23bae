"""Who is alive is on record: processes beat, leave in order, and are forgotten when they fall silent."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

import config
from commands import companions
from core import clock
from domain import database, presence
from domain.secrets import keyring
from domain.sequencer import Bell
from models.presence import ProcessBeat


def alive(kind: str) -> list[str]:
    with database.reading() as session:
        return [row.id for row in presence.list_alive(session, kind)]


def age(by: timedelta) -> None:
    with database.transaction() as session:
        session.execute(update(ProcessBeat).values(seen_at=clock.now() - by))


def test_a_silent_process_is_gone_after_a_minute_and_forgotten_after_an_hour(
    engine: Engine,
) -> None:
    first, second = presence.identify("web"), presence.identify("worker")
    with database.transaction() as session:
        presence.beat(session, first)
        presence.beat(session, second)
    assert (alive("web"), alive("worker")) == ([first.id], [second.id])
    age(timedelta(seconds=61))
    assert alive("web") == alive("worker") == []
    with database.transaction() as session:
        presence.beat(session, first)
    assert (alive("web"), alive("worker")) == ([first.id], [])
    age(timedelta(hours=1, seconds=1))
    third = presence.identify("web")
    with database.transaction() as session:
        presence.beat(session, third)
    with database.reading() as session:
        assert list(session.scalars(select(ProcessBeat.id))) == [third.id]


def test_a_process_beats_while_it_runs_and_leaves_when_it_stops(
    engine: Engine, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.configure(config.load(environ))
    monkeypatch.setattr(companions, "bell", Bell())
    running = companions.start("web")
    until = time.monotonic() + 5
    while not alive("web") and time.monotonic() < until:
        time.sleep(0.01)
    assert alive("web") == [running.who.id]
    running.stop()
    assert alive("web") == []
    assert not set(running.threads) & set(threading.enumerate())

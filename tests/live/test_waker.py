"""A commit anywhere wakes whoever waits, soon; a lost wake-up costs a second, never an event."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy
from sqlalchemy import Engine, text

from domain import database
from domain.listening import Waker
from tests.live.conftest import Write


@pytest.fixture
def waker(engine: Engine) -> Iterator[Waker]:
    made = Waker()
    yield made
    made.stop()


def warm_up(waker: Waker) -> None:
    """Wait until it listens; the first wake-up says so."""
    assert waker.wait(5)


def test_a_commit_wakes_a_waiter_long_before_the_tick(waker: Waker, write: Write) -> None:
    warm_up(waker)
    slow = 0
    for _ in range(5):
        seen = waker.count()
        began = time.monotonic()
        write()
        assert waker.wait(5, since=seen)
        slow += time.monotonic() - began > 0.5
    assert slow <= 1


def test_a_wake_up_between_looking_and_waiting_is_not_lost(waker: Waker) -> None:
    seen = waker.count()
    waker.wake()
    began = time.monotonic()
    assert waker.wait(5, since=seen)
    assert time.monotonic() - began < 0.5


def test_without_any_commit_the_tick_comes_each_second(waker: Waker) -> None:
    warm_up(waker)
    seen = waker.count()
    assert waker.wait(3, since=seen)


def test_the_thread_ends_when_nobody_wants_it_and_comes_back(
    waker: Waker, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.listening.LINGER_SECONDS", 0.1)
    heard = threading.Event()
    end = waker.subscribe(heard.set)
    assert heard.wait(5)
    thread = waker._thread
    assert thread is not None
    end()
    thread.join(3)
    assert not thread.is_alive()
    again = threading.Event()
    end = waker.subscribe(again.set)
    write()
    assert again.wait(5)
    end()


def test_a_broken_connection_is_replaced(waker: Waker, write: Write) -> None:
    heard = threading.Event()
    end = waker.subscribe(heard.set)
    assert heard.wait(5)
    if not database.is_sqlite():
        with database.engine().begin() as connection:
            others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
            connection.execute(text(f"{others} and datname = current_database()"))
    for _ in range(2):
        heard.clear()
        write()
        assert heard.wait(5)
    end()


def test_a_wake_up_for_workers_leaves_streams_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Waker, "_want", lambda _: None)
    waker = Waker()
    streams, workers, everybody = threading.Event(), threading.Event(), threading.Event()
    waker.subscribe(streams.set, kind="events")
    waker.subscribe(workers.set, kind="work")
    waker.subscribe(everybody.set)
    waker.wake("work")
    assert workers.is_set() and everybody.is_set() and not streams.is_set()
    assert (waker.count("work"), waker.count("events"), waker.count()) == (1, 0, 1)
    assert not waker.wait(0.01, since=0, kind="events")
    assert waker.wait(0, since=0, kind="work") and waker.wait(0, since=0)
    waker.wake()
    assert streams.is_set() and waker.wait(0, since=0, kind="events")


def test_a_notification_says_for_whom_it_is(postgres_url: str) -> None:
    made = sqlalchemy.create_engine(postgres_url)
    database.bind(made)
    waker = Waker()
    warm_up(waker)
    for payload, kind in (("work", "work"), ("events", "events"), ("", "work")):
        seen, began = waker.count(kind), time.monotonic()
        with made.begin() as connection:
            connection.execute(text(f"notify paydesk, '{payload}'"))
        assert waker.wait(5, since=seen, kind=kind)
        assert time.monotonic() - began < 2
    waker.stop()
    made.dispose()

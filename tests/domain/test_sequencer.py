"""The numbering of events: gapless, in order, none lost, whoever writes and numbers at the same time."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Engine, text

from domain import database, events, pending, sequencer
from models.events import EventLog

WRITERS, EVENTS = 8, 500
SECONDS = 120.0


def told(writer: int, number: int) -> dict[str, object]:
    about = events.about_staff(f"writer_{writer}")
    body: dict[str, object] = {"writer": writer, "number": number}
    return events.row("inbound.received", about, source="test", sequence=number, body=body)  # type: ignore[arg-type]


def write(writer: int) -> None:
    """Write events in transactions of one to nine, some of which are rolled back and tried again."""
    chance = random.Random(writer)
    number = 0
    while number < EVENTS:
        size = min(chance.randint(1, 9), EVENTS - number)
        is_lost = chance.random() < 0.1
        with suppress(Lost), database.transaction() as session:
            events.append(session, [told(writer, number + place) for place in range(size)])
            if chance.random() < 0.3:
                time.sleep(chance.random() / 200)
            if is_lost:
                raise Lost
        number += 0 if is_lost else size


class Lost(Exception):
    """A transaction that came to nothing."""


def follow(seen: list[EventLog], is_over: Callable[[], bool]) -> None:
    """Read what was numbered after the last place, as streams and the pull feed do."""
    cursor = 0
    while not is_over():
        with database.reading() as session:
            fresh = events.list_after(session, cursor, limit=100)
            session.expunge_all()
        seen += fresh
        cursor = fresh[-1].seq or 0 if fresh else cursor
        time.sleep(0 if fresh else 0.005)


def number(is_over: Callable[[], bool]) -> None:
    while not is_over():
        if not sequencer.number_events(ring=False):
            time.sleep(0.002)


@pytest.mark.usefixtures("engine")
def test_a_tailing_reader_gets_every_event_once_and_in_order() -> None:
    seen: list[EventLog] = []
    until = time.monotonic() + SECONDS
    failed: list[BaseException] = []

    def is_over() -> bool:
        return len(seen) >= WRITERS * EVENTS or time.monotonic() > until or bool(failed)

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  # shown by the test, whatever it is
            failed.append(error)

    acts: list[Callable[[], None]] = [lambda: follow(seen, is_over)]
    acts += [lambda: number(is_over)] * 2
    acts += [lambda writer=writer: write(writer) for writer in range(WRITERS)]  # type: ignore[misc]
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not failed
    assert [event.seq for event in seen] == list(range(1, WRITERS * EVENTS + 1))
    for writer, own in itertools.groupby(
        sorted(seen, key=lambda event: (event.body["writer"], event.seq)),
        key=lambda event: event.body["writer"],
    ):
        assert [event.body["number"] for event in own] == list(range(EVENTS)), writer


def test_an_uncommitted_event_is_not_numbered_and_leaves_no_gap(engine: Engine) -> None:
    with database.transaction() as session:
        events.append(session, [told(0, 0)])
    with suppress(Lost), database.transaction() as session:
        events.append(session, [told(0, 1)])
        pending.write_rows(session)
        raise Lost
    with database.transaction() as session:
        events.append(session, [told(0, 2)])
    assert sequencer.number_events(ring=False) == 2
    assert sequencer.number_events(ring=True) == 0
    with engine.connect() as connection:
        numbers = connection.execute(text("select seq, sequence from event_log order by seq")).all()
    assert [tuple(row) for row in numbers] == [(1, 0), (2, 2)]


@pytest.mark.usefixtures("engine")
def test_more_than_one_batch_is_numbered_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH", 7)
    with database.transaction() as session:
        events.append(session, [told(0, place) for place in range(20)])
    counts = [sequencer.number_events(ring=False) for _ in range(4)]
    assert counts == [7, 7, 6, 0]
    with database.reading() as session:
        found = events.list_after(session, 0)
        assert [(event.seq, event.sequence) for event in found] == [(n + 1, n) for n in range(20)]

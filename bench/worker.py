"""How many events one worker applies in full per second: state, order, books, events, audit, chains."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from bench import cpu, rig, stock
from bench.report import Report
from bench.rig import Bench
from core import clock
from domain import database
from domain.books import chains
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import JournalEntry

TARGET = 300
_PATIENCE_SECONDS = 120


def measure(*, events: int = 5000, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Fill the inbox with success events of pending payments, start one worker, wait, count."""
    report = Report("worker", f"python -m bench worker --events {events}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            pending = stock.add_pending(events)
            stock.receive_all(pending)
            _run(report, ground, events)
    return report


def _run(report: Report, ground: Bench, events: int) -> None:
    rig.wait_idle()
    began = time.perf_counter()
    worker = ground.worker()
    try:
        _wait(lambda: _count(InboundEvent.state == "processed") == events)
        _wait(lambda: _count(EventLog.seq.is_(None)) == 0 and _unlinked() == 0)
        told, used = time.perf_counter() - began, cpu.seconds(worker.pid)
    finally:
        worker.stop()
    first, last = _applied()
    seconds = (last - first).total_seconds()
    rate = events / max(seconds, 0.001)
    report.add(
        engine=ground.engine,
        events=events,
        seconds=round(seconds, 2),
        events_per_second=round(rate),
        cpu_ms_per_event=round(used * 1000 / events, 2),
        start_to_all_numbered_and_linked_seconds=round(told, 2),
        posted=_count(JournalEntry.id.is_not(None)),
        load=rig.load(),
    )
    if ground.engine == "postgresql":
        report.expect(f"one worker applies at least {TARGET} events/s", holds=rate >= TARGET)


def _wait(is_done: Callable[[], bool]) -> None:
    until = clock.monotonic() + _PATIENCE_SECONDS
    while not is_done():
        if clock.monotonic() > until:
            raise SystemExit("the worker did not finish in time")
        time.sleep(0.25)


def _count(condition: ColumnElement[bool]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(condition)) or 0


def _unlinked() -> int:
    with database.reading() as session:
        return sum(chains.count_unlinked(session, chain) for chain in chains.CHAINS)


def _applied() -> tuple[datetime, datetime]:
    """Give when the first and the last event were applied."""
    with database.reading() as session:
        columns = func.min(InboundEvent.processed_at), func.max(InboundEvent.processed_at)
        first, last = session.execute(select(*columns)).one()
    assert first is not None  # all of them were applied
    assert last is not None
    return first, last

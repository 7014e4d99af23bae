"""At the very moment of closing: what is posted is in the snapshot or a late fact, and a month closes once."""

from __future__ import annotations

import os
import random
import signal
import time as clocks
from collections import Counter
from threading import Barrier, Thread

import sqlalchemy
from sqlalchemy import Engine, func, select

from core.errors import AppError
from domain import crash, database
from domain.actors import Actor
from domain.books import chains, verification
from domain.periods import snapshots
from models.control import Approval
from models.ledger import JournalEntry
from models.periods import PeriodBalance, PeriodClosing
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.closing_months import (
    OCTOBER,
    agreed,
    asked,
    asked_to_reopen,
    at,
    posted,
    prepared,
)
from tests.domain.world import World

TURNS, POSTERS, EACH = 6, 4, 3
SEED = 20261102


def booked(late: bool) -> int:
    with database.reading() as session:
        column = JournalEntry.late_of if late else JournalEntry.period
        return session.scalar(select(func.count()).where(column == OCTOBER)) or 0


def debits_of(closing: PeriodClosing) -> int:
    with database.reading() as session:
        own = PeriodBalance.closing_id == closing.id
        return session.scalar(select(func.sum(PeriodBalance.debit_minor)).where(own)) or 0


def test_what_is_posted_while_a_month_closes_is_in_it_or_late_and_nowhere_between(
    world: World, staff: Staff
) -> None:
    chance = random.Random(SEED)
    with at("2026-10-05"):
        posted(1)
    with at("2026-11-02"):
        prepared(OCTOBER)
        known, wrong = 1, list[str]()
        for _ in range(TURNS):
            row = asked(OCTOBER, staff.fin)
            together = Barrier(POSTERS + 1)
            pauses = [chance.random() * 0.02 for _ in range(POSTERS * EACH)]

            def post(mine: list[float], together: Barrier = together) -> None:
                together.wait()
                for pause in mine:
                    clocks.sleep(pause)
                    try:
                        posted(1, took_effect="2026-10-31T23:00")
                    except AppError as error:
                        wrong.append(error.code)

            threads = [
                Thread(target=post, args=(pauses[no * EACH : (no + 1) * EACH],))
                for no in range(POSTERS)
            ]
            for thread in threads:
                thread.start()
            together.wait()
            clocks.sleep(chance.random() * 0.03)
            assert agreed(row, staff.flo).row.state == "executed"
            for thread in threads:
                thread.join()
            posted(1, took_effect="2026-10-31T23:00")
            known += POSTERS * EACH + 1
            closing = time.newest(OCTOBER)
            assert not wrong
            assert booked(late=False) + booked(late=True) == known
            assert (closing.entries, debits_of(closing)) == (booked(late=False),) * 2
            chains.link_all()
            with database.reading() as session:
                for name in ("periods", "period_closings", "period_snapshots", "entry_months"):
                    assert not [bad for bad in verification.CHECKS[name](session) if bad]
            agreed(asked_to_reopen(OCTOBER, staff.flo), staff.ada)
    assert booked(late=True) >= TURNS


def test_of_many_who_close_or_ask_at_once_one_does(world: World, staff: Staff) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        people, ended = (staff.fin, staff.flo), Counter[str]()
        together = Barrier(6)

        def ask(actor: Actor) -> None:
            together.wait()
            try:
                asked(OCTOBER, actor)
                ended["asked"] += 1
            except AppError as error:
                ended[error.code] += 1

        _run([Thread(target=ask, args=(people[no % 2],)) for no in range(6)])
        assert ended == {"asked": 1, "CONFLICT": 5}
        with database.reading() as session:
            row = session.scalars(select(Approval)).one()
        others = [each for each in (staff.fin, staff.flo, staff.ada) if each.id != row.requested_by]
        ended.clear()
        together = Barrier(6)

        def agree(actor: Actor) -> None:
            together.wait()
            try:
                ended[agreed(row, actor).row.state] += 1
            except AppError as error:
                ended[error.code] += 1

        _run([Thread(target=agree, args=(others[no % 2],)) for no in range(6)])
        assert ended == {"executed": 1, "INVALID_TRANSITION": 5}
        assert len(time.month(OCTOBER).closings) == 1
        assert verification.verify().ok


def _run(threads: list[Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_killed_in_the_middle_nothing_is_closed_and_it_is_closed_next(
    world: World, staff: Staff, engine: Engine
) -> None:
    with at("2026-10-05"):
        posted()
    with at("2026-11-02"):
        prepared(OCTOBER)
        row = asked(OCTOBER, staff.fin)
        engine.dispose()
        child = os.fork()
        if child == 0:
            _close_armed(engine, row, staff.flo)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert time.state(OCTOBER) == "closing"
        assert not time.month(OCTOBER).closings
        assert verification.verify().ok
        late = posted(1, took_effect="2026-10-30")
        assert time.entry(late).period == OCTOBER
        assert agreed(row, staff.flo).row.state == "executed"
        assert time.newest(OCTOBER).entries == 2
        assert verification.verify().ok


def _close_armed(engine: Engine, row: Approval, actor: Actor) -> None:
    """Close in this process, which is killed before its commit; ends it in any case."""
    try:
        own = sqlalchemy.create_engine(engine.url)
        database.bind(own)
        crash.arm("period.before_commit")
        agreed(row, actor)
    finally:
        os._exit(7)


def test_a_snapshot_is_what_its_postings_say_whatever_was_booked_since(
    world: World, staff: Staff
) -> None:
    with at("2026-10-05"):
        for number in range(20):
            posted(number + 1, order=f"ord_{number}")
    with at("2026-11-02"):
        prepared(OCTOBER)
        closing = time.closed(OCTOBER, staff.fin, staff.flo)
        posted(7, took_effect="2026-10-01")
        with database.reading() as session:
            span = time.month(OCTOBER).span
            now = snapshots.digest(snapshots.computed(session, span, None))
            kept = snapshots.digest(snapshots.stored(session, closing.id))
        assert now == kept == closing.snapshot_sha256

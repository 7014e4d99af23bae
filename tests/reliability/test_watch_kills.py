"""A worker killed while it acts on a broken rule, signs or compares: the next one does it, whole and once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import func, select, text

import config
from domain import database
from domain.books import chains, verification
from domain.database import reading
from domain.jobs import nightly, watching
from domain.watch import checkpoints, turns
from models.cases import ExceptionCase
from models.control import Freeze
from models.events import EventLog
from models.watch import Checkpoint, Invariant, NightlyCheck
from tests.domain import refunding
from tests.domain import world as worlds
from tests.domain.tampering import change
from tests.reliability.clients import until
from tests.rig import environment
from tests.rig.process import Running

pytestmark = pytest.mark.kill


@pytest.fixture
def world(database_url: str, instance: Path) -> Iterator[worlds.World]:
    """People and a paid order, on the database and in the folder that the workers use."""
    engine = sqlalchemy.create_engine(database_url)
    database.bind(engine)
    more = {"STRIPE_SECRET_KEY": "sk_test_world", "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET}
    yield worlds.build(config.load(environment.settings(database_url, instance, **more)))
    engine.dispose()


def count(model: type, *conditions: object) -> int:
    with reading() as session:
        found = select(func.count()).select_from(model).where(*conditions)  # type: ignore[arg-type]
        return session.scalar(found) or 0


def let_lease_pass(name: str) -> None:
    with database.engine().begin() as connection:
        over = "update schedules set lease_until = null, due_at = :now where name = :name"
        connection.execute(text(over), {"now": "2020-01-01 00:00:00+00", "name": name})


def killed(worker: Running) -> None:
    assert worker.wait_dead(seconds=30) == -signal.SIGKILL, worker.output()


def broken(world: worlds.World) -> None:
    payment = refunding.paid(world)
    more = "update orders set paid_minor = 1 where id = :id"
    change(database.engine(), more, id=payment.order_id)


def test_a_kill_between_freeze_and_case_leaves_neither_and_the_next_worker_makes_both(
    world: worlds.World, database_url: str, start_worker: Callable[..., Running]
) -> None:
    broken(world)
    killed(start_worker(database_url, PAYDESK_CRASHPOINT="watch.after_freeze"))
    assert (count(Freeze), count(ExceptionCase), count(Invariant)) == (0, 0, 0)
    let_lease_pass(watching.WORK.name)
    # Two at once; one of them has the turn.
    for _ in range(2):
        start_worker(database_url)
    until(lambda: count(Freeze) > 0, what="the order to be frozen")
    until(lambda: count(EventLog, EventLog.type == "invariant.red") > 0, what="the alarm")
    red = ExceptionCase.kind == "INVARIANT_RED"
    assert (count(Freeze), count(ExceptionCase, red)) == (1, 1)
    assert count(EventLog, EventLog.type == "invariant.red") == 1


def test_a_running_worker_freezes_a_tampered_order_within_seconds(
    world: worlds.World, database_url: str, start_worker: Callable[..., Running]
) -> None:
    payment = refunding.paid(world)
    start_worker(database_url)
    until(lambda: count(Invariant) > 0, what="the monitor's first look")
    assert count(Freeze) == 0
    more = "update postings set amount_minor = amount_minor + 5 where line = 2 and entry_id ="
    more += " (select id from journal_entries where payment_id = :id)"
    change(database.engine(), more, id=payment.id)
    until(lambda: count(Freeze) > 0, what="the freeze", seconds=15)


def test_a_kill_between_file_and_table_is_mended_by_the_next_worker(
    world: worlds.World, database_url: str, start_worker: Callable[..., Running]
) -> None:
    refunding.paid(world)
    killed(start_worker(database_url, PAYDESK_CRASHPOINT="checkpoint.after_file"))
    written = checkpoints.keeper().statements("audit")
    assert (len(written), count(Checkpoint)) == (1, 0)
    assert verification.verify().ok
    start_worker(database_url)
    until(lambda: count(Checkpoint) >= 2, what="both chains to be signed")
    with reading() as session:
        row = session.scalars(select(Checkpoint).where(Checkpoint.seq == written[0].seq)).first()
    assert row is not None and checkpoints.of_row(row) == written[0]
    assert verification.verify().ok


def test_a_kill_before_the_night_is_kept_repeats_it_and_opens_each_case_once(
    world: worlds.World, database_url: str, start_worker: Callable[..., Running]
) -> None:
    broken(world)
    chains.link_all()
    with database.transaction() as session:
        turns.ask_for(session, nightly.WORK)
    killed(start_worker(database_url, PAYDESK_CRASHPOINT="nightly.before_commit"))
    assert count(NightlyCheck) == 0
    let_lease_pass(nightly.WORK.name)
    start_worker(database_url)
    until(lambda: count(NightlyCheck) == 4, what="the night to be kept", seconds=30)
    own = ExceptionCase.kind == "NIGHTLY_DIFFERENCE"
    before = count(ExceptionCase, own)
    assert before > 0
    with database.transaction() as session:
        turns.ask_for(session, nightly.WORK)

    def is_done() -> bool:
        with reading() as session:
            row = turns.look(session, nightly.WORK)
            return row is not None and not turns.is_asked_for(row)

    until(is_done, what="another night", seconds=30)
    assert count(ExceptionCase, own) == before

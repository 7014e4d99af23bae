"""A worker that was paused past its lease comes back too late: what it still holds is refused."""

from __future__ import annotations

import fcntl
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from domain.jobs import janitor
from tests.reliability.clients import until
from tests.reliability.stage import Stage
from tests.rig.process import Running

pytestmark = pytest.mark.kill

# How long the provider thinks before it answers the worker, in seconds: long enough that a worker on a
# busy machine is stopped meanwhile, and well within the worker's own patience.
THINKING = 8.0
PATIENCE = {"STRIPE_TIMEOUT_SECONDS": "60"}


def slowly(op: str) -> dict[str, object]:
    return {"op": op, "kind": "slow", "seconds": THINKING}


def asked(stage: Stage, op: str) -> list[bool]:
    """Tell of each request of this kind whether the provider has answered it."""
    requests: list[dict[str, Any]] = stage.provider.control("GET", "requests")["data"]
    return [request["status"] is not None for request in requests if request["op"] == op]


def holds_the_database(stage: Stage) -> bool:
    """Whether a stopped process is in the middle of a transaction."""
    if stage.engine.dialect.name == "postgresql":
        open_now = """select 1 from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and (state = 'active' or state like 'idle in transaction%')"""
        return bool(stage.ask(open_now))
    path = str(stage.engine.url.database)
    with Path(f"{path}-turn").open("rb") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    with closing(sqlite3.connect(path, timeout=0.02)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        return False


def stop(worker: Running) -> None:
    """Stop a worker, and wait until each of its threads has heard of it."""
    worker.tell(signal.SIGSTOP)
    time.sleep(0.05)


def pause(stage: Stage, *, op: str) -> Running:
    """Start a worker and stop it in the middle of its call; the provider answers meanwhile."""
    before = len(asked(stage, op))
    worker = stage.start_worker(**PATIENCE)
    until(lambda: len(asked(stage, op)) > before, what="the worker's call")
    stop(worker)
    while holds_the_database(stage):
        # Another of its threads was writing: a process stopped there would hold everybody up.
        worker.tell(signal.SIGCONT)
        time.sleep(0.01)
        stop(worker)
    assert not all(asked(stage, op)[before:]), "the worker was stopped after its answer"
    until(lambda: all(asked(stage, op)[before:]), what="the provider's answer")
    return worker


def wake(worker: Running, *, refusal: str) -> None:
    """Let the zombie finish what it held, and see it refused."""
    assert refusal not in worker.output()
    worker.tell(signal.SIGCONT)
    until(lambda: refusal in worker.output(), what="the zombie to be refused")
    worker.kill()


def test_a_zombies_late_settlement_is_refused_and_the_effect_is_one(stage: Stage) -> None:
    lost = {"op": "payment_intents.create", "kind": "timeout_before", "times": 2}
    stage.provider.fault(lost, slowly("payment_intents.create"))
    begun = stage.buyer.intent(stage.buyer.order())
    assert begun["status"] == "unknown"
    stage.hurry()
    worker = pause(stage, op="payment_intents.create")
    stage.hurry()
    stage.bind()
    assert janitor.finish_operation()
    states = "select state, attempts, fence from operations where id = :id"
    settled = stage.ask(states, id=begun["operationId"])
    assert settled[0][0] == "succeeded"
    wake(worker, refusal="LOST_RACE")
    assert stage.ask(states, id=begun["operationId"]) == settled
    moves = "select count(*) from state_changes where object_id = :id and new = 'succeeded'"
    assert stage.ask(moves, id=begun["operationId"]) == [(1,)]
    stage.provider.skip_new()
    stage.conclude()


def test_a_zombies_late_check_changes_nothing(stage: Stage) -> None:
    begun = stage.buyer.intent(stage.buyer.order())
    stage.provider.pay(begun["providerReference"])
    stage.provider.fault(slowly("payment_intents.retrieve"))
    stage.hurry()
    worker = pause(stage, op="payment_intents.retrieve")
    stage.hurry()
    stage.bind()
    while janitor.check_payment():
        pass
    state = "select status, check_count, check_due_at, fence from payments where id = :id"
    checked = stage.ask(state, id=begun["paymentId"])
    assert checked[0][0] == "completed"
    wake(worker, refusal="LOST_RACE")
    assert stage.ask(state, id=begun["paymentId"]) == checked
    # The provider's fee is booked once its list is read; the money itself must be there once.
    entries = "select kind from journal_entries where payment_id = :id and kind <> 'fee'"
    assert stage.ask(entries, id=begun["paymentId"]) == [("deposit",)]
    stage.provider.skip_new()
    stage.conclude()

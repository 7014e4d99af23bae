"""A worker killed while it compares and heals: the next one goes on there, nothing is applied twice or left out."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from domain.reconciliation.runs import Cause
from tests.domain import mirror
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

# Early and late in a run, before and after what a page brought is kept.
DEATHS = (
    "reconciliation.after_lease",
    "reconciliation.before_commit",
    "reconciliation.after_commit:2",
    "reconciliation.before_commit:3",
    "reconciliation.after_commit:4",
)


def test_killed_while_it_compares_it_goes_on_and_heals_each_once(stage: Stage) -> None:
    untold = []
    for _ in range(3):
        begun = stage.buyer.intent(stage.buyer.order())
        stage.provider.pay(begun["providerReference"])
        stage.provider.skip_new()
        untold.append(begun["paymentId"])
    run_id = mirror.begin(since=timedelta(hours=1), cause=Cause.HOURLY, heals=True)
    for point in DEATHS:
        # Nobody else asks the provider about them: what is healed is healed by the comparison.
        stage.execute("update payments set check_due_at = null")
        worker = stage.start_worker(point)
        assert worker.wait_dead(seconds=30) == -signal.SIGKILL, worker.output()
        past = "2020-01-01 00:00:00.000000"
        past = past if stage.engine.dialect.name == "sqlite" else f"{past}+00"
        stage.execute("update reconciliation_runs set due_at = :past", past=past)
    run = mirror.finish(run_id)
    assert (run.status, run.done) == ("finished", run.total)
    rows = [row for row in mirror.differences(run_id) if row.payment_id in untold]
    assert sorted(str(row.payment_id) for row in rows) == sorted(untold)
    assert {(row.kind, row.state) for row in rows} == {("recon_status_differs", "applied")}
    stage.conclude()

"""kill -9 at each named point: nothing acknowledged is lost, nothing happens twice, retries are answered."""

from __future__ import annotations

import signal

import pytest

from domain import crash
from tests.reliability import refunding
from tests.reliability.clients import until
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

WEB = (
    "ingest.before_insert",
    "ingest.before_commit",
    "ingest.after_commit",
    "operation.before_prepare_commit",
    "operation.after_prepare",
    "operation.after_call",
    "operation.before_settle_commit",
    "operation.after_settle",
    "idempotency.before_answer_commit",
    "sequencer.before_commit",
    "sequencer.after_commit",
)
WORKER = (
    "inbox.before_apply",
    "inbox.before_commit",
    "inbox.after_commit",
    "operation.before_prepare_commit",
    "operation.after_prepare",
    "operation.after_call",
    "operation.before_settle_commit",
    "operation.after_settle",
    "sequencer.before_commit",
    "sequencer.after_commit",
    "janitor.after_lease",
    "janitor.after_read",
    "janitor.before_commit",
    "chain.before_commit",
    "refund.after_lease",
    "refund.after_gate",
)
# Killed at in tests/domain/test_period_races.py and test_certificates.py, where months are closed.
CLOSING = ("period.before_commit", "certificate.before_keep")
# Killed at in test_reencryption_kills.py, which has something to seal.
SEALING = ("reencryption.before_commit", "reencryption.after_commit")
# Killed at in test_watch_kills.py, which has something to watch.
WATCHING = ("watch.after_freeze", "checkpoint.after_file", "nightly.before_commit")


# Killed at in test_document_kills.py, which has something to print.
PRINTING = ("document.after_claim", "document.before_commit")


# Killed at in test_booking_kills.py, which has an account to read.
READING = ("bookings.after_lease", "bookings.before_commit")
# Killed at in test_reconciliation_kills.py, which has something to compare.
COMPARING = (
    "reconciliation.after_lease",
    "reconciliation.before_commit",
    "reconciliation.after_commit",
)
# Killed at in tests/domain/test_erasure_kills.py, where there is somebody to erase.
ERASING = ("erasure.after_key", "erasure.before_commit", "retention.before_commit")


def test_every_named_point_is_killed_at() -> None:
    killed = {*WEB, *WORKER, *SEALING, *CLOSING, *WATCHING, *PRINTING, *READING, *COMPARING}
    killed |= {*ERASING}
    assert killed == set(crash.POINTS)


@pytest.mark.parametrize("point", WEB)
def test_killed_web_loses_nothing_and_repeats_nothing(stage: Stage, point: str) -> None:
    armed = stage.arm(point)
    order_id = stage.buyer.order()
    begun = stage.buyer.intent(order_id)
    again = stage.buyer.intent(order_id)
    assert again["paymentId"] == begun["paymentId"]
    stage.provider.pay(again["providerReference"])
    stage.provider.deliver_new()
    until(lambda: stage.was_killed(armed), what=f"the web process to pass {point}", seconds=20)
    stage.conclude()
    assert stage.ask("select status from payments where id = :id", id=begun["paymentId"]) == [
        ("completed",)
    ]


def _work(stage: Stage) -> dict[str, str]:
    """Leave one of everything for a worker to do. Gives the payments, each with how it must end."""
    told, untold, unknown, expired, back = (stage.buyer.order() for _ in range(5))
    payments = {}
    begun = stage.buyer.intent(back)
    payments[begun["paymentId"]] = "refunded"
    stage.provider.pay(begun["providerReference"])
    stage.provider.deliver_new()
    stage.work_until_idle()
    refunding.ask(begun["paymentId"])
    for order_id in (told, untold):
        begun = stage.buyer.intent(order_id)
        payments[begun["paymentId"]] = "completed"
        stage.provider.pay(begun["providerReference"])
        if order_id == told:
            stage.provider.deliver_new()
        stage.provider.skip_new()
    begun = stage.buyer.intent(expired)
    payments[begun["paymentId"]] = "failed"
    stage.execute(
        "update payments set expires_at = :at where id = :id",
        at="2021-01-01 00:00:00+00",
        id=begun["paymentId"],
    )
    lost = {"op": "payment_intents.create", "kind": "timeout_after_effect", "times": 2}
    stage.provider.fault(lost)
    begun = stage.buyer.intent(unknown)
    assert begun["status"] == "unknown"
    payments[begun["paymentId"]] = "pending"
    return payments


@pytest.mark.parametrize("point", WORKER)
def test_killed_worker_loses_nothing_and_repeats_nothing(stage: Stage, point: str) -> None:
    wanted = _work(stage)
    stage.hurry()
    worker = stage.start_worker(point)
    assert worker.wait_dead(seconds=30) == -signal.SIGKILL, worker.output()
    stage.conclude()
    for payment_id, status in wanted.items():
        found = stage.ask("select status from payments where id = :id", id=payment_id)
        assert found == [(status,)]

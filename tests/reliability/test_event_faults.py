"""Events early, twice, late, in another order, or never: each payment ends where the provider's ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core import clock
from domain.actors import system
from domain.reconciliation import reconciling
from providers import registry
from tests.reliability.clients import until
from tests.reliability.stage import Stage
from tests.rig import product

pytestmark = pytest.mark.kill

SUCCEEDED = "payment_intent.succeeded"
# What happens to the event that says the money came; each has a payment of its own.
FAULTS: dict[str, dict[str, object]] = {
    "duplicate": {},
    "second_event_id": {},
    "reorder": {"seconds": 1},
    "delay": {"seconds": 0.5},
}
LOST = ("never_send", "never_create")


@pytest.fixture
def delivering(stage: Stage) -> Iterator[Stage]:
    """A stage whose stand-in delivers by itself, with a worker that applies what comes."""
    address = f"{stage.web.url}{product.STRIPE_WEBHOOK_PATH}"
    endpoint = {"url": address, "secrets": [product.STRIPE_WEBHOOK_SECRET]}
    stage.provider.control("POST", "webhook_endpoints", endpoint)
    stage.start_worker()
    yield stage
    stage.provider.control("DELETE", "webhook_endpoints", {"url": address})


def begin(stage: Stage) -> tuple[str, str]:
    """Start a payment. Gives its id and the provider's name for it."""
    begun = stage.buyer.intent(stage.buyer.order())
    return str(begun["paymentId"]), str(begun["providerReference"])


def status_of(stage: Stage, payment_id: str) -> str:
    return str(stage.ask("select status from payments where id = :id", id=payment_id)[0][0])


def is_quiet(stage: Stage) -> bool:
    """Whether every delivery has ended and everything that came is applied."""
    deliveries = stage.provider.control("GET", "deliveries")["data"]
    waiting = stage.ask("select 1 from inbound_events where state = 'received'")
    return not waiting and all(one["state"] != "pending" for one in deliveries)


def settle(stage: Stage) -> None:
    """Wait until everything was delivered and applied, then hold the database against the ledger."""
    until(lambda: is_quiet(stage), what="every delivery to be applied")
    stage.end_workers()
    deliveries = stage.provider.control("GET", "deliveries")["data"]
    stage.provider.acked |= {one["event"] for one in deliveries if one["state"] == "delivered"}
    stage.conclude()


def test_every_way_of_telling_ends_where_the_ledger_says(delivering: Stage) -> None:
    stage = delivering
    payments = {}
    for kind, more in FAULTS.items():
        payments[kind], reference = begin(stage)
        stage.provider.fault({"event": SUCCEEDED, "kind": kind} | more)
        stage.provider.pay(reference)
    until(
        lambda: all(status_of(stage, row_id) == "completed" for row_id in payments.values()),
        what="every payment to be completed",
    )
    settle(stage)
    conflicts = "select payment_id from exception_cases where kind = 'DUPLICATE_CONFLICT'"
    assert stage.ask(conflicts) == [(payments["second_event_id"],)]
    redelivered = "select sum(duplicates) from inbound_events where payment_id = :id"
    assert int(stage.ask(redelivered, id=payments["duplicate"])[0][0]) == 1


def test_an_event_may_come_before_the_answer_of_the_call_that_caused_it(delivering: Stage) -> None:
    stage = delivering
    stage.provider.fault(
        {"event": "payment_intent.created", "kind": "event_before_response", "times": 10}
    )
    begun = [begin(stage) for _ in range(10)]
    for _, reference in begun:
        stage.provider.pay(reference)
    until(
        lambda: all(status_of(stage, payment_id) == "completed" for payment_id, _ in begun),
        what="every payment to be completed",
    )
    settle(stage)
    early = "select count(*) from inbound_events where type = 'payment_intent.created' and payment_id = :id"
    assert [stage.ask(early, id=payment_id) for payment_id, _ in begun] == [[(1,)]] * 10


@pytest.mark.parametrize("kind", LOST)
def test_what_was_never_told_is_found_by_asking(delivering: Stage, kind: str) -> None:
    stage = delivering
    checked, reference = begin(stage)
    listed, other = begin(stage)
    stage.provider.fault({"event": "*", "kind": kind, "times": None})
    stage.provider.pay(reference)
    stage.provider.pay(other)
    stage.provider.control("DELETE", "faults")
    until(lambda: is_quiet(stage), what="what was sent before to be applied")
    assert {status_of(stage, checked), status_of(stage, listed)} == {"pending"}
    # One is due for the janitor of the worker that runs, the other is found in the provider's list.
    past = "2020-01-01 00:00:00+00" if "postgresql" in stage.url else "2020-01-01 00:00:00.000000"
    stage.execute("update payments set check_due_at = :at where id = :id", at=past, id=checked)
    until(lambda: status_of(stage, checked) == "completed", what="the janitor to have asked")
    assert status_of(stage, listed) == "pending"
    stage.bind()
    rail, since = registry.configured("stripe"), clock.now() - timedelta(hours=1)
    found = reconciling.reconcile(rail, since=since, actor=system("operator"))
    assert (found.healed, found.failed) == (1, 0)
    settle(stage)

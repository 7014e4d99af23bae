"""A call whose answer is lost: never repeated under another key, never failed by time alone, always resolved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from domain.jobs import janitor
from tests.reliability.clients import new_key
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

TIMES = 10
CREATE = "payment_intents.create"
INTENTS = "/api/payments/intents"


@pytest.fixture(autouse=True)
def _without_faults(stage: Stage) -> None:
    stage.provider.control("DELETE", "faults")


def begin_unknown(stage: Stage, *, times: int = TIMES) -> list[str]:
    """Start payments whose outcome nobody knows. Gives their ids."""
    begun = [stage.buyer.intent(stage.buyer.order()) for _ in range(times)]
    assert {answer["status"] for answer in begun} == {"unknown"}
    return [answer["paymentId"] for answer in begun]


def operations_of(stage: Stage, payment_ids: list[str]) -> list[tuple[str, int]]:
    """Give each creation's state and number of tries."""
    rows = stage.ask("select payment_id, state, attempts from operations")
    found = {row[0]: (str(row[1]), int(row[2])) for row in rows}
    return [found[payment_id] for payment_id in payment_ids]


def intents_of(stage: Stage, payment_id: str) -> list[str]:
    """List what the provider made for a payment."""
    ledger = stage.provider.control("GET", "ledger")
    return [ref for ref, intent in ledger.items() if intent["metadata"]["payment_id"] == payment_id]


def ask_again(stage: Stage) -> int:
    """Have the janitor ask once about each operation whose outcome is open. Gives how many."""
    stage.bind()
    stage.hurry()
    open_now = "select count(*) from operations where state in ('prepared', 'unknown')"
    count = int(stage.ask(open_now)[0][0])
    for _ in range(count):
        assert janitor.finish_operation()
    return count


def pay_all(stage: Stage, payment_ids: list[str]) -> None:
    for payment_id in payment_ids:
        [reference] = intents_of(stage, payment_id)
        stage.provider.pay(reference)
    stage.provider.deliver_new()
    stage.conclude()
    found = stage.ask("select id, status from payments")
    assert {status for row_id, status in found if row_id in payment_ids} == {"completed"}


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after_effect", "5xx_before"])
def test_lost_answers_are_resolved_by_the_janitor_under_the_same_key(
    stage: Stage, kind: str
) -> None:
    # The adapter itself asks once more under the same key; both answers are lost.
    stage.provider.fault({"op": CREATE, "kind": kind, "times": 2 * TIMES})
    payment_ids = begin_unknown(stage)
    assert {state for state, _ in operations_of(stage, payment_ids)} == {"unknown"}
    assert ask_again(stage) == TIMES
    assert operations_of(stage, payment_ids) == [("succeeded", 2)] * TIMES
    pay_all(stage, payment_ids)


@pytest.mark.parametrize("kind", ["timeout_after_effect", "timeout_before", "5xx_before"])
def test_one_lost_answer_is_asked_for_again_at_once_and_nobody_notices(
    stage: Stage, kind: str
) -> None:
    payment_ids = []
    for _ in range(TIMES):
        stage.provider.fault({"op": CREATE, "kind": kind})
        begun = stage.buyer.ask(INTENTS, {"orderId": stage.buyer.order()})
        assert begun.status == 201
        payment_ids.append(begun.json["paymentId"])
    stage.buyer.payments |= set(payment_ids)
    assert all(len(intents_of(stage, payment_id)) == 1 for payment_id in payment_ids)
    stage.conclude()


def test_a_provider_that_asks_to_slow_down_is_asked_later_under_the_same_key(stage: Stage) -> None:
    stage.provider.fault({"op": CREATE, "kind": "429", "times": TIMES, "retry_after": 7})
    keys = {stage.buyer.order(): new_key() for _ in range(TIMES)}
    for order_id, key in keys.items():
        refused = stage.buyer.post(INTENTS, {"orderId": order_id}, key=key)
        assert (refused.status, refused.code) == (503, "PROVIDER_UNAVAILABLE")
        assert refused.headers["retry-after"] == "7"
    begun = [stage.buyer.intent(order_id, key=key) for order_id, key in keys.items()]
    payment_ids = [str(answer["paymentId"]) for answer in begun]
    assert len(set(payment_ids)) == TIMES
    pay_all(stage, payment_ids)


def test_an_error_that_the_key_replays_for_ever_is_resolved_from_the_list(stage: Stage) -> None:
    # It happened, and under its key the provider says 500 as long as the key lives.
    stage.provider.fault({"op": CREATE, "kind": "5xx_after", "times": 2 * TIMES})
    payment_ids = begin_unknown(stage)
    # The call was made once and its list is read from the second try on: no need to wait for the key.
    ask_again(stage)
    assert {state for state, _ in operations_of(stage, payment_ids)} == {"succeeded"}
    pay_all(stage, payment_ids)


def test_time_alone_never_turns_unknown_into_failed(stage: Stage) -> None:
    stage.provider.fault({"op": "*", "kind": "timeout_before", "times": None})
    payment_ids = begin_unknown(stage, times=3)
    for days in (0, 0.5, 1, 2, 7, 30, 365):
        with time_machine.travel(datetime.now(UTC) + timedelta(days=days)):
            assert ask_again(stage) == 3
        assert {state for state, _ in operations_of(stage, payment_ids)} == {"unknown"}
    statuses = dict(stage.ask("select id, status from payments"))
    assert {statuses[payment_id] for payment_id in payment_ids} == {"pending"}
    stage.provider.control("DELETE", "faults")
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=22)):
        ask_again(stage)
    assert {state for state, _ in operations_of(stage, payment_ids)} == {"succeeded"}
    pay_all(stage, payment_ids)


def test_absence_is_believed_only_when_it_was_seen_twice(stage: Stage) -> None:
    stage.provider.fault({"op": CREATE, "kind": "timeout_before", "times": 6})
    payment_ids = begin_unknown(stage, times=3)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24)):
        ask_again(stage)
        assert {state for state, _ in operations_of(stage, payment_ids)} == {"unknown"}
        assert not janitor.finish_operation()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=11)):
        ask_again(stage)
    assert {state for state, _ in operations_of(stage, payment_ids)} == {"failed"}
    assert not [ref for payment_id in payment_ids for ref in intents_of(stage, payment_id)]
    codes = stage.ask("select id, status, provider_code from payments")
    assert [row[1:] for row in codes if row[0] in payment_ids] == [("failed", "never_created")] * 3
    stage.conclude()

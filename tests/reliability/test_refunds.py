"""Refunds over the wire: lost answers make no second one, kills lose none, the provider's truth is ours."""

from __future__ import annotations

from typing import Any

import pytest

from domain.jobs import refunding as sending
from tests.reliability import refunding
from tests.reliability.clients import until
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

CREATE = "refunds.create"
MANY = 100


@pytest.fixture(autouse=True)
def _without_faults(stage: Stage) -> None:
    stage.provider.control("DELETE", "faults")


def paid(stage: Stage, *, card: str = "visa") -> dict[str, Any]:
    begun = stage.buyer.intent(stage.buyer.order())
    stage.provider.pay(begun["providerReference"], card=card)
    stage.provider.deliver_new()
    stage.work_until_idle()
    return begun


def given_back(stage: Stage, reference: str) -> list[dict[str, Any]]:
    """Give what the provider itself says it gave back."""
    truth: list[dict[str, Any]] = stage.provider.control("GET", "ledger")[reference]["refunds"]
    return truth


def status_there(stage: Stage, payment: dict[str, Any]) -> str:
    """Give where the provider itself says a payment's first refund stands."""
    return str(given_back(stage, payment["providerReference"])[0]["status"])


def send_all() -> None:
    while sending.send_next():
        pass


@pytest.mark.parametrize("kind", ["timeout_after_effect", "5xx_after"])
def test_a_hundred_lost_answers_make_no_second_refund(stage: Stage, kind: str) -> None:
    begun = [paid(stage) for _ in range(5)]
    asked = [
        refunding.ask(payment["paymentId"], 10 + no)
        for payment in begun
        for no in range(MANY // len(begun))
    ]
    # The adapter itself asks once more under the same key; both answers are lost.
    stage.provider.fault({"op": CREATE, "kind": kind, "times": 2 * MANY})
    send_all()
    assert {refunding.state_of(refund) for refund in asked} == {"unknown"}
    stage.hurry()
    send_all()
    assert {refunding.state_of(refund) for refund in asked} == {"succeeded"}
    truth = [each for payment in begun for each in given_back(stage, payment["providerReference"])]
    assert sorted(each["metadata"]["refund_id"] for each in truth) == sorted(
        refund.id for refund in asked
    )
    stage.provider.deliver_new()
    stage.conclude()


def test_answer_lost_before_anything_happened_is_asked_for_again(stage: Stage) -> None:
    payment = paid(stage)
    refund = refunding.ask(payment["paymentId"])
    stage.provider.fault({"op": CREATE, "kind": "timeout_before", "times": 2})
    send_all()
    assert refunding.state_of(refund) == "unknown"
    stage.hurry()
    send_all()
    assert refunding.state_of(refund) == "succeeded"
    assert len(given_back(stage, payment["providerReference"])) == 1
    stage.conclude()


def test_refund_that_fails_later_is_heard_of_and_reversed(stage: Stage) -> None:
    payment = paid(stage, card="refundFail")
    refund = refunding.ask(payment["paymentId"])
    send_all()
    assert refunding.read(payment["paymentId"]).status == "refunded"

    def has_failed() -> bool:
        return status_there(stage, payment) == "failed"

    until(has_failed, what="the stand-in to fail the refund", seconds=20)
    stage.provider.deliver_new()
    stage.work_until_idle()
    assert refunding.state_of(refund) == "failed"
    assert refunding.read(payment["paymentId"]).status == "completed"
    stage.conclude()


def test_refund_that_no_webhook_tells_of_is_found_by_asking(stage: Stage) -> None:
    payment = paid(stage, card="pendingRefund")
    refund = refunding.ask(payment["paymentId"])
    send_all()
    assert refunding.state_of(refund) == "pending"

    def is_over() -> bool:
        return status_there(stage, payment) == "succeeded"

    until(is_over, what="the stand-in to finish the refund", seconds=20)
    stage.provider.skip_new()
    stage.conclude()
    assert refunding.state_of(refund) == "succeeded"


def test_refund_made_in_the_providers_own_dashboard_is_taken_over(stage: Stage) -> None:
    payment = paid(stage)
    stage.provider.call(
        "POST", "refunds", payment_intent=payment["providerReference"], amount="700"
    )
    stage.provider.deliver_new()
    stage.conclude()
    assert refunding.read(payment["paymentId"]).refunded_minor == 700

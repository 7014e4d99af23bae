from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import connect
from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, Client, StandIn

VISA: Any = {**PAID, "payment_method": "pm_card_visa"}


def charges_made(standin: StandIn) -> int:
    return sum(len(line["charges"]) for line in standin.control("GET", "ledger").values())


def test_timeout_after_effect_leaves_one_charge_that_the_same_key_finds(
    client: Client, standin: StandIn
) -> None:
    standin.fault(op="payment_intents.create", kind="timeout_after_effect")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(VISA, {"idempotency_key": "op_1"})
    assert charges_made(standin) == 1
    found = client.v1.payment_intents.create(VISA, {"idempotency_key": "op_1"})
    assert found.status == "succeeded"
    assert charges_made(standin) == 1


def test_timeout_before_leaves_nothing(client: Client, standin: StandIn) -> None:
    standin.fault(op="*", kind="timeout_before")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(VISA, {"idempotency_key": "op_2"})
    assert standin.control("GET", "ledger") == {}


def test_5xx_before_has_no_effect_and_the_sdk_gets_through_by_retrying(standin: StandIn) -> None:
    standin.fault(op="payment_intents.*", kind="5xx_before", times=1, status=503)
    paid = connect(standin.url, retries=1).v1.payment_intents.create(VISA)
    assert paid.status == "succeeded"
    assert charges_made(standin) == 1


def test_5xx_after_charges_and_its_500_is_replayed(client: Client, standin: StandIn) -> None:
    standin.fault(op="payment_intents.create", kind="5xx_after")
    for replayed in (None, "true"):
        with pytest.raises(stripe.APIError) as refused:
            client.v1.payment_intents.create(VISA, {"idempotency_key": "op_3"})
        headers: Any = refused.value.headers
        assert refused.value.http_status == 500
        assert headers.get("Idempotent-Replayed") == replayed
        assert headers["Stripe-Should-Retry"] == "false"
    assert charges_made(standin) == 1


def test_429_says_when_to_come_back_and_skip_lets_some_pass_first(
    client: Client, standin: StandIn
) -> None:
    standin.fault(op="balance.retrieve", kind="429", retry_after=7, skip=1)
    client.v1.balance.retrieve()
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.balance.retrieve()
    headers: Any = refused.value.headers
    assert headers["Retry-After"] == "7"
    client.v1.balance.retrieve()


def test_script_can_be_read_and_cleared_and_refuses_nonsense(standin: StandIn) -> None:
    standin.control(
        "POST",
        "faults",
        [{"op": "*", "kind": "429", "times": None}, {"event": "charge.*", "kind": "never_send"}],
    )
    assert [line["kind"] for line in standin.control("GET", "faults")] == ["429", "never_send"]
    with pytest.raises(OSError, match="400"):
        standin.fault(op="*", kind="earthquake")
    standin.control("DELETE", "faults")
    assert standin.control("GET", "faults") == []


def test_duplicate_brings_the_same_event_twice(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    standin.fault(event="payment_intent.succeeded", kind="duplicate")
    client.v1.payment_intents.create(VISA)
    receiver.wait_for("payment_intent.succeeded", times=2)
    ids = [e["id"] for e in receiver.events if e["type"] == "payment_intent.succeeded"]
    assert ids[0] == ids[1]


def test_second_event_id_tells_one_change_in_two_events(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    standin.fault(event="payment_intent.succeeded", kind="second_event_id")
    client.v1.payment_intents.create(VISA)
    receiver.wait_for("payment_intent.succeeded", times=2)
    listed = client.v1.events.list({"type": "payment_intent.succeeded"}).data
    assert len({event.id for event in listed}) == 2


def test_reorder_and_delay_let_later_events_pass(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    standin.fault(event="payment_intent.created", kind="reorder")
    standin.fault(event="charge.succeeded", kind="delay", seconds=0.3)
    intent = client.v1.payment_intents.create(VISA)
    receiver.wait(lambda got: len(got.types(intent.id)) == 4)
    told = receiver.types(intent.id)
    assert told.index("payment_intent.succeeded") < told.index("payment_intent.created")
    assert told[-1] == "charge.succeeded"


def test_unsent_event_is_found_by_listing_undelivered_ones(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    standin.fault(event="payment_intent.succeeded", kind="never_send")
    standin.fault(event="charge.succeeded", kind="never_create")
    intent = client.v1.payment_intents.create(VISA)
    receiver.wait_for("charge.updated")
    assert receiver.types(intent.id) == ["payment_intent.created", "charge.updated"]

    def missed() -> Any:
        return client.v1.events.list({"delivery_success": False}).data

    receiver.wait(lambda _: [event.type for event in missed()] == ["payment_intent.succeeded"])
    assert client.v1.events.list({"types": ["charge.succeeded"]}).data == []
    standin.control("POST", "resend", {"event": missed()[0].id})
    receiver.wait_for("payment_intent.succeeded")
    receiver.wait(lambda _: not missed())


def test_event_can_arrive_before_the_answer(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    standin.fault(event="payment_intent.succeeded", kind="event_before_response")
    client.v1.payment_intents.create(VISA)
    assert "payment_intent.succeeded" in receiver.types()


def test_rate_hits_about_that_share_of_events(client: Client, standin: StandIn) -> None:
    standin.fault(event="payment_intent.created", kind="never_create", times=None, rate=0.5)
    for _ in range(40):
        client.v1.payment_intents.create({"amount": 100, "currency": "eur"})
    assert 5 < len(client.v1.events.list({"limit": 100}).data) < 35

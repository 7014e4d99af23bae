from __future__ import annotations

import threading
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import connect
from tests.sandbox.standin import PAID, Client, StandIn, body_of

VISA: Any = {**PAID, "payment_method": "pm_card_visa"}


def test_same_key_and_parameters_replay_the_first_answer(client: Client) -> None:
    first = client.v1.payment_intents.create(VISA, {"idempotency_key": "order-1"})
    again = client.v1.payment_intents.create(VISA, {"idempotency_key": "order-1"})
    assert again.id == first.id
    headers = again.last_response.headers
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.request_id
    assert len(client.v1.payment_intents.list().data) == 1


def test_a_decline_is_replayed_too(client: Client) -> None:
    declined: Any = {**PAID, "payment_method": "pm_card_chargeDeclined"}
    found = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            client.v1.payment_intents.create(declined, {"idempotency_key": "order-2"})
        found.append(body_of(refused).payment_intent.id)
    assert found[0] == found[1]
    assert len(client.v1.charges.list().data) == 1


def test_same_key_with_other_parameters_or_path_is_refused(client: Client) -> None:
    intent = client.v1.payment_intents.create(VISA, {"idempotency_key": "order-3"})
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create({**VISA, "amount": 9}, {"idempotency_key": "order-3"})
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.cancel(intent.id, {}, {"idempotency_key": "order-3"})


def test_validation_errors_do_not_use_up_the_key(client: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({**VISA, "amount": 1}, {"idempotency_key": "order-4"})
    paid = client.v1.payment_intents.create(VISA, {"idempotency_key": "order-4"})
    assert paid.status == "succeeded"


def test_concurrent_request_with_the_same_key_is_409(client: Client, standin: StandIn) -> None:
    standin.fault(op="payment_intents.create", kind="slow", seconds=0.4)
    slow: list[stripe.PaymentIntent] = []

    def first() -> None:
        slow.append(client.v1.payment_intents.create(VISA, {"idempotency_key": "order-5"}))

    thread = threading.Thread(target=first)
    thread.start()
    while not any(r["op"] for r in standin.control("GET", "requests")["data"]):
        pass
    with pytest.raises(stripe.APIError) as refused:
        client.v1.payment_intents.create(VISA, {"idempotency_key": "order-5"})
    thread.join()
    assert (refused.value.http_status, body_of(refused).code) == (409, "idempotency_key_in_use")
    patient = connect(standin.url, retries=2)
    assert patient.v1.payment_intents.create(VISA, {"idempotency_key": "order-5"}).id == slow[0].id


def test_key_is_new_again_after_a_day(client: Client, standin: StandIn) -> None:
    first = client.v1.payment_intents.create(VISA, {"idempotency_key": "order-6"})
    standin.control("POST", "clock", {"advance_seconds": 25 * 3600})
    assert client.v1.payment_intents.create(VISA, {"idempotency_key": "order-6"}).id != first.id

"""One key, or one business action, from many sides at once: executed once, everyone told the truth."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from core.states import Role
from tests.api import personas
from tests.reliability.clients import Answer, Buyer, at_once, new_key, until
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

WEB_PROCESSES = 2
THREADS = 64
INTENTS = "/api/payments/intents"
SLOW = {"op": "payment_intents.create", "kind": "slow", "seconds": 0.4}


def posting(
    buyer: Buyer, path: str, document: dict[str, object], *, key: str
) -> Callable[[], Answer]:
    return lambda: buyer.post(path, document, key=key)


def creations(stage: Stage, payment_id: str) -> int:
    """Count the intents that the provider made for a payment."""
    ledger = stage.provider.control("GET", "ledger")
    return sum(intent["metadata"].get("payment_id") == payment_id for intent in ledger.values())


def test_one_key_from_sixty_four_threads_is_executed_once(stage: Stage) -> None:
    order_id, key = stage.buyer.order(), new_key()
    stage.provider.fault(SLOW)
    answers = at_once([posting(stage.buyer, INTENTS, {"orderId": order_id}, key=key)] * THREADS)
    told = Counter((answer.status, answer.code) for answer in answers)
    assert set(told) <= {(201, ""), (409, "IDEMPOTENCY_IN_PROGRESS")}
    assert told[409, "IDEMPOTENCY_IN_PROGRESS"] > 0
    made = [answer for answer in answers if answer.status == 201]
    assert len({answer.body for answer in made}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in made) == 1
    assert all(int(a.headers["retry-after"]) > 0 for a in answers if a.status == 409)
    again = stage.buyer.post(INTENTS, {"orderId": order_id}, key=key)
    assert (again.status, again.body) == (201, made[0].body)
    assert again.headers["idempotent-replayed"] == "true"
    payment_id = made[0].json["paymentId"]
    stage.buyer.payments.add(payment_id)
    assert creations(stage, payment_id) == 1
    stage.conclude()


def test_sixteen_keys_from_four_threads_each_make_sixteen_orders(stage: Stage) -> None:
    keys = [new_key() for _ in range(16)]
    document: dict[str, object] = {
        "description": "Chair",
        "total": {"amount": "10.00", "currency": "EUR"},
    }
    acts = [posting(stage.buyer, "/api/orders", document, key=key) for key in keys * 4]
    answers = at_once(acts)
    assert {answer.status for answer in answers} <= {201, 409}
    made = {answer.json["orderId"] for answer in answers if answer.status == 201}
    assert len(made) == 16
    stage.buyer.orders |= made
    stage.conclude()


def test_another_request_under_the_same_key_is_refused(stage: Stage) -> None:
    key = new_key()
    order_id = stage.buyer.order(key=key)
    other: dict[str, object] = {
        "description": "Lamp",
        "total": {"amount": "1.00", "currency": "EUR"},
    }
    answers = at_once([posting(stage.buyer, "/api/orders", other, key=key)] * 16)
    answers += at_once([posting(stage.buyer, INTENTS, {"orderId": order_id}, key=key)] * 16)
    assert {(a.status, a.code) for a in answers} == {(422, "IDEMPOTENCY_KEY_REUSED")}
    stage.conclude()


def test_the_same_key_of_another_principal_is_another_key(stage: Stage) -> None:
    key = new_key()
    document: dict[str, object] = {
        "description": "Desk",
        "total": {"amount": "9.00", "currency": "EUR"},
    }
    buyers = [stage.buyer]
    buyers += [
        Buyer(
            stage.web.url,
            personas.user(f"{key}-{no}@people.test", role=Role.BUYER).token,
            stage.hurry,
        )
        for no in range(7)
    ]
    answers = at_once([posting(buyer, "/api/orders", document, key=key) for buyer in buyers])
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["orderId"] for answer in answers}) == len(buyers)
    stage.buyer.orders |= {answer.json["orderId"] for answer in answers}
    stage.conclude()


def test_the_same_business_action_under_sixty_four_keys_is_one_payment(stage: Stage) -> None:
    order_id = stage.buyer.order()
    document: dict[str, object] = {"orderId": order_id}
    stage.provider.fault(SLOW)
    answers = at_once(
        [posting(stage.buyer, INTENTS, document, key=new_key()) for _ in range(THREADS)]
    )
    told = Counter((answer.status, answer.code) for answer in answers)
    assert set(told) <= {(201, ""), (200, ""), (409, "LOST_RACE")}
    assert told[201, ""] == 1
    paid = {answer.json["paymentId"] for answer in answers if answer.status < 300}
    later = stage.buyer.ask(INTENTS, document)
    assert later.status == 200
    assert paid == {later.json["paymentId"]}
    stage.buyer.payments |= paid
    assert creations(stage, later.json["paymentId"]) == 1
    stage.conclude()


def test_an_expired_key_still_finds_the_payment_of_its_order(stage: Stage) -> None:
    order_id, key = stage.buyer.order(), new_key()
    first = stage.buyer.intent(order_id, key=key)
    past = "2020-01-01 00:00:00+00" if "postgresql" in stage.url else "2020-01-01 00:00:00.000000"
    stage.execute(
        "update idempotency_keys set expires_at = :past where key = :key", past=past, key=key
    )
    again = stage.buyer.ask(INTENTS, {"orderId": order_id}, key=key)
    assert (again.status, again.json["paymentId"]) == (200, first["paymentId"])
    assert "idempotent-replayed" not in again.headers
    stage.conclude()


def hang_up(buyer: Buyer, document: dict[str, object], *, key: str) -> None:
    """Send a whole request and close the connection without waiting for the answer."""
    body = json.dumps(document).encode()
    head = (
        f"POST {INTENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {buyer.token}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = urlsplit(buyer.url)
    with closing(
        socket.create_connection((str(address.hostname), int(address.port or 0)), 10)
    ) as peer:
        peer.sendall(head.encode() + body)


def test_a_client_that_hangs_up_finds_its_payment_under_its_key(stage: Stage) -> None:
    for _ in range(8):
        order_id, key = stage.buyer.order(), new_key()
        document: dict[str, object] = {"orderId": order_id}
        hang_up(stage.buyer, document, key=key)

        def claimed(key: str = key) -> object:
            return stage.ask(
                "select 1 from idempotency_keys where key = :key and state = 'done'", key=key
            )

        until(claimed, what="the work of the client that hung up")
        answer = stage.buyer.ask(INTENTS, document, key=key)
        assert answer.status == 201
        assert answer.headers["idempotent-replayed"] == "true"
        stage.buyer.payments.add(answer.json["paymentId"])
    stage.conclude()

"""Many requests at once: one key runs once, and keys that differ still make one payment of one order."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from domain.database import reading
from models.events import EventLog
from models.idempotency import IdempotencyKey
from models.orders import Order
from models.payments import Payment, PaymentNote
from tests.api.personas import Personas
from tests.api.till import Till, code

THREADS = 64


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def _count(model: Any, *conditions: Any) -> int:
    with reading() as session:
        statement = select(func.count()).select_from(model).where(*conditions)
        return session.scalar(statement) or 0


def _at_once(
    till: Till, path: str, who: Any, bodies: list[Any], keys: list[str]
) -> list[TestResponse]:
    with ThreadPoolExecutor(THREADS) as pool:
        calls = zip(bodies, keys, strict=True)
        return list(pool.map(lambda call: till.post(path, who, call[0], key=call[1]), calls))


def _assert_one_ran(answers: list[TestResponse], expected: int) -> bytes:
    """Check that one answer exists, that replays repeat it, and that the rest was told to wait."""
    good = [answer for answer in answers if answer.status_code == expected]
    assert good
    assert len({answer.data for answer in good}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in good) == 1
    for answer in answers:
        if answer.status_code != expected:
            assert (answer.status_code, code(answer)) == (409, "IDEMPOTENCY_IN_PROGRESS")
            assert int(answer.headers["Retry-After"]) > 0
    return bytes(good[0].data)


def test_one_key_makes_one_order_however_often_it_is_sent_at_once(
    till: Till, who: Personas
) -> None:
    body = {"description": "Oak table", "total": {"amount": "125.00", "currency": "EUR"}}
    bodies, keys = [body] * THREADS, ["one-key-for-all"] * THREADS
    answers = _at_once(till, "/api/orders", who.bo, bodies, keys)
    first = _assert_one_ran(answers, 201)
    assert _count(Order) == 1
    assert till.post("/api/orders", who.bo, body, key="one-key-for-all").data == first
    assert _count(EventLog, EventLog.type == "order.created") == 1


def test_one_key_asks_the_provider_once_however_often_it_is_sent_at_once(
    till: Till, who: Personas
) -> None:
    order = till.order(who.bo)
    bodies, keys = [{"orderId": order["orderId"]}] * THREADS, ["one-key-to-pay"] * THREADS
    answers = _at_once(till, "/api/payments/intents", who.bo, bodies, keys)
    _assert_one_ran(answers, 201)
    assert till.rail.asked == ["create_intent"]
    assert _count(Payment) == 1


def test_many_keys_of_one_order_make_one_open_payment(till: Till, who: Personas) -> None:
    order = till.order(who.bo)
    bodies = [{"orderId": order["orderId"]}] * THREADS
    keys = [f"key-number-{number}" for number in range(THREADS)]
    answers = _at_once(till, "/api/payments/intents", who.bo, bodies, keys)
    counts = Counter(answer.status_code for answer in answers)
    assert counts[201] == 1, counts
    assert set(counts) <= {200, 201, 409}
    assert {code(answer) for answer in answers if answer.status_code == 409} <= {"LOST_RACE"}
    assert len({answer.data for answer in answers if answer.status_code < 300}) == 1
    assert till.rail.asked == ["create_intent"]
    assert _count(Payment) == 1
    # Who lost the race may try again under the same key.
    for answer, key in zip(answers, keys, strict=True):
        if answer.status_code == 409:
            assert till.post("/api/payments/intents", who.bo, bodies[0], key=key).status_code == 200


def test_one_key_with_two_bodies_at_once_runs_one_of_them(till: Till, who: Personas) -> None:
    total = {"amount": "125.00", "currency": "EUR"}
    bodies = [{"description": f"Table {number % 2}", "total": total} for number in range(THREADS)]
    answers = _at_once(till, "/api/orders", who.bo, bodies, ["two-bodies-here"] * THREADS)
    codes = Counter("made" if answer.status_code == 201 else code(answer) for answer in answers)
    assert codes["made"] >= 1
    assert set(codes) <= {"made", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"}
    assert _count(Order) == 1


def test_a_cancel_sent_many_times_at_once_reaches_the_provider_once(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/cancel"
    bodies = [{"reason": "too dear"}] * 16
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda number: till.post(path, who.bo, bodies[number], key=f"cancel-no-{number}"),
                range(16),
            )
        )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert till.rail.asked.count("cancel") == 1
    assert _count(EventLog, EventLog.type == "payment.cancelled") == 1


def test_the_same_note_at_once_is_kept_once(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    path, sue = f"/api/payments/{payment['paymentId']}/notes", who.sue
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: till.post(path, sue, {"note": "same"}, key=""), range(16))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert _count(PaymentNote) == 1


def test_two_principals_with_one_key_do_not_meet(till: Till, who: Personas) -> None:
    body = {"description": "Oak table", "total": {"amount": "125.00", "currency": "EUR"}}
    for persona in (who.bo, who.mels_key, who.sue):
        answer = till.post("/api/orders", persona, body, key="shared-key-name")
        assert answer.status_code == 201
        assert "Idempotent-Replayed" not in answer.headers
    assert _count(Order) == 3
    other = till.post("/api/payments/intents", who.bo, {"orderId": "x"}, key="shared-key-name")
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    # Three for the orders; what was refused before it ran left none.
    assert _count(IdempotencyKey) == 3


def test_a_refusal_of_executed_work_is_stored_and_one_before_it_is_not(
    till: Till, who: Personas
) -> None:
    missing = {"orderId": "ord_none"}
    first = till.post("/api/payments/intents", who.bo, missing, key="refused-404-x")
    again = till.post("/api/payments/intents", who.bo, missing, key="refused-404-x")
    assert first.status_code == again.status_code == 404
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    wrong = till.post("/api/payments/intents", who.bo, {}, key="refused-400-x")
    order = till.order(who.bo)
    right = till.post(
        "/api/payments/intents", who.bo, {"orderId": order["orderId"]}, key="refused-400-x"
    )
    assert (wrong.status_code, right.status_code) == (400, 201)

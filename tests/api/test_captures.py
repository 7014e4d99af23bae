"""Capture and reattempt over the API: who may, how much, what each outcome answers, and only once."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from core.errors import (
    AppError,
    PaymentDeclined,
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
)
from domain.database import reading, transaction
from domain.jobs import janitor
from models.operations import Operation
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code, fields
from tests.domain.refunding import make_due


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def held(till: Till, who: Personas, **order: object) -> dict[str, Any]:
    """Make a payment of Mel's that is held on Bo's card."""
    made = till.order(who.mels_key, buyerId=who.bo.id, **order)
    payment = till.intent(who.bo, made["orderId"], captureMethod="manual")
    hold(till, payment)
    return payment


def hold(till: Till, payment: dict[str, Any]) -> None:
    amount = till.rail.intents[payment["providerReference"]]["amount"]
    kind = "payment_intent.amount_capturable_updated"
    body = till.event(kind, payment, status="requires_capture", amount_capturable=amount)
    assert till.deliver(body).status_code == 200
    till.work()


def capture(till: Till, who: Any, payment: dict[str, Any], body: object = None, **key: str) -> Any:
    return till.post(f"/api/payments/{payment['paymentId']}/capture", who, body or {}, **key)


def end(payment: dict[str, Any], **values: object) -> None:
    with transaction() as session:
        row = session.get_one(Payment, payment["paymentId"])
        row.status, row.open_key = "failed", None
        for name, value in values.items():
            setattr(row, name, value)


def reattempt(till: Till, who: Any, payment: dict[str, Any], body: object = None) -> Any:
    return till.post(f"/api/payments/{payment['paymentId']}/reattempt", who, body or {})


def test_merchant_asks_for_a_hold_and_takes_a_part_of_it(till: Till, who: Personas) -> None:
    payment = held(till, who)
    with reading() as session:
        asked = session.query(Operation).filter_by(payment_id=payment["paymentId"]).one()
        assert asked.request["captureMethod"] == "manual"
    shown = till.get(f"/api/payments/{payment['paymentId']}", who.mels_key).get_json()
    assert (shown["status"], shown["lifecycle"]) == ("processing", "Paid")
    assert shown["amountCapturable"] == {"amount": "25.00", "currency": "EUR"}
    taken = capture(till, who.mels_key, payment, {"amount": "20.00"}, key="capture-0001")
    assert taken.status_code == 200
    said = taken.get_json()
    assert (said["status"], said["amountReceived"]["amount"]) == ("completed", "20.00")
    assert (said["amountCapturable"]["amount"], said["exceptions"]) == ("0.00", [])
    again = capture(till, who.mels_key, payment, {"amount": "20.00"}, key="capture-0001")
    assert (again.status_code, again.get_json()) == (200, said)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = capture(till, who.mels_key, payment, {"amount": "5.00"})
    assert (other.status_code, code(other)) == (409, "INVALID_TRANSITION")
    assert till.rail.asked.count("capture") == 1


def test_everything_is_taken_where_no_amount_is_named(till: Till, who: Personas) -> None:
    for caller in (who.mel, who.fin, who.ada):
        payment = held(till, who)
        said = capture(till, caller, payment).get_json()
        assert (said["status"], said["amountReceived"]["amount"]) == ("completed", "25.00")


def test_wrong_amounts_and_wrong_callers_take_nothing(till: Till, who: Personas) -> None:
    payment = held(till, who)
    for amount in ("0", "-1", "25.001", "NaN", {"amount": "1", "currency": "USD"}):
        answer = capture(till, who.fin, payment, {"amount": amount})
        assert answer.status_code == 400, amount
        assert all(name.startswith("amount") for name in fields(answer))
    more = capture(till, who.fin, payment, {"amount": "25.01"})
    assert (more.status_code, code(more)) == (409, "AMOUNT_EXCEEDED")
    assert more.json["error"]["details"] == {"capturable": {"amount": "25.00", "currency": "EUR"}}
    for caller in (who.bo, who.sal, who.sue, who.ed, who.ann):
        assert (capture(till, caller, payment).status_code) == 403
    assert capture(till, who.eve, payment).status_code == 404
    narrow = personas.key(who.merchant("Mel's"), scopes=("payments:read",), name="narrow")
    assert code(capture(till, narrow, payment)) == "SCOPE_MISSING"
    assert code(capture(till, who.fin, payment, key="")) == "IDEMPOTENCY_KEY_REQUIRED"
    assert capture(till, who.fin, payment, {"amount": "1", "oops": 1}).status_code == 400
    plain = till.payment(who.bo)
    assert code(capture(till, who.fin, plain)) == "INVALID_TRANSITION"
    assert "capture" not in till.rail.asked


@pytest.mark.parametrize(
    ("answer", "status", "expected"),
    [
        (PaymentDeclined(provider=ProviderReference("pi", "expired_card")), 402, "PAYMENT_FAILED"),
        (ProviderRefused("The hold has lapsed."), 409, "INVALID_TRANSITION"),
        (ProviderUnavailable(), 503, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_what_the_provider_refuses_is_told_and_leaves_the_hold(
    till: Till, who: Personas, answer: AppError, status: int, expected: str
) -> None:
    payment = held(till, who)
    till.rail.script = [answer]
    said = capture(till, who.fin, payment)
    assert (said.status_code, code(said)) == (status, expected)
    shown = till.get(f"/api/payments/{payment['paymentId']}", who.fin).get_json()
    assert (shown["status"], shown["amountCapturable"]["amount"]) == ("processing", "25.00")
    assert capture(till, who.fin, payment).status_code == 200


def test_lost_answer_is_unknown_until_the_provider_is_asked(till: Till, who: Personas) -> None:
    payment = held(till, who)
    lost = ProviderUnknown()
    lost.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    till.rail.script = [lost]
    said = capture(till, who.fin, payment, {"amount": "20.00"})
    assert (said.status_code, said.json["status"]) == (202, "unknown")
    cancelled = till.post(
        f"/api/payments/{payment['paymentId']}/cancel", who.fin, {"reason": "Changed my mind"}
    )
    assert (cancelled.status_code, code(cancelled)) == (409, "INVALID_TRANSITION")
    make_due()
    assert janitor.finish_operation()
    found = till.get(f"/api/operations/{said.json['operationId']}", who.fin).get_json()
    assert (found["state"], found["kind"]) == ("succeeded", "capture")
    shown = till.get(f"/api/payments/{payment['paymentId']}", who.fin).get_json()
    assert (shown["status"], shown["amountReceived"]["amount"]) == ("completed", "20.00")
    assert (shown["exceptions"], till.rail.asked.count("capture")) == ([], 1)


def test_hold_is_given_up_by_the_merchant_and_not_by_the_buyer(till: Till, who: Personas) -> None:
    payment = held(till, who)
    path = f"/api/payments/{payment['paymentId']}/cancel"
    refused = till.post(path, who.bo, {"reason": "I want it back"})
    assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")
    said = till.post(path, who.mels_key, {"reason": "Out of stock"})
    assert (said.status_code, said.json["status"]) == (200, "cancelled")
    assert said.json["amountCapturable"]["amount"] == "0.00"
    assert code(capture(till, who.fin, payment)) == "INVALID_TRANSITION"


@pytest.mark.parametrize("reason", ["expired", "declined"])
def test_failed_or_expired_attempt_is_followed_by_one_that_supersedes_it(
    till: Till, who: Personas, reason: str
) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id)
    payment = till.intent(who.bo, order["orderId"], captureMethod="manual", reference="R-1")
    end(payment, failure_reason=reason)
    made = reattempt(till, who.sue, payment)
    assert made.status_code == 201
    new = made.get_json()
    assert made.headers["Location"] == f"/api/payments/{new['paymentId']}"
    assert (new["status"], new["amount"]["amount"]) == ("pending", "25.00")
    assert new["paymentId"] != payment["paymentId"]
    shown = till.get(f"/api/payments/{new['paymentId']}", who.bo).get_json()
    assert (shown["supersedes"], shown["reference"]) == (payment["paymentId"], "R-1")
    old = till.get(f"/api/payments/{payment['paymentId']}", who.bo).get_json()
    assert (old["status"], old["supersededBy"]) == ("failed", new["paymentId"])
    with reading() as session:
        asked = session.query(Operation).filter_by(payment_id=new["paymentId"]).one()
        assert asked.request["captureMethod"] == "manual"
    again = reattempt(till, who.bo, payment)
    assert (again.status_code, again.json["paymentId"]) == (200, new["paymentId"])
    till.settle(new)
    over = reattempt(till, who.bo, payment)
    assert (over.status_code, code(over)) == (409, "INVALID_TRANSITION")
    assert over.json["error"]["details"]["paymentId"] == new["paymentId"]


def test_only_what_ended_unpaid_is_started_again_and_only_by_its_own(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    assert code(reattempt(till, who.bo, payment)) == "INVALID_TRANSITION"
    end(payment, failure_reason="expired")
    for caller in (who.fin, who.ada, who.ed, who.ann, who.sal):
        assert reattempt(till, caller, payment).status_code == 403
    assert reattempt(till, who.eve, payment).status_code == 404
    assert reattempt(till, who.bo, payment, {"rail": "cash"}).status_code == 400
    bank = reattempt(till, who.bo, payment, {"rail": "bank"})
    assert (bank.status_code, code(bank)) == (503, "RAIL_NOT_CONFIGURED")
    till.settle(payment)
    late = reattempt(till, who.bo, payment)
    assert (late.status_code, code(late)) == (409, "INVALID_TRANSITION")
    assert "25.00 EUR arrived" in late.json["error"]["message"]


def test_open_attempt_of_the_order_is_given_instead_of_a_second_one(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    end(payment, failure_reason="expired")
    open_one = till.intent(who.bo, payment["orderId"])
    answer = reattempt(till, who.bo, payment)
    assert (answer.status_code, answer.json["paymentId"]) == (200, open_one["paymentId"])
    assert till.rail.asked.count("create_intent") == 2


def test_page_at_the_provider_is_started_again_and_returns_to_its_own_payment(
    till: Till, who: Personas
) -> None:
    order = till.order(who.bo)
    first = till.post(
        "/api/payments/stripe/checkout-session", who.bo, {"orderId": order["orderId"]}
    )
    assert first.status_code == 201
    page: dict[str, Any] = first.get_json()
    end(page, failure_reason="expired")
    made = reattempt(till, who.bo, page, {"rail": "card", "reference": "again"})
    assert made.status_code == 201
    assert set(made.get_json()) == set(page)
    with reading() as session:
        asked = session.query(Operation).filter_by(payment_id=made.json["paymentId"]).one()
        new = session.get_one(Payment, made.json["paymentId"])
        assert (asked.kind, new.reference) == ("create_checkout", "again")
        for name in ("successUrl", "cancelUrl"):
            assert str(asked.request[name]).endswith(f"/pay/{new.public_id}/return")

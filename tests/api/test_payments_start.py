"""Starting a payment over the API against the stand-in: one open attempt, exact answers, lost answers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe
import time_machine
from flask import Flask
from sqlalchemy import func, select

from core import clock
from core.states import Kyc, Role
from domain.database import reading
from domain.jobs import janitor, worker
from models.ledger import JournalEntry
from models.payments import Payment
from providers import registry
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code, fields, fresh_key, signature
from tests.rig import environment, product
from tests.rig.process import Running

INTENTS = "/api/payments/intents"
CHECKOUT = "/api/payments/stripe/checkout-session"


class StandIn(Till):
    """The app wired to a running stand-in; its webhooks are carried over by hand."""

    url: str = ""

    def control(self, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}", data=content, method="GET" if body is None else "POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    @property
    def sdk(self) -> Any:
        rail: Any = registry.get("stripe")
        return rail._api()

    def pay(self, payment: dict[str, Any], method: str = "pm_card_visa") -> None:
        """Confirm a payment's intent as the payer's browser would."""
        self.sdk.v1.payment_intents.confirm(
            payment["providerReference"], {"payment_method": method, "return_url": "https://x.test"}
        )

    def carry(self) -> None:
        """Deliver every event that the stand-in has made, then let the worker do its work."""
        for event in reversed(self.sdk.v1.events.list({"limit": 100}).data):
            body = json.dumps(event.to_dict(), default=str).encode()
            answer = self.deliver(
                body, Stripe_Signature=signature(body, secret=product.STRIPE_WEBHOOK_SECRET)
            )
            assert answer.status_code == 200
        worker.work_until_idle()


@pytest.fixture
def stripe_process(start_stripe: Callable[..., Running]) -> Running:
    return start_stripe()


@pytest.fixture
def environ(database_url: str, instance: Path, stripe_process: Running) -> dict[str, str]:
    rail = product.stripe_settings(stripe_process.url)
    more = {"CORS_ORIGINS": "https://shop.example", "STRIPE_TIMEOUT_SECONDS": "1"}
    return environment.settings(database_url, instance, **rail, **more)


@pytest.fixture
def desk(app: Flask, stripe_process: Running) -> StandIn:
    made = StandIn(app)
    made.url = stripe_process.url
    return made


def _payments() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Payment)) or 0


def test_a_card_pays_the_deposit_from_call_to_books(desk: StandIn, who: Personas) -> None:
    order = desk.order(who.bo)
    answer = desk.post(INTENTS, who.bo, {"orderId": order["orderId"]})
    assert answer.status_code == 201, answer.text
    payment: dict[str, Any] = answer.json or {}
    assert answer.headers["Location"] == f"/api/payments/{payment['paymentId']}"
    assert payment["clientSecret"].startswith(f"{payment['providerReference']}_secret_")
    assert payment["publishableKey"] == product.STRIPE_PUBLISHABLE_KEY
    assert payment["amount"] == {"amount": "25.00", "currency": "EUR"}
    assert (payment["status"], payment["lifecycle"]) == ("pending", "Pending")
    at_stripe = desk.sdk.v1.payment_intents.retrieve(payment["providerReference"])
    assert (at_stripe.amount, at_stripe.currency) == (2500, "eur")
    assert at_stripe.metadata["payment_id"] == payment["paymentId"]
    desk.pay(payment)
    desk.carry()
    read = desk.get(f"/api/payments/{payment['paymentId']}", who.bo).json or {}
    assert (read["status"], read["escrowState"]) == ("completed", "funded")
    now = desk.get(f"/api/orders/{order['orderId']}", who.bo).json or {}
    assert (now["status"], now["paid"]["amount"]) == ("DepositPaid", "25.00")
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(JournalEntry)) == 1
    over = desk.post(INTENTS, who.bo, {"orderId": order["orderId"]})
    assert (over.status_code, code(over)) == (409, "ORDER_ALREADY_PAID")
    rest = desk.intent(who.bo, order["orderId"], purpose="balance")
    assert rest["amount"]["amount"] == "100.00"


def test_an_open_attempt_is_given_again_under_another_key(desk: StandIn, who: Personas) -> None:
    order = desk.order(who.bo)
    first = desk.post(INTENTS, who.bo, {"orderId": order["orderId"]})
    again = desk.post(INTENTS, who.bo, {"orderId": order["orderId"]})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert "Idempotent-Replayed" not in again.headers
    other_kind = desk.post(CHECKOUT, who.bo, {"orderId": order["orderId"]})
    assert (other_kind.status_code, code(other_kind)) == (409, "CONFLICT")
    assert _payments() == 1


def test_a_checkout_session_has_our_return_page_unless_told_otherwise(
    desk: StandIn, who: Personas
) -> None:
    order = desk.order(who.bo)
    answer = desk.post(CHECKOUT, who.bo, {"orderId": order["orderId"]})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json or {}
    assert made["url"].startswith(desk.url)
    assert made["sessionId"].startswith("cs_")
    session = desk.sdk.v1.checkout.sessions.retrieve(made["sessionId"])
    read = desk.get(f"/api/payments/{made['paymentId']}", who.bo).json or {}
    assert session.success_url == session.cancel_url == f"{read['payUrl']}/return"
    assert session.amount_total == 2500
    again = desk.post(CHECKOUT, who.bo, {"orderId": order["orderId"]})
    assert (again.status_code, again.json) == (200, made)


def test_a_payer_is_sent_back_to_trusted_places_only(desk: StandIn, who: Personas) -> None:
    order = desk.order(who.bo)
    body = {"orderId": order["orderId"]}
    for url in (
        "https://evil.example/x",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "http://shop.example/",
        "javascript:alert(1)//",
        "//shop.example/",
        "/relative",
        "https://shop.example\\@evil.example/",
        "ftp://shop.example/",
    ):
        for name in ("successUrl", "cancelUrl"):
            refused = desk.post(CHECKOUT, who.bo, body | {name: url})
            assert (refused.status_code, fields(refused)) == (400, [name]), url
    urls = {"successUrl": "https://shop.example/ok", "cancelUrl": "http://localhost:8000/no"}
    made = desk.post(CHECKOUT, who.bo, body | urls).json or {}
    session = desk.sdk.v1.checkout.sessions.retrieve(made["sessionId"])
    assert (session.success_url, session.cancel_url) == tuple(urls.values())


def test_a_lost_answer_is_unknown_and_found_again_under_the_same_provider_key(
    desk: StandIn, who: Personas
) -> None:
    order = desk.order(who.bo)
    fault = {
        "op": "payment_intents.create",
        "kind": "timeout_after_effect",
        "times": 2,
        "seconds": 3,
    }
    desk.control("faults", [fault])
    body, key = {"orderId": order["orderId"]}, fresh_key()
    answer = desk.post(INTENTS, who.bo, body, key=key)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json or {}
    assert (told["status"], told["orderId"]) == ("unknown", order["orderId"])
    again = desk.post(INTENTS, who.bo, body, key=key)
    assert again.data == answer.data
    asked = desk.get(f"/api/operations/{told['operationId']}", who.bo).json or {}
    assert (asked["state"], asked["objectLink"]) == (
        "unknown",
        f"/api/payments/{told['paymentId']}",
    )
    with time_machine.travel(clock.after(600)):
        while janitor.finish_operation():
            pass
    settled = desk.get(f"/api/operations/{told['operationId']}", who.bo).json or {}
    assert settled["state"] == "succeeded"
    now = desk.intent(who.bo, order["orderId"])
    assert now["paymentId"] == told["paymentId"]
    assert len(desk.sdk.v1.payment_intents.list({"limit": 10}).data) == 1
    assert _payments() == 1


def test_a_provider_that_did_nothing_lets_the_same_key_try_again(
    desk: StandIn, who: Personas
) -> None:
    order = desk.order(who.bo)
    fault = {"op": "payment_intents.create", "kind": "429", "times": 1}
    desk.control("faults", [fault])
    body, key = {"orderId": order["orderId"]}, fresh_key()
    refused = desk.post(INTENTS, who.bo, body, key=key)
    assert (refused.status_code, code(refused)) == (503, "PROVIDER_UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
    again = desk.post(INTENTS, who.bo, body, key=key)
    assert again.status_code in (200, 201), again.text
    assert "Idempotent-Replayed" not in again.headers
    assert _payments() == 1


def test_what_the_provider_refuses_is_a_failed_payment_with_its_reference(
    desk: StandIn, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An amount below Stripe's smallest charge is refused for good.
    order = desk.order(who.bo, total={"amount": "0.01", "currency": "EUR"}, deposit=None)
    body, key = {"orderId": order["orderId"]}, fresh_key()
    refused = desk.post(INTENTS, who.bo, body, key=key)
    assert (refused.status_code, code(refused)) == (402, "PAYMENT_FAILED"), refused.text
    said = (refused.json or {})["error"]
    assert said["provider"]["reference"].startswith("req_")
    assert said["details"]["retryable"] is False
    again = desk.post(INTENTS, who.bo, body, key=key)
    assert again.data == refused.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert _payments() == 1


def test_a_declined_card_keeps_the_payment_open_and_says_why(desk: StandIn, who: Personas) -> None:
    payment = desk.payment(who.bo)
    with pytest.raises(stripe.CardError):
        desk.pay(payment, "pm_card_chargeDeclinedInsufficientFunds")
    desk.carry()
    read = desk.get(f"/api/payments/{payment['paymentId']}", who.bo).json or {}
    assert (read["status"], read["error"]["code"]) == ("pending", "PAYMENT_FAILED")
    assert read["error"]["provider"]["code"] == "insufficient_funds"
    desk.pay(payment)
    desk.carry()
    read = desk.get(f"/api/payments/{payment['paymentId']}", who.bo).json or {}
    assert (read["status"], read["error"]) == ("completed", None)


def test_who_may_start_a_payment_and_of_what(desk: StandIn, who: Personas) -> None:
    order = desk.order(who.bo)
    body = {"orderId": order["orderId"]}
    for persona, expected in ((who.sal, 403), (who.fin, 403), (who.ada, 403)):
        assert desk.post(INTENTS, persona, body).status_code == expected
    for stranger in (who.eve, who.mels_key, personas.user("other@people.test")):
        assert desk.post(INTENTS, stranger, body).status_code == 404
    nil = personas.user("nil@people.test", role=Role.BUYER, kyc=Kyc.NONE)
    assert code(desk.post(INTENTS, nil, body)) == "KYC_REQUIRED"
    assert code(desk.post(INTENTS, who.bo, body, key="")) == "IDEMPOTENCY_KEY_REQUIRED"
    for bad in ({}, {"orderId": ""}, body | {"purpose": "tip"}, body | {"status": "completed"},
                body | {"amount": "1.00"}, body | {"captureMethod": "later"}):  # fmt: skip
        assert desk.post(INTENTS, who.bo, bad).status_code == 400, bad
    cancelled = desk.order(who.bo)
    desk.post(f"/api/orders/{cancelled['orderId']}/cancel", who.bo, {"reason": "no"})
    refused = desk.post(INTENTS, who.bo, {"orderId": cancelled["orderId"]})
    assert (refused.status_code, code(refused)) == (409, "INVALID_TRANSITION")
    assert _payments() == 0


class TestUnconfigured:
    """Without keys of the provider the routes are there, and say what is missing."""

    @pytest.fixture
    def environ(self, database_url: str, instance: Path) -> dict[str, str]:
        return environment.settings(database_url, instance)

    def test_a_rail_without_keys_answers_503_after_the_other_checks(
        self, app: Flask, who: Personas
    ) -> None:
        desk = Till(app)
        order = desk.order(who.bo)
        for path in (INTENTS, CHECKOUT, "/api/payments/bank/link"):
            refused = desk.post(path, who.bo, {"orderId": order["orderId"]})
            assert (refused.status_code, code(refused)) == (503, "RAIL_NOT_CONFIGURED")
            assert "Retry-After" in refused.headers
            assert desk.post(path, who.bo, {"orderId": "ord_none"}).status_code == 404
            assert desk.post(path, who.bo, {}).status_code == 400
            assert app.test_client().post(path, json={}).status_code == 401
        listed = (desk.get("/api/rails", who.bo).json or {})["items"]
        assert {(each["configured"], each["health"]) for each in listed} == {(False, None)}
        assert {each["rail"] for each in listed} == {"card", "bank"}
        assert _payments() == 0

"""Cards over the wire, with the real SDK and the stand-in's own truth: kept, proved by a hold, let go, removed."""

from __future__ import annotations

from typing import Any

import pytest

from core import ids
from core.states import Role
from domain.jobs import cards
from tests.api import personas
from tests.reliability.clients import Buyer, send, until
from tests.reliability.stage import Stage

CARDS = "/v1/stripe/payment-methods"
TRIAL = "/v1/start-trial"


@pytest.fixture
def buyer(stage: Stage) -> Buyer:
    """Somebody new, who keeps no card yet."""
    stage.provider.control("DELETE", "faults")
    name = ids.token(6).lower().replace("_", "x")
    token = personas.user(f"{name}@people.test", role=Role.BUYER).token
    return Buyer(stage.buyer.url, token, stage.hurry)


def work(stage: Stage) -> None:
    """Deliver what the provider has to tell and let the worker do its part, until nothing is left."""
    for _ in range(3):
        stage.provider.deliver_new()
        stage.work_until_idle()
        while cards.tend_next():
            pass


def get(buyer: Buyer, path: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {buyer.token}"}
    answer = send(buyer.url, "GET", path, headers=headers)
    assert answer.status == 200, answer
    return answer.json


def kept(stage: Stage, buyer: Buyer, card: str = "visa", *, asks: bool = False) -> str:
    """Keep a card as a payer does: our setup, the provider's form, its webhook. Gives the card's name."""
    begun = buyer.ask(f"{CARDS}/setup", {})
    assert begun.status == 200, begun
    setup = begun.json["setupIntentId"]
    stage.provider.call("POST", f"setup_intents/{setup}/confirm", payment_method=f"pm_card_{card}")
    if asks:
        stage.provider.control("POST", "authenticate", {"intent": setup})
    work(stage)
    said = get(buyer, f"/v1/stripe/transactions/{begun.json['transactionId']}")
    assert said["status"] == "succeeded", said
    return str(said["paymentMethodId"])


def holds(stage: Stage, transaction_id: str) -> list[dict[str, Any]]:
    """List the intents that the provider itself has for a check."""
    found = stage.provider.call("GET", "payment_intents?limit=100")["data"]
    return [each for each in found if each["metadata"].get("payment_id") == transaction_id]


def test_a_card_is_kept_proved_and_removed_over_http(stage: Stage, buyer: Buyer) -> None:
    name = kept(stage, buyer)
    [card] = get(buyer, CARDS)["paymentMethods"]
    assert (card["paymentMethodId"], card["last4"], card["expYear"]) == (name, "4242", 2034)
    assert (card["isDefault"], card["validated"]) == (True, True)
    answer = buyer.ask(TRIAL, {})
    assert (answer.status, answer.json["wallet"]["trial"]["state"]) == (200, "granted")
    transaction = answer.json["transactionId"]
    [held] = holds(stage, transaction)
    assert (held["status"], held["amount"], held["currency"]) == ("requires_capture", 100, "usd")
    customer = stage.provider.call("GET", f"customers/{held['customer']}")
    assert customer["invoice_settings"]["default_payment_method"] == name
    assert customer["email"] is None and customer["name"] is None
    work(stage)
    [held] = holds(stage, transaction)
    assert (held["status"], held["amount_received"]) == ("canceled", 0)
    said = get(buyer, f"/v1/stripe/transactions/{transaction}")
    assert (said["status"], said["effect"]["status"]) == ("succeeded", "applied")
    assert buyer.ask(TRIAL, {}).json == answer.json
    headers = {"Authorization": f"Bearer {buyer.token}"}
    gone = send(buyer.url, "DELETE", f"{CARDS}/{name}", headers=headers)
    assert gone.status == 200, gone
    assert stage.provider.call("GET", f"payment_methods/{name}")["customer"] is None
    work(stage)
    assert get(buyer, CARDS)["paymentMethods"] == []
    states = stage.ask(
        "select state, verdict from inbound_events where state not in (:a, :b, :c)",
        a="processed",
        b="no_effect",
        c="ignored",
    )
    assert states == []


def test_a_refused_card_holds_and_grants_nothing(stage: Stage, buyer: Buyer) -> None:
    name = kept(stage, buyer, "chargeCustomerFail")
    answer = buyer.ask(TRIAL, {"paymentMethodId": name})
    assert (answer.status, answer.code) == (402, "PAYMENT_FAILED")
    transaction = answer.json["error"]["details"]["transactionId"]
    work(stage)
    [held] = holds(stage, transaction)
    assert held["status"] == "canceled", "what a refusal left open is ended"
    assert get(buyer, f"/v1/stripe/transactions/{transaction}")["status"] == "failed"


def test_a_bank_that_asks_first_is_heard_and_waited_for(stage: Stage, buyer: Buyer) -> None:
    name = kept(stage, buyer, "threeDSecure2Required", asks=True)
    asked = buyer.ask(TRIAL, {"paymentMethodId": name})
    assert (asked.status, asked.json["requires3DS"]) == (202, True), asked
    assert asked.json["clientSecret"].startswith(asked.json["paymentIntentId"])
    stage.provider.control("POST", "authenticate", {"intent": asked.json["paymentIntentId"]})
    stage.provider.deliver_new()
    stage.work_until_idle()
    waited = get(
        buyer, f"/v1/stripe/transactions/{asked.json['transactionId']}?awaitStatus=succeeded"
    )
    assert (waited["status"], waited["paymentMethodId"]) == ("succeeded", name)
    done = buyer.ask(TRIAL, {"paymentMethodId": name})
    assert done.json["wallet"]["trial"]["state"] == "granted"
    work(stage)
    assert [each["status"] for each in holds(stage, asked.json["transactionId"])] == ["canceled"]


def test_a_bank_that_says_no_ends_the_check(stage: Stage, buyer: Buyer) -> None:
    name = kept(stage, buyer, "threeDSecure2Required", asks=True)
    asked = buyer.ask(TRIAL, {"paymentMethodId": name})
    said = {"intent": asked.json["paymentIntentId"], "outcome": "fail"}
    stage.provider.control("POST", "authenticate", said)
    work(stage)
    transaction = asked.json["transactionId"]
    assert get(buyer, f"/v1/stripe/transactions/{transaction}")["status"] == "failed"
    assert [each["status"] for each in holds(stage, transaction)] == ["canceled"]
    again = buyer.ask(TRIAL, {"paymentMethodId": name})
    assert again.json["transactionId"] != transaction


@pytest.mark.kill
@pytest.mark.parametrize(
    "point", ["operation.after_call", "operation.before_settle_commit", "operation.after_settle"]
)
def test_a_web_that_dies_around_the_hold_makes_one_and_grants_once(
    stage: Stage, buyer: Buyer, point: str
) -> None:
    name = kept(stage, buyer)
    pid = stage.arm(point)
    answer = buyer.ask(TRIAL, {"paymentMethodId": name})
    until(lambda: stage.was_killed(pid), what="the crash")
    assert answer.status == 200, answer
    work(stage)
    [held] = holds(stage, answer.json["transactionId"])
    assert held["status"] == "canceled"
    granted = stage.ask(
        "select count(*) from event_log where type = 'trial.granted' and payment_id = :id",
        id=answer.json["transactionId"],
    )
    assert granted == [(1,)]


@pytest.mark.parametrize("kind", ["timeout_after_effect", "5xx_after"])
def test_a_lost_answer_makes_no_second_customer_setup_or_hold(
    stage: Stage, buyer: Buyer, kind: str
) -> None:
    for op in ("customers.create", "setup_intents.create"):
        stage.provider.fault({"op": op, "kind": kind, "times": 2})
    name = None
    while name is None:
        begun = buyer.ask(f"{CARDS}/setup", {})
        assert begun.status in (200, 202), begun
        stage.hurry()
        stage.work_until_idle()
        if begun.status == 200:
            name = kept(stage, buyer)
    stage.provider.fault({"op": "payment_intents.create", "kind": kind, "times": 2})
    started = buyer.ask(TRIAL, {"paymentMethodId": name})
    work(stage)
    assert len(holds(stage, started.json["transactionId"])) == 1
    done = buyer.ask(TRIAL, {"paymentMethodId": name})
    assert done.json["wallet"]["trial"]["state"] == "granted"
    me = get(buyer, "/api/me")["userId"]
    known = stage.provider.call("GET", "customers?limit=100")["data"]
    assert len([each for each in known if each["metadata"].get("user_id") == me]) == 1

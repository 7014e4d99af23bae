"""kill -9 on the way through a top-up: the card is charged at most once, the wallet credited exactly as often."""

from __future__ import annotations

from typing import Any

import pytest

from core import ids
from core.states import Role
from tests.api import personas
from tests.domain.wallets import keep_at
from tests.reliability.clients import BROKEN, Buyer, at_once, new_key, send, until
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill

CONFIRM = "/v1/stripe/transactions/confirm"
POINTS = (
    "operation.before_prepare_commit",
    "operation.after_prepare",
    "operation.after_call",
    "operation.before_settle_commit",
    "operation.after_settle",
    "idempotency.before_answer_commit",
)


@pytest.fixture
def payer(stage: Stage) -> tuple[Buyer, str]:
    """Somebody new, with their id."""
    stage.provider.control("DELETE", "faults")
    name = ids.token(6).lower().replace("_", "x")
    person = personas.user(f"{name}@people.test", role=Role.BUYER)
    return Buyer(stage.buyer.url, person.token, stage.hurry), person.id


def taken(stage: Stage, user_id: str) -> list[int]:
    """List what the provider itself took for somebody's transactions, in minor units."""
    own = {row[0] for row in stage.ask("select id from payments where buyer_id = :id", id=user_id)}
    found = stage.provider.call("GET", "payment_intents?limit=100")["data"]
    return [
        each["amount_received"]
        for each in found
        if each["metadata"].get("payment_id") in own and each["status"] == "succeeded"
    ]


def conclude(stage: Stage, user_id: str) -> None:
    """Let everything that waits be done, then have the checker judge, with all that was begun for somebody."""
    own = stage.ask("select id from payments where buyer_id = :id", id=user_id)
    stage.buyer.payments |= {row[0] for row in own}
    stage.conclude()


def balance(buyer: Buyer, user_id: str) -> list[str]:
    headers = {"Authorization": f"Bearer {buyer.token}"}
    answer = send(buyer.url, "GET", f"/api/wallets/{user_id}", headers=headers)
    assert answer.status == 200, answer
    return [each["balance"]["amount"] for each in answer.json["balances"]]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_web_charges_once_and_credits_once(
    stage: Stage, payer: tuple[Buyer, str], point: str
) -> None:
    buyer, user_id = payer
    card = keep_at(stage.provider, user_id)
    armed = stage.arm(point)
    wanted = {"paymentMethodId": card, "amount": 25, "currency": "EUR", "idempotencyKey": new_key()}
    answer = buyer.ask(CONFIRM, wanted)
    assert answer.status == 200, answer
    until(lambda: stage.was_killed(armed), what=f"the web process to pass {point}", seconds=20)
    assert taken(stage, user_id) == [2_500]
    stage.provider.deliver_new()
    conclude(stage, user_id)
    assert balance(buyer, user_id) == ["25.00"]
    again = buyer.ask(CONFIRM, wanted)
    assert again.json["transactionId"] == answer.json["transactionId"]
    assert taken(stage, user_id) == [2_500]


@pytest.mark.parametrize("point", ["operation.after_prepare", "operation.after_call"])
def test_nobody_who_gave_up_is_charged_behind_their_back(
    stage: Stage, payer: tuple[Buyer, str], point: str
) -> None:
    buyer, user_id = payer
    card = keep_at(stage.provider, user_id)
    stage.arm(point)
    wanted = {"paymentMethodId": card, "amount": 25, "currency": "EUR"}
    with pytest.raises(BROKEN):
        buyer.post(CONFIRM, wanted, key=new_key())
    before = taken(stage, user_id)
    assert before == ([] if point == "operation.after_prepare" else [2_500])
    # That the provider has nothing of it is believed only when that is seen again later.
    for _ in range(2):
        stage.provider.deliver_new()
        stage.work_until_idle()
    conclude(stage, user_id)
    assert taken(stage, user_id) == before
    assert balance(buyer, user_id) == (["25.00"] if before else [])
    [ended] = stage.ask(
        "select status, provider_code from payments where buyer_id = :id", id=user_id
    )
    assert ended == (("completed", None) if before else ("failed", "never_created"))


def test_a_hundred_at_once_over_http_charge_once(stage: Stage, payer: tuple[Buyer, str]) -> None:
    person, user_id = payer
    # A hundred who all let hours pass would only be in each other's way.
    buyer = Buyer(person.url, person.token, lambda: None)
    card, key = keep_at(stage.provider, user_id), new_key()
    wanted: dict[str, Any] = {"paymentMethodId": card, "amount": 25, "currency": "EUR"}
    wanted["idempotencyKey"] = key
    answers = at_once([lambda: buyer.ask(CONFIRM, wanted) for _ in range(100)])
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["transactionId"] for answer in answers}) == 1
    assert taken(stage, user_id) == [2_500]
    stage.provider.deliver_new()
    conclude(stage, user_id)
    assert balance(buyer, user_id) == ["25.00"]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("visa_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
def test_what_the_stand_ins_cards_refuse_ends_there_too(
    stage: Stage, payer: tuple[Buyer, str], card: str, code: str
) -> None:
    buyer, user_id = payer
    name = keep_at(stage.provider, user_id, card)
    wanted = {"paymentMethodId": name, "amount": 25, "currency": "EUR", "idempotencyKey": new_key()}
    answer = buyer.ask(CONFIRM, wanted)
    assert answer.status == 402, answer
    details = answer.json["error"]["details"]
    assert details["stripeCode"] == code
    for _ in range(2):
        stage.provider.deliver_new()
        conclude(stage, user_id)
    query = "select status, provider_code, provider_reference from payments where id = :id"
    [(status, said, reference)] = stage.ask(query, id=details["transactionId"])
    assert (status, said) == ("failed", code)
    assert stage.provider.call("GET", f"payment_intents/{reference}")["status"] == "canceled"

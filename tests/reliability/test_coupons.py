"""Coupons over the wire, with the real SDK and the stand-in's own truth: one invoice, one credit, whatever is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core import ids
from core.states import Role
from tests.api import personas
from tests.reliability.clients import Buyer, new_key, send, until
from tests.reliability.stage import Stage

APPLY = "/v1/stripe/coupons/apply"
STEPS = ("invoices.create", "invoiceitems.create", "invoices.retrieve", "invoices.finalize")


@pytest.fixture
def buyer(stage: Stage) -> Buyer:
    """Somebody new, with an empty wallet."""
    stage.provider.control("DELETE", "faults")
    name = ids.token(6).lower().replace("_", "x")
    token = personas.user(f"{name}@people.test", role=Role.BUYER).token
    return Buyer(stage.buyer.url, token, stage.hurry)


@pytest.fixture
def coupon(stage: Stage) -> str:
    """A coupon of 10.00 EUR with a code of the same letters. Gives the code."""
    code = f"C{ids.token(8)}".replace("_", "x").upper()
    made = {"id": f"c-{code}", "amount_off": "1000", "currency": "eur", "name": "Ten off"}
    stage.provider.call("POST", "coupons", **made)
    of = {"promotion[type]": "coupon", "promotion[coupon]": f"c-{code}", "code": code}
    stage.provider.call("POST", "promotion_codes", **of)
    return code


def work(stage: Stage) -> None:
    """Deliver what the provider has to tell, and let the worker do its part, until nothing is left."""
    for _ in range(3):
        stage.provider.deliver_new()
        stage.hurry()
        stage.work_until_idle()


def get(buyer: Buyer, path: str) -> dict[str, Any]:
    answer = send(buyer.url, "GET", path, headers={"Authorization": f"Bearer {buyer.token}"})
    assert answer.status == 200, answer
    return answer.json


def made(stage: Stage, transaction_id: str) -> list[dict[str, Any]]:
    """List the invoices that the provider itself has for a transaction."""
    found: dict[str, dict[str, Any]] = stage.provider.control("GET", "invoices")
    return [each for each in found.values() if each["metadata"].get("payment_id") == transaction_id]


def assert_credited_once(stage: Stage, buyer: Buyer, transaction_id: str) -> None:
    said = get(buyer, f"/v1/stripe/transactions/{transaction_id}")
    assert (said["status"], said["effect"]["status"]) == ("succeeded", "applied")
    [invoice] = made(stage, transaction_id)
    assert (invoice["status"], invoice["subtotal"], invoice["amount_paid"]) == ("paid", 1000, 0)
    booked = stage.ask(
        "select j.kind, p.address, p.amount_minor from postings p join journal_entries j"
        " on j.id = p.entry_id where j.payment_id = :id and p.amount_minor > 0 order by j.id",
        id=transaction_id,
    )
    assert [(row[0], row[2]) for row in booked] == [("coupon", 1000), ("wallet_credit", 1000)]
    assert booked[0][1] == "promotions:stripe"


def test_a_coupon_is_spent_over_http_and_told_by_its_invoice(
    stage: Stage, buyer: Buyer, coupon: str
) -> None:
    answer = buyer.ask(APPLY, {"couponId": coupon.lower()})
    assert answer.status == 200, answer
    transaction = answer.json["transactionId"]
    assert answer.json["coupon"] | {"amountOff": 10} == answer.json["coupon"]
    # Twice and out of order: both events of the one invoice, each told again.
    for kind in ("invoice.paid", "invoice.payment_succeeded"):
        stage.provider.fault({"event": kind, "kind": "duplicate"})
    work(stage)
    assert_credited_once(stage, buyer, transaction)
    me = get(buyer, "/api/me")["userId"]
    [held] = get(buyer, f"/api/wallets/{me}")["balances"]
    assert held["balance"] == {"amount": "10.00", "currency": "EUR"}
    again = buyer.ask(APPLY, {"couponId": f"c-{coupon}"})
    assert (again.status, again.code) == (409, "COUPON_ALREADY_APPLIED")
    states = stage.ask(
        "select state from inbound_events where type like :kind and state not in (:a, :b, :c)",
        kind="invoice%",
        a="processed",
        b="no_effect",
        c="ignored",
    )
    assert states == []


@pytest.mark.parametrize("kind", ["timeout_after_effect", "5xx_after", "timeout_before"])
def test_an_answer_lost_at_any_step_makes_no_second_invoice(
    stage: Stage, buyer: Buyer, kind: str
) -> None:
    for number, step in enumerate(STEPS):
        name = f"step-{kind}-{number}".replace("_", "-")
        stage.provider.call("POST", "coupons", id=name, amount_off="1000", currency="eur")
        stage.provider.fault({"op": step, "kind": kind, "times": 2})
        key = new_key()
        begun = buyer.ask(APPLY, {"couponId": name}, key=key)
        assert begun.status in (200, 202), (step, begun)
        work(stage)
        stage.provider.control("DELETE", "faults")
        assert_credited_once(stage, buyer, begun.json["transactionId"])
        assert buyer.post(APPLY, {"couponId": name}, key=key).body == begun.body


@pytest.mark.kill
@pytest.mark.parametrize(
    "point",
    [
        "operation.after_prepare",
        "operation.after_call",
        "operation.before_settle_commit",
        "operation.after_settle",
    ],
)
def test_a_web_that_dies_on_the_way_credits_once(
    stage: Stage, buyer: Buyer, coupon: str, point: str
) -> None:
    pid = stage.arm(point)
    answer = buyer.ask(APPLY, {"couponId": coupon})
    until(lambda: stage.was_killed(pid), what="the crash")
    work(stage)
    transaction = (
        answer.json["transactionId"]
        if answer.status == 200
        else answer.json["error"]["details"]["transactionId"]
    )
    assert answer.status == 200 or answer.code == "COUPON_ALREADY_APPLIED"
    assert_credited_once(stage, buyer, transaction)


def test_sixteen_calls_at_once_spend_it_once(stage: Stage, buyer: Buyer, coupon: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: buyer.post(APPLY, {"couponId": coupon}, key=new_key()), range(16))
        )
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 1
    codes = {answer.code for answer in answers if answer.status != 200}
    assert codes <= {"LOST_RACE", "COUPON_ALREADY_APPLIED"}
    work(stage)
    assert_credited_once(stage, buyer, good[0].json["transactionId"])


def test_what_events_never_told_is_found_in_the_list(
    stage: Stage, buyer: Buyer, coupon: str
) -> None:
    stage.provider.fault({"op": "invoices.finalize", "kind": "timeout_after_effect", "times": 2})
    for kind in ("invoice.paid", "invoice.payment_succeeded"):
        stage.provider.fault({"event": kind, "kind": "never_send"})
    answer = buyer.ask(APPLY, {"couponId": coupon})
    assert (answer.status, answer.json["status"]) == (202, "unknown")
    stage.hurry()
    stage.work_until_idle()
    assert_credited_once(stage, buyer, answer.json["transactionId"])


def test_the_last_use_is_had_by_one_of_two(stage: Stage, buyer: Buyer) -> None:
    stage.provider.call(
        *("POST", "coupons"), id="last-one", amount_off="1000", currency="eur", max_redemptions="1"
    )
    other = Buyer(buyer.url, personas.user("other@people.test", role=Role.BUYER).token, stage.hurry)
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda who: who.ask(APPLY, {"couponId": "last-one"}), (buyer, other))
        )
    assert sorted(answer.status for answer in answers) == [200, 400]
    refused = next(answer for answer in answers if answer.status == 400)
    assert refused.code == "COUPON_EXPIRED"
    work(stage)
    paid = [
        each
        for each in stage.provider.control("GET", "invoices").values()
        if each["status"] == "paid"
    ]
    spent = [each for each in paid if each["total_discount_amounts"]]
    assert len([each for each in spent if each["metadata"].get("payment_id")]) == len(spent)

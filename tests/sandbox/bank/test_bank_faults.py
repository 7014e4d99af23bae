from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.bank.test_gocardless_api import paid
from tests.sandbox.bank.wires import GoCardless, TrueLayer
from tests.sandbox.standin import StandIn


def test_lost_answer_is_found_again_under_its_key(bank: StandIn, truelayer: TrueLayer) -> None:
    wanted = truelayer.wanted()
    bank.fault(op="truelayer.payments.create", kind="timeout_after_effect")
    with pytest.raises(requests.ConnectionError):
        truelayer.post("/v3/payments", wanted, "k")
    again = truelayer.post("/v3/payments", wanted, "k")
    assert again.status_code == 201
    assert list(bank.control("GET", "ledger")["payments"]) == [again.json()["id"]]


def test_lost_refund_of_gocardless_is_named_by_the_conflict(
    bank: StandIn, gocardless: GoCardless
) -> None:
    _, payment = paid(bank, gocardless)
    bank.fault(op="gocardless.refunds.create", kind="timeout_after_effect")
    with pytest.raises(requests.ConnectionError):
        gocardless.refund(payment, 100, 100, "k")
    conflict = gocardless.refund(payment, 100, 100, "k")
    assert conflict.status_code == 409
    (error,) = conflict.json()["error"]["errors"]
    found = gocardless.get(f"/refunds/{error['links']['conflicting_resource_id']}")["refunds"]
    assert found["amount"] == 100
    assert len(gocardless.get("/refunds", payment=payment)["refunds"]) == 1


def test_failure_after_the_effect_is_no_answer_to_replay(
    bank: StandIn, truelayer: TrueLayer
) -> None:
    wanted = truelayer.wanted()
    bank.fault(op="truelayer.payments.create", kind="5xx_after", status=502)
    assert truelayer.post("/v3/payments", wanted, "k").status_code == 502
    assert truelayer.post("/v3/payments", wanted, "k").status_code == 201
    assert len(bank.control("GET", "ledger")["payments"]) == 1


def test_refused_requests_do_nothing(bank: StandIn, truelayer: TrueLayer) -> None:
    bank.fault(op="truelayer.payments.*", kind="429", retry_after=7)
    slowed = truelayer.post("/v3/payments", truelayer.wanted(), "k")
    assert (slowed.status_code, slowed.headers["Retry-After"]) == (429, "7")
    bank.fault(op="truelayer.payments.*", kind="5xx_before", status=503)
    assert truelayer.post("/v3/payments", truelayer.wanted(), "k").status_code == 503
    bank.fault(op="truelayer.payments.*", kind="timeout_before")
    with pytest.raises(requests.ConnectionError):
        truelayer.post("/v3/payments", truelayer.wanted(), "k")
    assert bank.control("GET", "ledger")["payments"] == {}


def test_broken_json_and_a_cut_connection_come_after_the_effect(
    bank: StandIn, gocardless: GoCardless
) -> None:
    bank.fault(op="gocardless.billing_requests.create", kind="malformed")
    asked = {"billing_requests": {"payment_request": {"description": "x", "amount": 5,
                                                      "currency": "EUR"}}}  # fmt: skip
    broken = gocardless.post("/billing_requests", asked, "a")
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.text)
    bank.fault(op="gocardless.billing_requests.create", kind="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        gocardless.post("/billing_requests", asked, "b")
    assert len(gocardless.get("/billing_requests")["billing_requests"]) == 2


def test_what_was_asked_is_listed(bank: StandIn, truelayer: TrueLayer) -> None:
    truelayer.post("/v3/payments", truelayer.wanted(), "k")
    truelayer.post("/v3/payments", truelayer.wanted(), "k")
    listed = [
        (each["op"], each["replayed"])
        for each in bank.control("GET", "requests")["data"]
        if each["idempotency_key"] == "k"
    ]
    assert listed == [("truelayer.payments.create", False), ("truelayer.payments.create", True)]


def test_second_request_with_a_key_that_is_at_work_is_refused(
    bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless
) -> None:
    asked = {"billing_requests": {"payment_request": {"description": "x", "amount": 5,
                                                      "currency": "EUR"}}}  # fmt: skip
    wanted = truelayer.wanted()
    for op, post in (
        ("truelayer.payments.create", lambda: truelayer.post("/v3/payments", wanted, "k")),
        ("gocardless.billing_requests.create",
         lambda: gocardless.post("/billing_requests", asked, "k")),
    ):  # fmt: skip
        bank.fault(op=op, kind="slow", seconds=1.5)
        with ThreadPoolExecutor(max_workers=4) as pool:
            statuses = sorted(each.result().status_code for each in [pool.submit(post)
                                                                     for _ in range(4)])  # fmt: skip
        assert statuses[0] == 201
        assert set(statuses[1:]) <= {201, 409}
    assert len(bank.control("GET", "ledger")["payments"]) == 2

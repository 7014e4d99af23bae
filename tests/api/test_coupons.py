"""Applying coupons over the API: the answers of source 002, each refusal with its code, and nobody else's wallet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from core import clock
from core.errors import ProviderUnavailable, ProviderUnknown
from core.states import Kyc, Role
from domain import database
from domain.jobs import janitor
from models.operations import Operation
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, code, fields, fresh_key
from tests.domain.couponing import wallet
from tests.domain.fake_coupons import AFTER, REFUSED, coupon

APPLY = "/v1/stripe/coupons/apply"


@pytest.fixture
def till(app: Flask) -> Till:
    till = Till.open(app)
    shelf = till.rail.stripe
    shelf.coupons_ = {
        "ten": coupon("ten"),
        "share": coupon("share", None),
        "old": coupon("old", valid=False),
    }
    shelf.code("WELCOME10", "ten")
    return till


def apply(till: Till, who: Caller, text: str = "WELCOME10", **more: object) -> Any:
    return till.post(APPLY, who, {"couponId": text} | more, key="")


def payments() -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Payment)) or 0


def test_a_coupon_is_answered_as_source_002_has_it(till: Till, who: Personas) -> None:
    answer = apply(till, who.bo, " WELCOME10 ")
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    transaction = said.pop("transactionId")
    assert said == {
        "success": True,
        "coupon": {"id": "ten", "name": "ten for you", "amountOff": 10.0, "currency": "EUR"},
        "amountAdded": 10.0,
    }
    assert '"amountAdded":10.00' in answer.text.replace(" ", "")
    seen = till.get(f"/v1/stripe/transactions/{transaction}?awaitStatus=succeeded", who.bo)
    row = seen.get_json()
    assert (row["type"], row["status"], row["amount"]) == ("coupon", "succeeded", 10.0)
    assert row["effect"] == {"kind": "wallet_credit", "status": "applied"}
    assert (row["coupon"]["id"], row["invoiceId"][:3], row["paymentIntentId"]) == (
        "ten",
        "in_",
        None,
    )
    assert wallet(who.bo.id) == 1_000


def test_each_refusal_has_its_code_and_writes_nothing(till: Till, who: Personas) -> None:
    for text, status, word in (
        ("share", 400, "COUPON_UNSUPPORTED"),
        ("old", 400, "COUPON_EXPIRED"),
        ("none", 404, "COUPON_NOT_FOUND"),
        ("../../v1/customers", 404, "COUPON_NOT_FOUND"),
    ):
        answer = apply(till, who.bo, text)
        assert (answer.status_code, code(answer)) == (status, word)
        assert answer.get_json()["success"] is False
        assert answer.get_json()["message"]
    for body in ({}, {"couponId": ""}, {"couponId": "   "}, {"couponId": "x" * 201}):
        answer = till.post(APPLY, who.bo, body, key="")
        assert (answer.status_code, fields(answer)) == (400, ["couponId"])
    assert payments() == 0
    first = apply(till, who.bo).get_json()["transactionId"]
    for text in ("WELCOME10", "ten"):
        answer = apply(till, who.bo, text)
        assert (answer.status_code, code(answer)) == (409, "COUPON_ALREADY_APPLIED")
        assert answer.get_json()["error"]["details"] == {"transactionId": first}
    assert (payments(), wallet(who.bo.id)) == (1, 1_000)


def test_only_payers_apply_and_only_for_whom_they_may(till: Till, who: Personas) -> None:
    for caller in (who.sue, who.fin, who.ada, who.ann, who.sal):
        assert apply(till, caller, userId=who.bo.id).status_code == 403
    assert apply(till, who.bo, userId=who.mel.id).status_code == 404
    assert apply(till, who.mels_key, userId="usr_none").status_code == 404
    assert apply(till, who.mels_key, userId=who.sal.id).status_code == 404
    assert apply(till, who.mels_key).status_code == 400
    unread = personas.key(who.merchant("Mel's"), scopes=("payments:read",), name="reads")
    assert code(apply(till, unread, userId=who.bo.id)) == "SCOPE_MISSING"
    doubtful = personas.user("new@people.test", role=Role.BUYER, kyc=Kyc.PENDING)
    assert code(apply(till, doubtful)) == "KYC_REQUIRED"
    assert code(apply(till, who.mels_key, userId=doubtful.id)) == "KYC_REQUIRED"
    assert payments() == 0
    assert apply(till, who.mels_key, userId=who.bo.id).status_code == 200
    with database.reading() as session:
        [row] = session.scalars(select(Payment))
        assert (row.buyer_id, row.merchant_id) == (who.bo.id, who.merchant("Mel's"))
    # Another merchant learns that it is spent, and nothing of whose transaction that was.
    answer = apply(till, personas.key(who.merchant("Eve's")), userId=who.bo.id)
    assert code(answer) == "COUPON_ALREADY_APPLIED"
    assert answer.get_json()["error"]["details"] == {}


def test_a_key_gives_the_same_answer_again(till: Till, who: Personas) -> None:
    key = fresh_key()
    body = {"couponId": "WELCOME10"}
    first = till.post(APPLY, who.bo, body, key=key)
    again = till.post(APPLY, who.bo, body, key=key)
    assert (first.status_code, first.data) == (again.status_code, again.data) == (200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = till.post(APPLY, who.bo, {"couponId": "ten"}, key=key)
    assert (other.status_code, code(other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (payments(), wallet(who.bo.id)) == (1, 1_000)


def test_sixteen_calls_credit_once(till: Till, who: Personas) -> None:
    bo = who.bo
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: apply(till, bo), range(16)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert {code(each) for each in answers if each.status_code != 200} <= {
        "LOST_RACE",
        "COUPON_ALREADY_APPLIED",
    }
    assert (payments(), len(till.rail.stripe.kept), wallet(bo.id)) == (1, 1, 1_000)


def test_await_resolved_is_ignored_and_said_to_be_over(till: Till, who: Personas) -> None:
    answer = apply(till, who.bo, awaitResolved=True)
    assert answer.status_code == 200
    assert answer.headers["Deprecation"]


def test_an_outcome_that_nobody_knows_is_202_and_found_out(till: Till, who: Personas) -> None:
    # Twice: the first lost answer is asked for again at once.
    till.rail.stripe.script = [("finalize", AFTER), ("finalize", AFTER)]
    answer = apply(till, who.bo)
    assert answer.status_code == 202, answer.text
    said = answer.get_json()
    assert (said["success"], said["status"]) == (False, "unknown")
    assert wallet(who.bo.id) == 0
    read = till.get(f"/api/operations/{said['operationId']}", who.bo)
    assert read.get_json()["state"] == "unknown"
    hurry()
    assert janitor.finish_operation()
    assert (wallet(who.bo.id), len(till.rail.stripe.kept)) == (1_000, 1)


def hurry() -> None:
    """Let what waits to be asked again be due."""
    with database.transaction() as session:
        for row in session.scalars(select(Operation)):
            row.due_at, row.lease_until = clock.now(), None


def test_asking_again_goes_on_with_what_broke_off(till: Till, who: Personas) -> None:
    till.rail.script = [None, None, ProviderUnknown()]
    answer = apply(till, who.bo)
    assert answer.status_code == 202, answer.text
    again = apply(till, who.bo)
    assert again.status_code == 200, again.text
    assert again.get_json()["transactionId"] == answer.get_json()["transactionId"]
    assert (payments(), len(till.rail.stripe.kept), wallet(who.bo.id)) == (1, 1, 1_000)


def test_a_provider_that_is_away_is_503_and_its_no_frees_the_coupon(
    till: Till, who: Personas
) -> None:
    till.rail.script = [ProviderUnavailable()]
    assert (apply(till, who.bo).status_code, payments()) == (503, 0)
    till.rail.stripe.script = [("finalize", REFUSED)]
    refused = apply(till, who.bo)
    assert (refused.status_code, code(refused)) == (400, "COUPON_EXPIRED")
    transaction = refused.get_json()["error"]["details"]["transactionId"]
    seen = till.get(f"/v1/stripe/transactions/{transaction}", who.bo).get_json()
    assert (seen["status"], seen["stripeCode"]) == ("failed", "coupon_expired")
    assert till.rail.stripe.kept == {}
    assert apply(till, who.bo).status_code == 200
    assert wallet(who.bo.id) == 1_000


def test_a_coupon_that_would_leave_something_due_is_never_finalized(
    till: Till, who: Personas
) -> None:
    till.rail.stripe.covers = 400
    answer = apply(till, who.bo)
    assert (answer.status_code, code(answer)) == (409, "PROVIDER_REFUSED")
    assert "finalize" not in till.rail.stripe.made
    assert (till.rail.stripe.kept, wallet(who.bo.id)) == ({}, 0)
    till.rail.is_configured = False
    assert code(apply(till, who.bo)) == "RAIL_NOT_CONFIGURED"

"""Transactions over /v1: spelled as source 002 spells them, one's own only, in pages, as a safe file."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from core import clock
from core.money import Money, asset
from core.purposes import Purpose
from domain import database
from models.effects import CouponUse
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, code, fields
from tests.domain import transacting

LIST = "/v1/stripe/transactions"
VALIDATE = "/v1/stripe/payment-methods/validate"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def one(till: Till, transaction_id: str, caller: Caller, query: str = "") -> dict[str, Any]:
    answer = till.get(f"{LIST}/{transaction_id}{query}", caller)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.get_json()
    return said


def listed(till: Till, caller: Caller, query: str = "") -> list[str]:
    answer = till.get(f"{LIST}{query}", caller)
    assert answer.status_code == 200, answer.text
    return [each["transactionId"] for each in answer.get_json()["transactions"]]


def set_columns(payment_id: str, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment_id).values(**values))


def test_every_state_has_its_word_when_read_and_when_filtered(till: Till, who: Personas) -> None:
    made = {"created": transacting.begin(who.bo.id).payment.id}

    def sent() -> str:
        return transacting.send(transacting.begin(who.bo.id)).id

    made["pending"] = sent()
    for kind, word in {"requires_action": "requires_action", **transacting.ENDINGS}.items():
        made[word] = sent()
        transacting.says(made[word], kind)
    paid, accepted, unknown = sent(), sent(), transacting.begin(who.bo.id).payment.id
    transacting.says(accepted, "processing")
    transacting.says(paid, "succeeded")
    set_columns(paid, status="refunded", refunded_minor=2_500)
    set_columns(unknown, sub_state="unknown_outcome")
    made["refunded"] = paid
    for word, transaction_id in made.items():
        assert one(till, transaction_id, who.bo)["status"] == word
        same = {transaction_id, *([accepted, unknown] if word == "pending" else [])}
        assert set(listed(till, who.bo, f"?status={word}")) == same, word
    for also in (accepted, unknown):
        assert one(till, also, who.bo)["status"] == "pending"
    both = listed(till, who.bo, "?status=cancelled,failed")
    assert set(both) == {made["canceled"], made["failed"]}


def test_a_transaction_has_exactly_the_documented_shape(till: Till, who: Personas) -> None:
    payment = transacting.send(
        transacting.begin(who.bo.id, amount=Money(1_999, asset("EUR")), method_id="pm_1")
    )
    pending = one(till, payment.id, who.bo)
    assert pending["effect"] == {"kind": "wallet_credit", "status": "pending"}
    transacting.says(payment.id, "succeeded")
    set_columns(payment.id, card_brand="visa", card_last4="4242", receipt_url="https://pay/r_1")
    answer = till.get(f"{LIST}/{payment.id}", who.bo)
    assert b'"amount":19.99,' in answer.data and b'"amountRefunded":0.00,' in answer.data
    said = answer.get_json()
    assert said == {
        "transactionId": payment.id,
        "type": "payment",
        "status": "succeeded",
        "effect": {"kind": "wallet_credit", "status": "applied"},
        "amount": 19.99,
        "currency": "EUR",
        "amountRefunded": 0,
        "paymentMethodId": "pm_1",
        "cardBrand": "visa",
        "cardLast4": "4242",
        "paymentIntentId": payment.provider_reference,
        "invoiceId": None,
        "coupon": None,
        "stripeCode": None,
        "errorMessage": None,
        "receiptUrl": "https://pay/r_1",
        "createdAt": said["createdAt"],
        "updatedAt": said["updatedAt"],
    }
    listing = till.get(LIST, who.bo).get_json()
    assert listing == {"transactions": [said], "total": 1, "limit": 50, "offset": 0}


def test_a_declined_card_and_a_coupon_say_so(till: Till, who: Personas) -> None:
    declined = transacting.send(transacting.begin(who.bo.id)).id
    transacting.says(declined, "failed", code="insufficient_funds")
    said = one(till, declined, who.bo)
    assert said["stripeCode"] == "insufficient_funds" and said["errorMessage"]
    coupon = transacting.begin(who.bo.id, purpose=Purpose.COUPON).payment
    with database.transaction() as session:
        used = CouponUse(
            id="cpu_1",
            user_id=who.bo.id,
            payment_id=coupon.id,
            provider="stripe",
            coupon_id="SPRING",
            code="SPRING-10",
            name="Spring",
            amount_minor=2_500,
            asset="EUR/2",
            invoice_reference="in_1",
            created_at=clock.now(),
        )
        session.add(used)
    said = one(till, coupon.id, who.bo)
    assert (said["type"], said["invoiceId"], said["paymentIntentId"]) == ("coupon", "in_1", None)
    assert said["coupon"] == {
        "id": "SPRING",
        "name": "Spring",
        "amountOff": 25,
        "currency": "EUR",
    }


def test_each_sees_their_own_and_whatever_else_is_not_there(till: Till, who: Personas) -> None:
    bob = personas.user("bob@people.test")
    bos = transacting.send(transacting.begin(who.bo.id)).id
    mels = transacting.begin(who.bo.id, merchant_id=who.merchant("Mel's")).payment.id
    bobs = transacting.begin(bob.id, merchant_id=who.merchant("Eve's")).payment.id
    order = till.payment(who.mels_key, buyerId=who.bo.id)["paymentId"]
    live = personas.key(who.merchant("Mel's"), livemode=True)
    sees: list[tuple[Caller, set[str]]] = [
        (who.bo, {bos, mels}),
        (bob, {bobs}),
        (who.mel, {mels}),
        (who.mels_key, {mels}),
        (live, set()),
        (who.eve, {bobs}),
        (who.sue, {bos, mels, bobs}),
        (who.ann, {bos, mels, bobs}),
    ]
    none = till.get(f"{LIST}/pay_none", who.bo)
    for caller, own in sees:
        assert set(listed(till, caller)) == own
        file = till.get(f"{LIST}/export", caller)
        rows = list(csv.DictReader(io.StringIO(file.text)))
        assert {row["transactionId"] for row in rows} == own
        for transaction_id in (bos, mels, bobs, order):
            for query in ("", "?awaitStatus=succeeded"):
                if transaction_id in own and query:
                    continue
                answer = till.get(f"{LIST}/{transaction_id}{query}", caller)
                assert answer.status_code == (200 if transaction_id in own else 404)
                if transaction_id not in own:
                    assert code(answer) == code(none) == "NOT_FOUND"
                    assert answer.json["message"] == none.json["message"]  # type: ignore[index]
    assert till.get(LIST, who.sal).status_code == 403
    assert set(listed(till, who.mel, f"?userId={who.bo.id}")) == {mels}
    assert listed(till, who.mel, f"?userId={bob.id}") == []
    assert set(listed(till, who.fin, f"?userId={bob.id}")) == {bobs}
    assert set(listed(till, who.bo, f"?userId={who.bo.id}")) == {bos, mels}
    for path in (LIST, f"{LIST}/export"):
        refused = till.get(f"{path}?userId={bob.id}", who.bo)
        assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")


def test_pages_and_filters_add_up(till: Till, who: Personas) -> None:
    made = [transacting.begin(who.bo.id).payment.id for _ in range(5)]
    check = transacting.begin(who.bo.id, purpose=Purpose.CARD_VALIDATION).payment
    newest = [check.id, *reversed(made)]
    pages = [listed(till, who.bo, f"?limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert pages == [newest[:2], newest[2:4], newest[4:], []]
    answer = till.get(f"{LIST}?limit=2&offset=4&type=payment", who.bo).get_json()
    assert (answer["total"], answer["limit"], answer["offset"]) == (5, 2, 4)
    assert [each["transactionId"] for each in answer["transactions"]] == [made[0]]
    kinds = "?type=payment_method_validation,coupon"
    assert listed(till, who.bo, kinds) == [check.id]
    at = clock.rfc3339(check.created_at)
    assert listed(till, who.bo, "?to=2020-01-01T00:00:00Z") == []
    assert set(listed(till, who.bo, f"?from=2020-01-01T00:00:00Z&to={at}")) <= set(made)
    wrong = {
        "status=paid": "status",
        "type=gift": "type",
        "limit=201": "limit",
        "offset=-1": "offset",
        "nonsense=1": "nonsense",
        "from=yesterday": "from",
        "format=xml": "format",
    }
    for query, field in wrong.items():
        refused = till.get(f"{LIST}?{query}", who.bo)
        assert (refused.status_code, fields(refused)) == (400, [field]), query
    refused = till.get(f"{LIST}/{check.id}?awaitStatus=done", who.bo)
    assert (refused.status_code, fields(refused)) == (400, ["awaitStatus"])


def test_an_export_walks_every_page_and_holds_no_formula(
    till: Till, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [transacting.begin(who.bo.id).payment.id for _ in range(7)]
    evil = '=HYPERLINK("http://evil.test","x")'
    set_columns(
        made[3], status="failed", provider_message=evil, provider_code="@sum", method_id="-1"
    )
    monkeypatch.setattr("domain.payments.transaction_queries.LONGEST_PAGE", 3)
    answer = till.get(f"{LIST}/export?format=csv", who.bo)
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "transactions.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["transactionId"] for row in rows] == made[::-1]
    assert {row["amount"] for row in rows} == {"25.00"}
    [bad] = [row for row in rows if row["transactionId"] == made[3]]
    assert (bad["errorMessage"], bad["stripeCode"]) == (f"'{evil}", "'@sum")
    assert bad["paymentMethodId"] == "'-1" and bad["userId"] == who.bo.id
    only = till.get(f"{LIST}/export?status=failed", who.bo)
    assert len(only.text.splitlines()) == 2


def test_what_took_another_ones_place_says_which(till: Till, who: Personas) -> None:
    for caller in (who.bo, who.mels_key, who.sue, who.sal):
        answer = till.post(VALIDATE, caller, {"paymentMethodId": "pm_1", "paymentIntentId": "pi_1"})
        assert answer.status_code == 410
        said = answer.get_json()
        assert set(said) == {"success", "message", "code", "use", "error"}
        assert (said["success"], said["code"]) == (False, "SUPERSEDED")
        assert said["use"] == "/v1/stripe/transactions/{id}?awaitStatus=succeeded"
        assert said["error"]["code"] == "SUPERSEDED" and said["message"] == said["error"]["message"]
        assert said["error"]["requestId"] == answer.headers["X-Request-Id"]
    assert till.app.test_client().post(VALIDATE, json={}).status_code == 401


def test_await_resolved_is_taken_without_effect_and_said_to_be(till: Till, who: Personas) -> None:
    made = transacting.begin(who.bo.id).payment.id
    plain = till.get(f"{LIST}/{made}", who.bo)
    assert "Deprecation" not in plain.headers
    for path in (f"{LIST}/{made}", LIST, f"{LIST}/export"):
        answer = till.get(f"{path}?awaitResolved=true", who.bo)
        assert answer.status_code == 200
        assert answer.headers["Deprecation"].startswith("@")
        assert 'rel="successor-version"' in answer.headers["Link"]
    assert till.get(f"{LIST}/{made}?awaitResolved=true", who.bo).data == plain.data
    gone = till.post(VALIDATE, who.bo, {"awaitResolved": True})
    assert gone.status_code == 410 and "Deprecation" in gone.headers
    missing = till.get(f"{LIST}/pay_none?awaitResolved=1", who.bo)
    assert missing.status_code == 404 and "Deprecation" in missing.headers
    elsewhere = till.get("/api/payments?awaitResolved=true", who.bo)
    assert elsewhere.status_code == 400 and "Deprecation" not in elsewhere.headers
    assert json.loads(elsewhere.data)["error"]["code"] == "VALIDATION_FAILED"

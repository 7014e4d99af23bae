"""Nobody reads or moves what is not theirs: a foreign id answers as one that does not exist."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from api.contract import ENDPOINTS, Open
from core.permissions import HOLDERS
from core.states import Role
from domain.database import transaction
from models.orders import Order
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code

OWN = {
    "GET /api/orders/{orderId}": None,
    "GET /api/orders/{orderId}/timeline": None,
    "POST /api/orders/{orderId}/cancel": {"reason": "x"},
    "GET /api/payments/{paymentId}": None,
    "GET /api/payments/{paymentId}/timeline": None,
    "POST /api/payments/{paymentId}/cancel": {"reason": "x"},
    "POST /api/payments/{paymentId}/sync": None,
}


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def _call(till: Till, name: str, who: Any, ids: dict[str, str]) -> Any:
    method, _, path = name.partition(" ")
    for placeholder, value in ids.items():
        path = path.replace(f"{{{placeholder}}}", value)
    if method == "GET":
        return till.get(path, who)
    return till.post(path, who, OWN[name])


def _without_request_id(answer: Any) -> dict[str, Any]:
    said: dict[str, Any] = dict(answer.json["error"])
    said.pop("requestId")
    return said


def test_a_foreign_object_answers_like_one_that_does_not_exist(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    payment = till.intent(who.mels_key, order["orderId"])
    real = {"orderId": order["orderId"], "paymentId": payment["paymentId"]}
    none = {"orderId": "ord_none", "paymentId": "pay_none"}
    eves_key = personas.key(who.merchant("Eve's"))
    bob = personas.user("bob@people.test")
    sam = personas.user("sam@people.test", role=Role.SELLER)
    for name in OWN:
        endpoint = ENDPOINTS[name]
        assert not isinstance(endpoint.who, Open)
        for stranger, role in (
            (who.eve, Role.MERCHANT),
            (eves_key, Role.MERCHANT),
            (bob, Role.BUYER),
            (sam, Role.SELLER),
        ):
            foreign = _call(till, name, stranger, real)
            missing = _call(till, name, stranger, none)
            expected = 404 if role in HOLDERS[endpoint.who] else 403
            assert foreign.status_code == missing.status_code == expected, (name, role)
            assert _without_request_id(foreign) == _without_request_id(missing), (name, role)
    # Nothing was moved by any of these.
    assert (till.get(f"/api/orders/{order['orderId']}", who.bo).json or {})[
        "status"
    ] == "AwaitingDeposit"
    assert (till.get(f"/api/payments/{payment['paymentId']}", who.bo).json or {})[
        "status"
    ] == "pending"


def test_each_party_reads_its_own_and_lists_nothing_else(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    payment = till.intent(who.bo, order["orderId"])
    till.payment(personas.user("bob@people.test"))
    for party in (who.bo, who.sal, who.mel, who.mels_key):
        listed = (till.get("/api/payments", party).json or {})["items"]
        assert [each["paymentId"] for each in listed] == [payment["paymentId"]]
        orders = (till.get("/api/orders", party).json or {})["items"]
        assert [each["orderId"] for each in orders] == [order["orderId"]]
        # No filter widens what may be seen.
        wider = till.get(f"/api/orders?buyerId={who.bo.id},usr_other&q=25.00", party).json or {}
        assert {each["orderId"] for each in wider["items"]} <= {order["orderId"]}
        assert till.get(f"/api/payments/{payment['paymentId']}", party).status_code == 200
    for stranger in (who.eve, personas.user("new@people.test")):
        assert till.get("/api/payments", stranger).json == {"items": [], "nextCursor": None}
        assert till.get(f"/api/payments?q={payment['paymentId']}", stranger).json == {
            "items": [],
            "nextCursor": None,
        }
        assert till.get("/api/orders?format=csv", stranger).status_code == 400


def test_a_test_key_does_not_see_live_rows_nor_a_live_key_test_rows(
    till: Till, who: Personas
) -> None:
    live_key = personas.key(who.merchant("Mel's"), livemode=True, name="live")
    order = till.order(who.mels_key)
    payment = till.intent(who.mels_key, order["orderId"])
    paths = (f"/api/orders/{order['orderId']}", f"/api/payments/{payment['paymentId']}")
    for path in paths:
        assert till.get(path, who.mels_key).status_code == 200
        assert till.get(path, live_key).status_code == 404
    with transaction() as session:
        session.get_one(Order, order["orderId"]).livemode = True
        session.get_one(Payment, payment["paymentId"]).livemode = True
    for path in paths:
        assert till.get(path, who.mels_key).status_code == 404
        assert till.get(path, live_key).status_code == 200
    assert till.get("/api/orders", who.mels_key).json == {"items": [], "nextCursor": None}


def test_a_live_key_makes_live_orders_that_this_installations_rail_does_not_take(
    till: Till, who: Personas
) -> None:
    live_key = personas.key(who.merchant("Mel's"), livemode=True, name="live")
    order = till.order(live_key)
    assert order["livemode"] is True
    refused = till.post("/api/payments/intents", live_key, {"orderId": order["orderId"]})
    assert (refused.status_code, code(refused)) == (503, "RAIL_NOT_CONFIGURED")


def test_a_merchant_reads_its_own_cases_in_short_and_nobody_elses(
    till: Till, who: Personas
) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id)
    payment = till.intent(who.mels_key, order["orderId"])
    body = till.event("payment_intent.succeeded", payment, status="succeeded", amount_received=3000)
    till.deliver(body)
    till.work()
    for own in (who.mel, who.mels_key):
        (case,) = (till.get("/api/exceptions", own).json or {})["items"]
        assert set(case) == {"caseId", "kind", "state", "paymentId", "orderId", "openedAt"}
        assert (case["kind"], case["paymentId"]) == ("OVERPAID", payment["paymentId"])
        assert till.get(f"/api/exceptions/{case['caseId']}", own).status_code == 403
    live_key = personas.key(who.merchant("Mel's"), livemode=True, name="live")
    for stranger in (who.eve, live_key):
        assert till.get("/api/exceptions", stranger).json == {"items": [], "nextCursor": None}
    assert till.get("/api/exceptions", who.bo).status_code == 403


def test_a_merchant_sees_only_its_own_accounts(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id)
    till.settle(till.intent(who.mels_key, order["orderId"]))
    hold = f"order:{order['orderId']}:escrow_hold"
    mine = (till.get("/api/ledger/accounts", who.mel).json or {})["items"]
    assert [each["address"] for each in mine] == [hold]
    assert till.get(f"/api/ledger/accounts/{hold}", who.mel).status_code == 200
    assert till.get(f"/api/ledger/accounts/{hold}/postings", who.mel).status_code == 200
    for path in (f"/api/ledger/accounts/{hold}", "/api/ledger/accounts/provider:stripe:clearing"):
        assert till.get(path, who.eve).status_code == 404
        assert till.get(f"{path}/postings", who.eve).status_code == 404
    assert till.get("/api/ledger/accounts/provider:stripe:clearing", who.mel).status_code == 404
    assert till.get("/api/ledger/accounts", who.eve).json == {"items": [], "nextCursor": None}
    for nobody in (who.bo, who.sue, who.ed, who.mels_key):
        assert till.get("/api/ledger/accounts", nobody).status_code == 403

"""Orders over the API: made exactly, listed within one's own tenancy, cancelled while no money has come."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from core.states import Kyc, Role
from domain.database import reading
from models.orders import InvoiceDraft, Order
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code, fields

ORDER: dict[str, Any] = {
    "description": "Oak table",
    "total": {"amount": "125.00", "currency": "EUR"},
}


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def test_an_order_is_made_with_exact_amounts_and_milestones(till: Till, who: Personas) -> None:
    body = ORDER | {
        "deposit": "25",
        "sellerId": who.sal.id,
        "milestones": [
            {"title": "Frame", "amount": {"amount": "75.5", "currency": "eur"}},
            {"title": "Finish", "amount": 49},
        ],
        "depositDueAt": "2099-01-01T10:00:00+01:00",
        "subscriptionRef": "sub-1",
        "reference": "table-1",
        "metadata": {"colour": "oak"},
    }
    answer = till.post("/api/orders", who.bo, body)
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert made is not None
    assert answer.headers["Location"] == f"/api/orders/{made['orderId']}"
    assert (made["status"], made["requestStatus"]) == ("AwaitingDeposit", "open")
    assert made["total"] == {"amount": "125.00", "currency": "EUR"}
    assert made["deposit"] == {"amount": "25.00", "currency": "EUR"}
    assert made["outstanding"] == {"amount": "125.00", "currency": "EUR"}
    assert [part["amount"]["amount"] for part in made["milestones"]] == ["75.50", "49.00"]
    assert (made["buyerId"], made["sellerId"]) == (who.bo.id, who.sal.id)
    assert made["depositDueAt"] == "2099-01-01T09:00:00.000Z"
    assert (made["entitlement"], made["livemode"], made["demo"]) == ("none", False, False)
    assert till.get(f"/api/orders/{made['orderId']}", who.bo).json == made


def test_amounts_are_read_from_their_text_never_through_float(till: Till, who: Personas) -> None:
    raw = b'{"description":"x","total":{"amount":70368744177664.01,"currency":"EUR"}}'
    headers = who.bo.headers | {"Idempotency-Key": "exact-amount"}
    answer = till.app.test_client().post(
        "/api/orders", data=raw, content_type="application/json", headers=headers
    )
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert answer.json["total"]["amount"] == "70368744177664.01"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"total": {"amount": "1.005", "currency": "EUR"}}, "total"),
    ({"total": {"amount": "0", "currency": "EUR"}}, "total"),
    ({"total": {"amount": "-1", "currency": "EUR"}}, "total"),
    ({"total": {"amount": "1", "currency": "XYZ"}}, "total"),
    ({"total": {"amount": "1.5", "currency": "JPY"}}, "total"),
    ({"total": "125.00"}, "total"),
    ({"total": {"amount": "1e3", "currency": "EUR"}}, "total"),
    ({"total": {"amount": "99999999999999999999", "currency": "EUR"}}, "total"),
    ({"total": {"amount": "90071992547409.92", "currency": "EUR"}}, "total"),
    ({"deposit": "125.01"}, "deposit"),
    ({"deposit": {"amount": "5", "currency": "USD"}}, "deposit"),
    ({"milestones": [{"title": "a", "amount": 100}, {"title": "b", "amount": 26}]}, "milestones"),
    ({"milestones": [{"title": "a", "amount": {"amount": 5, "currency": "USD"}}]}, "milestones.0.amount"),
    ({"sellerId": "usr_nobody"}, "sellerId"),
    ({"buyerId": "usr_other"}, "buyerId"),
    ({"depositDueAt": "2020-01-01T00:00:00Z"}, "depositDueAt"),
    ({"depositDueAt": "2099-01-01"}, "depositDueAt"),
    ({"description": ""}, "description"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"surprise": True}, "surprise"),
]  # fmt: skip


def test_what_does_not_add_up_is_refused_by_field(till: Till, who: Personas) -> None:
    for more, field in REFUSED:
        answer = till.post("/api/orders", who.bo, ORDER | more)
        assert answer.status_code == 400, f"{more}: {answer.text}"
        named = [name == field or name.startswith(f"{field}.") for name in fields(answer)]
        assert any(named), f"{more}: {answer.text}"


def test_no_column_of_the_server_can_be_set_by_a_caller(till: Till, who: Personas) -> None:
    names = [column.key for column in Order.__table__.columns]
    camel = [
        part[0] + "".join(w.capitalize() for w in part[1:])
        for part in (n.split("_") for n in names)
    ]
    known = {"description", "total", "deposit", "sellerId", "buyerId", "milestones", "metadata"}
    known |= {"depositDueAt", "subscriptionRef", "reference", "invoice"}
    for name in {*names, *camel} - known:
        answer = till.post("/api/orders", who.bo, ORDER | {name: "1"})
        assert (answer.status_code, fields(answer)) == (400, [name]), name


def test_card_numbers_are_refused_anywhere_and_not_repeated(till: Till, who: Personas) -> None:
    for more in (
        {"description": "pay 4242 4242 4242 4242"},
        {"metadata": {"note": "4242424242424242"}},
        {"metadata": {"4242424242424242": "x"}},
        {"reference": "4242424242424242"},
    ):
        answer = till.post("/api/orders", who.bo, ORDER | more)
        assert (answer.status_code, code(answer)) == (400, "CARD_NUMBER_REFUSED")
        assert "4242424242424242" not in answer.text


def test_only_those_who_may_make_orders(till: Till, who: Personas) -> None:
    for persona, expected in ((who.sal, 403), (who.ann, 403), (who.ed, 403), (who.sue, 201)):
        assert till.post("/api/orders", persona, ORDER).status_code == expected
    readonly = personas.key(who.merchant("Mel's"), scopes=("orders:read",), name="r")
    refused = till.post("/api/orders", readonly, ORDER)
    assert (refused.status_code, code(refused)) == (403, "SCOPE_MISSING")
    assert till.app.test_client().post("/api/orders", json=ORDER).status_code == 401


def test_a_buyer_without_kyc_cannot_order(till: Till) -> None:
    nil = personas.user("nil@people.test", role=Role.BUYER, kyc=Kyc.PENDING)
    refused = till.post("/api/orders", nil, ORDER)
    assert (refused.status_code, code(refused)) == (403, "KYC_REQUIRED")


def test_a_merchants_key_orders_for_its_own_merchant(till: Till, who: Personas) -> None:
    made = till.order(who.mels_key, buyerId=who.bo.id)
    assert (made["merchantId"], made["buyerId"]) == (who.merchant("Mel's"), who.bo.id)
    assert till.get(f"/api/orders/{made['orderId']}", who.bo).status_code == 200


def test_the_same_reference_is_one_order(till: Till, who: Personas) -> None:
    made = till.order(who.mels_key, reference="shop-0001")
    again = till.post("/api/orders", who.mels_key, ORDER | {"reference": "shop-0001"})
    assert (again.status_code, code(again)) == (409, "CONFLICT")
    assert again.json is not None
    assert again.json["error"]["details"]["link"] == f"/api/orders/{made['orderId']}"


def test_the_reference_stands_in_for_the_key(till: Till, who: Personas) -> None:
    body = ORDER | {"reference": "stand-in-0001"}
    first = till.post("/api/orders", who.bo, body, key="")
    again = till.post("/api/orders", who.bo, body, key="")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    missing = till.post("/api/orders", who.bo, ORDER, key="")
    assert (missing.status_code, code(missing)) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_what_the_invoice_needs_is_sealed_and_never_shown(till: Till, who: Personas) -> None:
    invoice = {
        "buyer": {
            "name": "Ottilie Secretova",
            "address": {"line1": "Hidden Lane 1", "city": "Linz", "postalCode": "4020", "country": "AT"},
            "vatId": "ATU12345678",
            "email": "ottilie@example.org",
        },
        "lines": [{"description": "Table", "quantity": 1, "unitAmount": "105.04", "taxRate": "19"}],
        "taxTotal": "19.96",
        "note": "Deliver upstairs",
    }  # fmt: skip
    made = till.order(who.bo, invoice=invoice)
    assert "Ottilie" not in till.get("/api/orders", who.bo).text
    assert "invoice" not in made
    with reading() as session:
        draft = session.get_one(InvoiceDraft, made["orderId"])
    assert b"Ottilie" not in draft.sealed


def test_an_invoice_line_that_cannot_be_is_refused(till: Till, who: Personas) -> None:
    good = {"description": "Table", "quantity": "1", "unitAmount": "5", "taxRate": "19"}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"taxRate": "100"}, "taxRate"),
        ({"unitAmount": {"amount": "1", "currency": "USD"}}, "unitAmount"),
    ]
    for line, field in bad:
        body = ORDER | {"invoice": {"lines": [good | line]}}
        answer = till.post("/api/orders", who.bo, body)
        assert (answer.status_code, fields(answer)) == (400, [f"invoice.lines.0.{field}"])


def _ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["orderId"] for each in answer.json["items"]]


def test_lists_are_paged_without_gap_or_repetition(till: Till, who: Personas) -> None:
    made = [till.order(who.bo)["orderId"] for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        answer = till.get(f"/api/orders?limit=3{cursor}", who.bo)
        seen += _ids(answer)
        assert answer.json is not None
        if answer.json["nextCursor"] is None:
            break
        cursor = f"&cursor={answer.json['nextCursor']}"
    assert seen == made[::-1]


def test_orders_are_found_by_every_name(till: Till, who: Personas) -> None:
    order = till.order(who.bo, reference="find-me-0001", subscriptionRef="sub-77")
    till.order(who.bo, total={"amount": "9.99", "currency": "EUR"}, deposit=None)
    payment = till.intent(who.bo, order["orderId"])
    wanted = [order["orderId"]]
    for text in (
        order["orderId"],
        "find-me-0001",
        "sub-77",
        payment["paymentId"],
        payment["providerReference"],
        "125.00",
        "125",
    ):
        assert _ids(till.get(f"/api/orders?q={text}", who.fin)) == wanted, text
    assert len(_ids(till.get(f"/api/orders?q={who.bo.email}", who.fin))) == 2
    # Only staff search by e-mail.
    assert _ids(till.get(f"/api/orders?q={who.bo.email}", who.bo)) == []
    assert _ids(till.get("/api/orders?q=nothing-like-it", who.fin)) == []


def test_filters_narrow_the_list_and_unknown_ones_are_refused(till: Till, who: Personas) -> None:
    order = till.order(who.bo, sellerId=who.sal.id)
    other = till.order(who.bo)
    till.post(f"/api/orders/{other['orderId']}/cancel", who.bo, {"reason": "changed my mind"})
    for query, expected in (
        ("status=AwaitingDeposit", [order]),
        ("status=Cancelled,Expired", [other]),
        ("requestStatus=cancelled", [other]),
        (f"sellerId={who.sal.id}", [order]),
        (f"buyerId={who.bo.id}", [other, order]),
        ("to=2020-01-01T00:00:00Z", []),
        ("from=2020-01-01T00:00:00Z", [other, order]),
    ):
        found = _ids(till.get(f"/api/orders?{query}", who.fin))
        assert found == [each["orderId"] for each in expected], query
    for query in (
        "status=nonsense",
        "requestStatus=x",
        "limit=0",
        "limit=201",
        "cursor=x",
        "colour=red",
    ):
        assert till.get(f"/api/orders?{query}", who.fin).status_code == 400, query


def test_an_order_without_money_is_cancelled_once(till: Till, who: Personas) -> None:
    order = till.order(who.bo)
    path = f"/api/orders/{order['orderId']}/cancel"
    first = till.post(path, who.bo, {"reason": "changed my mind"}, key="cancel-0001")
    again = till.post(path, who.bo, {"reason": "changed my mind"}, key="cancel-0001")
    assert first.json is not None
    assert (first.json["status"], first.json["requestStatus"]) == ("Cancelled", "cancelled")
    assert again.data == first.data
    assert till.post(path, who.bo, {"reason": "once more"}).status_code == 200
    assert till.post(path, who.bo, {}).status_code == 400


def test_an_order_with_an_open_or_arrived_payment_is_not_cancelled(
    till: Till, who: Personas
) -> None:
    payment = till.payment(who.bo)
    path = f"/api/orders/{payment['orderId']}/cancel"
    still_open = till.post(path, who.bo, {"reason": "no"})
    assert (still_open.status_code, code(still_open)) == (409, "CONFLICT")
    till.settle(payment)
    paid = till.post(path, who.bo, {"reason": "no"})
    assert (paid.status_code, code(paid)) == (409, "INVALID_TRANSITION")


def test_money_moves_the_order_and_shows_on_its_timeline(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    order = till.get(f"/api/orders/{payment['orderId']}", who.bo).json
    assert order is not None
    assert (order["status"], order["requestStatus"]) == ("DepositPaid", "processing")
    assert order["paid"]["amount"] == "25.00"
    assert order["outstanding"]["amount"] == "100.00"
    assert order["entitlement"] == "granted"
    assert order["paymentIds"] == [payment["paymentId"]]
    shown = till.get(f"/api/orders/{payment['orderId']}/timeline", who.bo).json
    assert shown is not None
    assert {"provider", "us", "books"} == {each["lane"] for each in shown["items"]}
    assert not any("source" in each["references"] for each in shown["items"])

"""Starting a payment by bank over the API: exact answers, one open link, references, lost answers, the doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from core import bank_references, clock
from domain.database import reading, transaction
from domain.jobs import janitor
from domain.secrets import secrets
from models.operations import Operation
from models.payments import Payment
from providers import registry
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code, fields
from tests.dashboard.desk import text
from tests.providers.truelayer import bodies
from tests.providers.truelayer.desk import Desk, Fault, open_desk
from tests.providers.truelayer.forging import Forger, Key, key_set, stamp

LINK = "/api/payments/bank/link"
DOOR, SHARED = "/api/webhooks/bank/truelayer", "/api/webhooks/bank"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def bank(app: Flask, till: Till) -> Iterator[Desk]:
    """TrueLayer's desk, and our real rail to it in its place."""
    del till
    with open_desk() as (desk, rail):
        registry._built["truelayer"] = rail
        secrets.configure(app.config["PAYDESK"])
        yield desk


def order(till: Till, who: Personas, **more: object) -> str:
    return str(till.order(who.mels_key, **({"buyerId": who.bo.id} | more))["orderId"])


def test_a_link_leads_to_the_payers_bank_and_says_when_money_is_expected(
    bank: Desk, till: Till, who: Personas
) -> None:
    order_id = order(till, who)
    answer = till.post(LINK, who.mels_key, {"orderId": order_id})
    assert answer.status_code == 201, answer.text
    made = answer.get_json()
    (said,) = bank.payments.values()
    assert made["orderId"] == order_id
    assert (made["status"], made["provider"]) == ("pending", "truelayer")
    assert made["amount"] == {"amount": "25.00", "currency": "EUR"}
    assert made["providerReference"] == said["id"]
    assert made["url"].startswith(registry.get("truelayer").hosts[0])
    assert made["bankReference"] == bank_references.make(made["paymentId"])
    assert "next working day" in made["eta"]["text"]
    assert made["expiresAt"]
    assert answer.headers["Location"] == f"/api/payments/{made['paymentId']}"
    sent = bank.requests[-1].json
    assert sent["user"]["email"] == who.bo.email
    assert "Authorization" not in answer.text


def test_an_open_link_is_given_again_and_a_card_page_is_not_opened_beside_it(
    bank: Desk, till: Till, who: Personas
) -> None:
    order_id = order(till, who)
    first = till.post(LINK, who.mels_key, {"orderId": order_id}).get_json()
    again = till.post(LINK, who.mels_key, {"orderId": order_id})
    assert (again.status_code, again.get_json()["paymentId"]) == (200, first["paymentId"])
    other = till.post("/api/payments/intents", who.mels_key, {"orderId": order_id})
    assert other.status_code == 409
    assert len(bank.payments) == 1


def test_the_callers_own_reference_travels_to_the_bank_when_it_can(
    bank: Desk, till: Till, who: Personas
) -> None:
    asked = {"orderId": order(till, who), "reference": "Café table 12"}
    made = till.post(LINK, who.mels_key, asked).get_json()
    assert made["bankReference"] == "Cafe table 12"
    assert bank.requests[-1].json["payment_method"]["beneficiary"]["reference"] == "Cafe table 12"
    for reference in ("x" * 19, "table #12", "日本"):
        refused = till.post(
            LINK, who.mels_key, {"orderId": order(till, who), "reference": reference}
        )
        assert (refused.status_code, code(refused)) == (400, "BANK_REFERENCE_INVALID")
    assert len(bank.payments) == 1


def test_what_the_rail_cannot_take_is_refused_before_anybody_is_asked(
    bank: Desk, till: Till, who: Personas
) -> None:
    yen = order(till, who, total={"amount": "5000", "currency": "JPY"}, deposit=None)
    refused = till.post(LINK, who.mels_key, {"orderId": yen})
    assert (refused.status_code, fields(refused)) == (400, ["orderId"])
    nobody = till.order(who.mels_key)["orderId"]
    refused = till.post(LINK, who.mels_key, {"orderId": nobody})
    assert (refused.status_code, fields(refused)) == (400, ["orderId"])
    away = {"orderId": order(till, who), "returnUrl": "https://evil.example/"}
    refused = till.post(LINK, who.mels_key, away)
    assert (refused.status_code, fields(refused)) == (400, ["returnUrl"])
    assert not bank.payments


def test_foreign_orders_are_not_found_and_without_a_bank_it_says_so(
    till: Till, who: Personas
) -> None:
    order_id = order(till, who)
    refused = till.post(LINK, who.mels_key, {"orderId": order_id})
    assert (refused.status_code, code(refused)) == (503, "RAIL_NOT_CONFIGURED")
    assert (
        till.post(
            LINK, personas.key(personas.merchant("Evergreen")), {"orderId": order_id}
        ).status_code
        == 404
    )


def test_a_lost_answer_is_unknown_and_found_again_under_the_same_key(
    bank: Desk, till: Till, who: Personas
) -> None:
    bank.faults["POST /v3/payments"] = [Fault(after=True), Fault(after=True)]
    answer = till.post(LINK, who.mels_key, {"orderId": order(till, who)})
    assert answer.status_code == 202, answer.text
    with reading() as session:
        payment = session.scalars(select(Payment)).one()
    assert (payment.status, payment.sub_state) == ("pending", "unknown_outcome")
    with till.app.app_context():
        _make_due()
        janitor.finish_operation()
    with reading() as session:
        payment = session.scalars(select(Payment)).one()
    assert payment.provider_reference in bank.payments
    assert payment.hosted_url
    assert len(bank.payments) == 1


def _make_due() -> None:
    with transaction() as session:
        for row in session.scalars(select(Operation)):
            row.due_at, row.lease_until = clock.now(), None


def _signed(desk: Desk, kind: str, name: str, key: Key, *, path: str) -> Forger:
    desk.key_set = key_set(key)
    jku = f"{registry.get('truelayer').hosts[0]}/.well-known/jwks"
    return Forger(
        key,
        header={"jku": jku},
        headers={"X-Tl-Webhook-Timestamp": stamp(clock.unix())},
        body=bodies.written(bodies.event(kind, name)),
        path=path,
    )


@pytest.mark.parametrize("path", [DOOR, SHARED])
def test_both_doors_take_what_the_provider_signed_and_nothing_else(
    bank: Desk, till: Till, who: Personas, path: str
) -> None:
    made = till.post(LINK, who.mels_key, {"orderId": order(till, who)}).get_json()
    name = made["providerReference"]
    kept = bank.payments[name]
    bank.payments[name] = bodies.payment(
        "settled", name, **{k: kept[k] for k in ("amount_in_minor", "currency", "metadata")}
    )
    forger = _signed(bank, "payment_settled", name, Key("theirs-1"), path=path)
    client = till.app.test_client()
    headers = dict(forger.headers) | {"Content-Type": "application/json"}
    headers["Tl-Signature"] = forger.sent().header("Tl-Signature") or ""
    bad = client.post(path, data=forger.body + b" ", headers=headers)
    assert (bad.status_code, code(bad)) == (401, "WEBHOOK_INVALID_SIGNATURE")
    good = client.post(path, data=forger.body, headers=headers)
    assert (good.status_code, good.get_json()) == (200, {"received": True})
    till.work()
    found = till.get(f"/api/payments/{made['paymentId']}", who.mels_key).get_json()
    assert (found["status"], found["lifecycle"]) == ("completed", "Confirmed")
    assert till.get(f"/api/orders/{made['orderId']}", who.mels_key).get_json()["status"] == (
        "DepositPaid"
    )


def test_the_shared_door_refuses_whom_it_does_not_know(bank: Desk, till: Till) -> None:
    del bank
    client = till.app.test_client()
    for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}, {"X-Bank-Signature": "t=1,v1=00"}):
        answer = client.post(SHARED, data=b"{}", headers=headers, content_type="application/json")
        assert (answer.status_code, code(answer)) == (401, "WEBHOOK_INVALID_SIGNATURE")
    unknown = client.post(f"{SHARED}/nobody", data=b"{}", content_type="application/json")
    assert unknown.status_code == 404
    card = client.post(f"{SHARED}/stripe", data=b"{}", content_type="application/json")
    assert card.status_code == 404


def test_whoever_comes_back_from_the_bank_is_led_to_their_payment_and_believed_in_nothing(
    bank: Desk, till: Till, who: Personas
) -> None:
    asked = {"orderId": order(till, who), "returnUrl": "http://localhost:8000/shop"}
    made = till.post(LINK, who.mels_key, asked).get_json()
    client = till.app.test_client()
    back = client.get(f"/pay/back/truelayer?payment_id={made['providerReference']}&status=settled")
    assert back.status_code in (302, 303)
    assert back.headers["Location"] == made["payUrl"].removeprefix("http://localhost:8000") + (
        "/return"
    )
    page = client.get(back.headers["Location"]).text
    assert "Awaiting your bank" in text(page)
    assert "next working day" in text(page)
    assert 'href="http://localhost:8000/shop"' in page
    for path in ("/pay/back/truelayer", "/pay/back/stripe?payment_id=x", "/pay/back/nobody"):
        assert client.get(path).status_code == 404
    assert bank.payments[made["providerReference"]]["status"] == "authorization_required"

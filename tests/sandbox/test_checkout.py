from __future__ import annotations

import re
import time
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import Client, StandIn, body_of

SHOP = "https://shop.example"
CARD = {"email": "bo@example.com", "method": "card", "number": "4242 4242 4242 4242",
        "expiry": "12 / 34", "cvc": "123", "name": "Bo"}  # fmt: skip


def open_session(client: Client, **more: Any) -> Any:
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [
                {"quantity": 2, "price_data": {"currency": "usd", "unit_amount": 1250,
                                               "product_data": {"name": "Deposit <b>"}}}
            ],
            "success_url": f"{SHOP}/done?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{SHOP}/basket",
            "client_reference_id": "pay_1",
            "metadata": {"order": "ord_1"},
            "payment_intent_data": {"metadata": {"operation_id": "op_1"}},
            **more,
        }
    )  # fmt: skip


def pay(session: Any, **entries: str) -> requests.Response:
    return requests.post(session.url, data=CARD | entries, allow_redirects=False, timeout=5)


def test_buyer_pays_on_the_hosted_page_and_returns_to_the_shop(
    client: Client, receiver: Receiver
) -> None:
    session = open_session(client)
    assert (session.status, session.payment_status, session.amount_total) == (
        "open",
        "unpaid",
        2500,
    )
    assert session.payment_intent is None
    page = requests.get(session.url, timeout=5)
    assert "25.00 USD" in page.text
    assert "Deposit &lt;b&gt;" in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    answer = pay(session)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{SHOP}/done?session={session.id}"
    done = receiver.wait_for("checkout.session.completed")["data"]["object"]
    assert (done["payment_status"], done["client_reference_id"]) == ("paid", "pay_1")
    assert done["customer_details"]["email"] == "bo@example.com"
    intent = client.v1.payment_intents.retrieve(done["payment_intent"])
    assert (intent.status, intent.metadata["operation_id"]) == ("succeeded", "op_1")
    found = client.v1.checkout.sessions.list({"payment_intent": intent.id, "status": "complete"})
    assert [one.id for one in found.data] == [session.id]
    assert requests.get(session.url, timeout=5).status_code == 410


def test_declined_card_shows_why_and_the_next_one_pays_the_same_intent(client: Client) -> None:
    session = open_session(client)
    refused = pay(session, number="4000 0000 0000 9995")
    assert refused.status_code == 402
    assert "Your card has insufficient funds." in unescape(refused.text)
    assert 'value="4000' not in refused.text
    assert pay(session, number="4242424242424241").status_code == 402
    assert pay(session, cvc="").status_code == 402
    assert pay(session).status_code == 303
    intents = client.v1.payment_intents.list().data
    assert [intent.status for intent in intents] == ["succeeded"]


@pytest.mark.parametrize(("outcome", "paid"), [("complete", True), ("fail", False)])
def test_3ds_card_goes_through_the_banks_page(client: Client, outcome: str, paid: bool) -> None:
    session = open_session(client)
    to_bank = pay(session, number="4000000000003220")
    challenge = to_bank.headers["Location"]
    page = requests.get(challenge, timeout=5)
    assert "Complete authentication" in page.text
    back = requests.post(challenge, data={"outcome": outcome}, allow_redirects=False, timeout=5)
    sent_back = parse_qs(urlsplit(back.headers["Location"]).query)
    assert sent_back["redirect_status"] == ["succeeded" if paid else "failed"]
    last = requests.get(back.headers["Location"], allow_redirects=False, timeout=5)
    assert last.status_code == (303 if paid else 402)
    assert client.v1.checkout.sessions.retrieve(session.id).status == (
        "complete" if paid else "open"
    )
    assert requests.get(challenge, timeout=5).status_code == 410


def test_bank_debit_completes_unpaid_and_is_paid_later(client: Client, receiver: Receiver) -> None:
    session = open_session(
        client,
        payment_method_types=["card", "sepa_debit"],
        line_items=[{"amount": 2500, "currency": "eur", "name": "Deposit"}],
    )
    pay(session, method="sepa_debit", iban="DE89 3704 0044 0532 0130 00")
    done = receiver.wait_for("checkout.session.completed")["data"]["object"]
    assert (done["status"], done["payment_status"]) == ("complete", "unpaid")
    later = receiver.wait_for("checkout.session.async_payment_succeeded")["data"]["object"]
    assert later["payment_status"] == "paid"


def test_session_expires_by_call_and_by_time(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    ended = open_session(client)
    assert client.v1.checkout.sessions.expire(ended.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(ended.id)
    assert pay(ended) is not None
    timed = open_session(client, expires_at=int(time.time()) + 1800)
    standin.control("POST", "clock", {"advance_seconds": 1801})
    receiver.wait_for("checkout.session.expired", times=2)
    assert pay_is_refused(timed)
    assert client.v1.payment_intents.list().data == []


def pay_is_refused(session: Any) -> bool:
    return pay(session).status_code == 410


def test_setup_session_saves_a_card_without_a_charge(client: Client, receiver: Receiver) -> None:
    customer = client.v1.customers.create({"email": "bo@example.com"})
    session = client.v1.checkout.sessions.create(
        {"mode": "setup", "customer": customer.id, "success_url": SHOP}
    )
    assert pay(session).status_code == 303
    done = receiver.wait_for("checkout.session.completed")["data"]["object"]
    assert done["payment_status"] == "no_payment_required"
    saved = client.v1.customers.payment_methods.list(customer.id).data
    assert [method.card.last4 for method in saved] == ["4242"]
    assert client.v1.charges.list().data == []


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"success_url": ""}, "success_url"),
        ({"mode": "subscription"}, "mode"),
        ({"line_items": [{"price": "price_1"}]}, "line_items[0][price]"),
        ({"expires_at": 1}, "expires_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_session_parameters_are_refused(
    client: Client, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_session(client, **wrong)
    assert body_of(refused).param == param


def test_receipt_page_shows_amount_and_no_number(client: Client) -> None:
    pay(open_session(client))
    (charge,) = client.v1.charges.list().data
    page = requests.get(charge.receipt_url, timeout=5).text
    assert re.search(r"25\.00 USD", page)
    assert "4242424242424242" not in page

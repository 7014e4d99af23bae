from __future__ import annotations

import base64
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, PUBLISHABLE_KEY, SECRET_KEY, Client, StandIn, body_of


def needed(kind: Any) -> set[str]:
    """Return the fields that the SDK's class declares as always there."""
    return {
        name
        for name, hint in kind.__annotations__.items()
        if not any(word in str(hint) for word in ("Optional", "ClassVar", "None"))
    }


def test_objects_carry_every_field_the_sdk_counts_on(client: Client, receiver: Receiver) -> None:
    customer = client.v1.customers.create({"email": "bo@example.com", "name": "Bo"})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    intent = client.v1.payment_intents.create(
        {**PAID, "customer": customer.id, "payment_method": method.id,
         "capture_method": "automatic", "expand": ["latest_charge.balance_transaction"]}
    )  # fmt: skip
    session = client.v1.checkout.sessions.create(
        {"mode": "payment", "success_url": "https://shop.example", "expand": ["line_items"],
         "line_items": [{"amount": 100, "currency": "usd", "name": "Deposit"}]}
    )  # fmt: skip
    setup = client.v1.setup_intents.create({"customer": customer.id})
    objects: list[tuple[Any, Any]] = [
        (stripe.Customer, customer),
        (stripe.PaymentMethod, method),
        (stripe.PaymentIntent, intent),
        (stripe.Charge, intent.latest_charge),
        (stripe.BalanceTransaction, intent.latest_charge.balance_transaction),
        (stripe.checkout.Session, session),
        (stripe.LineItem, session.line_items.data[0]),
        (stripe.SetupIntent, setup),
        (stripe.Event, client.v1.events.list().data[0]),
        (stripe.Balance, client.v1.balance.retrieve()),
        (stripe.WebhookEndpoint, client.v1.webhook_endpoints.list().data[0]),
        (stripe.Account, client.v1.accounts.retrieve_current()),
    ]
    for kind, found in objects:
        assert isinstance(found, kind), found
        missing = needed(kind) - set(found.to_dict())
        assert missing == set(), f"{kind.__name__} lacks {missing}"
        assert not any(name.startswith("_") for name in found.to_dict())


def test_customer_lives_and_is_deleted(client: Client, receiver: Receiver) -> None:
    customers = client.v1.customers
    made = customers.create({"email": "bo@example.com", "metadata": {"a": "1", "b": "2"}})
    changed = customers.update(made.id, {"name": "Bo", "metadata": {"a": ""}})
    assert (changed.name, changed.metadata.to_dict()) == ("Bo", {"b": "2"})
    assert [one.id for one in customers.list({"email": "bo@example.com"}).data] == [made.id]
    updated = receiver.wait_for("customer.updated")
    previous = updated["data"]["previous_attributes"]
    assert previous == {"name": None, "metadata": {"a": "1", "b": "2"}}
    assert customers.delete(made.id).deleted
    assert customers.retrieve(made.id).deleted
    assert customers.list().data == []


def test_payment_method_is_attached_used_and_detached(client: Client, receiver: Receiver) -> None:
    bo = client.v1.customers.create({"email": "bo@example.com"})
    method = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": "5555555555554444", "exp_month": 3, "exp_year": 2035,
                                  "cvc": "123"}}
    )  # fmt: skip
    assert (method.card.brand, method.card.last4) == ("mastercard", "4444")
    client.v1.payment_methods.attach(method.id, {"customer": bo.id})
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the Customer"):
        client.v1.payment_intents.create({**PAID, "payment_method": method.id})
    paid = client.v1.payment_intents.create(
        {**PAID, "payment_method": method.id, "customer": bo.id}
    )
    assert paid.customer == bo.id
    client.v1.payment_methods.detach(method.id)
    assert client.v1.customers.payment_methods.list(bo.id).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_intents.create({**PAID, "payment_method": method.id})
    receiver.wait_for("payment_method.detached")
    assert "payment_method.attached" in receiver.types()


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"number": "42"}, "invalid_number"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2020}, "invalid_expiry_year"),
        ({"cvc": "1"}, "invalid_cvc"),
    ],
)
def test_impossible_cards_are_refused_before_any_bank(
    client: Client, card: dict[str, Any], code: str
) -> None:
    good = {"number": "4242424242424242", "exp_month": 3, "exp_year": 2035, "cvc": "123"}
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": {**good, **card}})
    assert body_of(refused).code == code


def test_number_that_is_no_test_card_is_declined_and_not_kept(
    client: Client, standin: StandIn
) -> None:
    number = "4111111111111111"
    method = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": number, "exp_month": 3, "exp_year": 2035}}
    )
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({**PAID, "payment_method": method.id})
    assert body_of(refused).decline_code == "test_mode_live_card"


def test_off_session_payment_needs_a_card_set_up_before(client: Client) -> None:
    card = "pm_card_authenticationRequiredOnSetup"
    off_session = {**PAID, "off_session": True}
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({**off_session, "payment_method": card})
    assert body_of(refused).code == "authentication_required"
    assert body_of(refused).payment_intent.status == "requires_payment_method"


def test_3ds_by_redirect_and_its_outcome_without_a_browser(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    asked = {**PAID, "payment_method": "pm_card_threeDSecure2Required"}
    by_page = client.v1.payment_intents.create(
        {**asked, "return_url": "https://shop.example/x?a=1"}
    )
    assert by_page.status == "requires_action"
    assert by_page.next_action.redirect_to_url.url.startswith(f"{standin.url}/3ds/")
    by_script = client.v1.payment_intents.create({**asked, "use_stripe_sdk": True})
    assert by_script.next_action.type == "use_stripe_sdk"
    receiver.wait_for("payment_intent.requires_action", times=2)
    standin.control("POST", "authenticate", {"intent": by_page.id})
    standin.control("POST", "authenticate", {"intent": by_script.id, "outcome": "fail"})
    assert client.v1.payment_intents.retrieve(by_page.id).status == "succeeded"
    failed = client.v1.payment_intents.retrieve(by_script.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"


def test_setup_intent_is_confirmed_declined_and_canceled(
    client: Client, receiver: Receiver
) -> None:
    setups = client.v1.setup_intents
    bo = client.v1.customers.create({"email": "bo@example.com"})
    done = setups.create(
        {"customer": bo.id, "payment_method": "pm_card_visa", "confirm": True,
         "payment_method_types": ["card"]}
    )  # fmt: skip
    assert done.status == "succeeded"
    with pytest.raises(stripe.CardError) as refused:
        setups.create({"payment_method": "pm_card_chargeDeclined", "confirm": True})
    failed = setups.retrieve(body_of(refused).setup_intent.id)
    assert failed.last_setup_error.code == "card_declined"
    assert setups.cancel(failed.id).status == "canceled"
    receiver.wait_for("setup_intent.canceled")
    assert {"setup_intent.succeeded", "setup_intent.setup_failed"} <= set(receiver.types())


def test_intents_are_found_by_metadata_search(client: Client) -> None:
    for number in (1, 2):
        client.v1.payment_intents.create(
            {
                "amount": 100 * number,
                "currency": "eur",
                "metadata": {"operation_id": f"op_{number}"},
            }
        )
    query = "metadata['operation_id']:'op_2' AND amount>100"
    found = client.v1.payment_intents.search({"query": query}).data
    assert [intent.amount for intent in found] == [200]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.search({"query": "drop table"})


def test_balance_counts_fees_and_moves_from_pending_to_available(
    client: Client, standin: StandIn
) -> None:
    client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_visa", "capture_method": "automatic"}
    )
    client.v1.payment_intents.create(
        {**PAID, "payment_method": "pm_card_bypassPending", "capture_method": "automatic"}
    )
    net = 2500 - (73 + 30)
    balance = client.v1.balance.retrieve()
    assert (balance.pending[0].amount, balance.available[0].amount) == (net, net)
    standin.control("POST", "clock", {"advance_seconds": 3 * 86_400})
    assert client.v1.balance.retrieve().available[0].amount == 2 * net


def test_browser_key_needs_the_client_secret_and_sees_no_metadata(
    client: Client, standin: StandIn
) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 100, "currency": "eur", "metadata": {"order": "ord_1"}}
    )
    url = f"{standin.url}/v1/payment_intents/{intent.id}"
    origin = {"Origin": "https://shop.example"}
    keyed = {"key": PUBLISHABLE_KEY, "client_secret": intent.client_secret}
    seen = requests.get(url, params=keyed, headers=origin, timeout=5)
    assert seen.headers["Access-Control-Allow-Origin"] == "*"
    assert seen.json()["status"] == "requires_payment_method"
    assert "metadata" not in seen.json()
    wrong = requests.get(url, params=keyed | {"client_secret": f"{intent.id}_secret_x"}, timeout=5)
    assert wrong.status_code == 404
    assert requests.options(url, headers=origin, timeout=5).status_code == 204
    assert (
        requests.get(f"{standin.url}/_sandbox/ledger", headers=origin, timeout=5).status_code == 403
    )


def test_wire_details_match(client: Client, standin: StandIn) -> None:
    basic = base64.b64encode(f"{SECRET_KEY}:".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Stripe-Version": "2026-10-28.endive"}
    answer = requests.post(
        f"{standin.url}/v1/payment_intents",
        data="amount=700&currency=EUR&payment_method_types[]=card&metadata[a b]=%C3%A9&expand[]=customer",
        headers=headers,
        timeout=5,
    )
    intent = answer.json()
    assert (intent["currency"], intent["metadata"]) == ("eur", {"a b": "é"})
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"
    unknown = requests.get(f"{standin.url}/v1/nonsense", headers=headers, timeout=5)
    assert unknown.status_code == 404
    assert unknown.json()["error"]["message"].startswith("Unrecognized request URL (GET: /v1/")

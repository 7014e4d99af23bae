"""The providers' own libraries as judges of the stand-in: what they send and verify is the protocol."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any

import gocardless_pro  # type: ignore[import-untyped]
import requests
import truelayer_signing  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from gocardless_pro import webhooks

from tests.sandbox.bank.wires import (
    ACCESS_TOKEN,
    KID,
    SECRET,
    GoCardlessInbox,
    TrueLayer,
    TrueLayerInbox,
    pems,
)
from tests.sandbox.standin import StandIn


def test_request_signed_by_the_official_library_is_taken(
    truelayer: TrueLayer, key: ec.EllipticCurvePrivateKey
) -> None:
    body = json.dumps(truelayer.wanted())
    signature = (
        truelayer_signing.sign_with_pem(KID, pems(key)[0])
        .set_method(truelayer_signing.HttpMethod.POST)
        .set_path("/v3/payments")
        .add_header("Idempotency-Key", "official")
        .set_body(body)
        .sign()
    )
    made = requests.post(
        f"{truelayer.url}/v3/payments",
        data=body,
        headers={
            "Authorization": f"Bearer {truelayer.bearer}",
            "Content-Type": "application/json",
            "Idempotency-Key": "official",
            "Tl-Signature": signature,
        },
        timeout=10,
    )
    assert made.status_code == 201


class Judging(TrueLayerInbox):
    """Verifies with the official library."""

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        """Verify one delivery and return its event."""
        signature = headers["Tl-Signature"]
        head = truelayer_signing.extract_jws_header(signature)
        if head.jku != self.jku:
            self.problems.append(str(head.jku))
        keys = requests.get(self.jku, timeout=10).json()
        try:
            truelayer_signing.verify_with_jwks(keys, head).set_method(
                truelayer_signing.HttpMethod.POST
            ).set_path(self.path).add_headers(dict(headers.items())).set_body(body.decode()).verify(
                signature
            )
        except truelayer_signing.TlSigningException as problem:
            self.problems.append(repr(problem))
        return [json.loads(body)]


def test_webhook_verifies_with_the_official_library(bank: StandIn, truelayer: TrueLayer) -> None:
    with Judging() as inbox:
        inbox.jku = f"{bank.url}/.well-known/jwks"
        bank.control("PUT", "webhooks", {"wire": "truelayer", "url": inbox.url})
        payment = truelayer.pay()["id"]
        bank.control("POST", f"payments/{payment}/authorise", {})
        inbox.wait_for("payment_settled")


def test_official_client_of_gocardless_finds_everything_where_it_looks(bank: StandIn) -> None:
    client = gocardless_pro.Client(access_token=ACCESS_TOKEN, base_url=bank.url)
    asked = {"payment_request": {"description": "Order 1", "amount": 12_300, "currency": "GBP"}}
    same = {"Idempotency-Key": "same"}
    request = client.billing_requests.create(asked, headers=same)
    assert client.billing_requests.create(asked, headers=same).id == request.id
    flow = client.billing_request_flows.create(
        {"redirect_uri": "http://127.0.0.1:9/", "links": {"billing_request": request.id}}
    )
    assert flow.authorisation_url.startswith(bank.url)
    bank.control("POST", f"payments/{request.id}/authorise", {})
    payment = client.billing_requests.get(request.id).links.payment_request_payment
    assert client.payments.get(payment).status == "confirmed"
    refund = client.refunds.create(
        {"amount": 300, "total_amount_confirmation": 300, "links": {"payment": payment}}
    )
    bank.control("POST", f"refunds/{refund.id}/execute")
    assert client.refunds.get(refund.id).status == "paid"
    bank.control("POST", "payouts")
    (payout,) = client.payouts.all()
    items = list(client.payout_items.all({"payout": payout.id}))
    assert sum(int(float(item.amount)) for item in items) == payout.amount
    assert [each.id for each in client.payments.all({"limit": 1})] == [payment]
    causes = {event.details.cause for event in client.events.all({"limit": 2})}
    assert {"billing_request_fulfilled", "payment_confirmed", "payment_paid_out"} <= causes


def test_official_client_raises_its_own_errors(bank: StandIn) -> None:
    client = gocardless_pro.Client(
        access_token=ACCESS_TOKEN, base_url=bank.url, raise_on_idempotency_conflict=True
    )
    asked = {"payment_request": {"description": "Order 1", "amount": 5, "currency": "GBP"}}
    client.billing_requests.create(asked, headers={"Idempotency-Key": "k"})
    errors: list[Any] = []
    for headers, params in (({"Idempotency-Key": "k"}, asked), ({}, {}), ({}, asked | {"x": 1})):
        try:
            client.billing_requests.create(params, headers=headers)
        except gocardless_pro.errors.ApiError as error:
            errors.append(type(error).__name__)
    assert errors == ["IdempotentCreationConflictError", "ValidationFailedError"]


def test_batch_parses_with_the_official_library(
    bank: StandIn, gocardless_inbox: GoCardlessInbox
) -> None:
    client = gocardless_pro.Client(access_token=ACCESS_TOKEN, base_url=bank.url)
    client.billing_requests.create(
        {"payment_request": {"description": "Order 1", "amount": 5, "currency": "GBP"}}
    )
    gocardless_inbox.wait_for("billing_requests.created")

    def kept(_: object) -> bool:
        return bool(next(iter(client.webhooks.all())).request_headers)

    gocardless_inbox.wait(kept)
    (webhook,) = client.webhooks.all()
    signature = webhook.request_headers["Webhook-Signature"]
    (event,) = webhooks.parse(webhook.request_body, SECRET, signature)
    assert (event.resource_type, event.action) == ("billing_requests", "created")

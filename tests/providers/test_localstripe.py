"""The same flow against somebody else's Stripe: localstripe, which we neither wrote nor shaped.

It speaks an old API version, has no idempotency, sends each webhook once, and omits fields; so every
event is only a hint here, and the product asks for the object before anything moves.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import stripe
from flask import Flask

from domain.books import verification
from tests.api.personas import Persona, user
from tests.rig import environment, ports, process, product
from tests.rig.process import Running


def start_localstripe(processes: product.Processes) -> Running:
    """Start it as a process of its own; its code is used by the suite and by nothing else."""
    port = ports.free_port()
    running = process.command(
        processes.run,
        "localstripe",
        [sys.executable, "-m", "localstripe.server", "--from-scratch", "--port", str(port)],
        env=environment.surroundings(),
        ready=process.answers("/js.stripe.com/v3/"),
        url=f"http://127.0.0.1:{port}",
    )
    processes.started.append(running)
    return running.start()


def call(url: str, *, body: object = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json"} | (headers or {}),
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def until(seen: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def pay(api: stripe.StripeClient, intent: str) -> None:
    card: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2035, "cvc": "123"}
    method = api.v1.payment_methods.create({"type": "card", "card": card})
    api.v1.payment_intents.update(intent, {"payment_method": method.id})
    api.v1.payment_intents.confirm(intent)


def begin(web: Running, buyer: Persona, name: str) -> tuple[str, Any]:
    money = {"amount": "125.00", "currency": "EUR"}
    wanted = {"description": "Oak table", "total": money, "deposit": money | {"amount": "25.00"}}
    headers = buyer.headers | {"Idempotency-Key": f"order-{name}"}
    order = call(f"{web.url}/api/orders", body=wanted, headers=headers)
    headers = buyer.headers | {"Idempotency-Key": f"intent-{name}"}
    body = {"orderId": order["orderId"]}
    return order["orderId"], call(f"{web.url}/api/payments/intents", body=body, headers=headers)


def test_a_deposit_is_paid_and_booked_through_localstripe(
    app: Flask, database_url: str, processes: product.Processes
) -> None:
    standing_in = start_localstripe(processes)
    rail: dict[str, Any] = product.stripe_settings(standing_in.url)
    web = processes.web(database_url, **rail)
    processes.worker(database_url, **rail)
    hook = {"url": f"{web.url}/api/webhooks/stripe", "secret": product.STRIPE_WEBHOOK_SECRET}
    call(f"{standing_in.url}/_config/webhooks/paydesk", body=hook)
    with app.app_context():
        buyer = user("bo@example.com")
    order_id, intent = begin(web, buyer, "localstripe-1")
    api = stripe.StripeClient(product.STRIPE_KEY, base_addresses={"api": standing_in.url})
    pay(api, intent["providerReference"])
    payment = f"{web.url}/api/payments/{intent['paymentId']}"
    until(lambda: call(payment, headers=buyer.headers)["status"] == "completed")
    order = call(f"{web.url}/api/orders/{order_id}", headers=buyer.headers)
    assert (order["status"], order["paid"]) == (
        "DepositPaid",
        {"amount": "25.00", "currency": "EUR"},
    )
    assert verification.verify().ok

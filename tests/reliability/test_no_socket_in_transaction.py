"""No socket is used while a transaction is open: a slow provider never holds a lock of ours."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from core import clock
from core.states import Role
from domain import database
from domain.actors import system
from domain.inbox import replays
from domain.jobs import janitor, worker
from domain.reconciliation import reconciling
from providers import registry
from tests.api import personas
from tests.reliability import clients
from tests.reliability.clients import Provider, new_key
from tests.reliability.stage import let_hours_pass
from tests.rig import product
from tests.rig.process import Running

# The stand-in's own talk: connecting and sending are what must not happen inside a transaction.
WATCHED = ("connect", "connect_ex", "send", "sendall", "sendto", "sendmsg")


class Watch:
    """Counts what goes over the network, and refuses it inside a transaction."""

    def __init__(self) -> None:
        self.count = 0
        self.breaches: list[str] = []

    def over(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(own: socket.socket, *args: Any) -> Any:
            if own.family in (socket.AF_INET, socket.AF_INET6):
                self.count += 1
                if database.is_open():
                    self.breaches.append(name)
            return real(own, *args)

        return watched


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    for name in WATCHED:
        monkeypatch.setattr(socket.socket, name, watch.over(name, getattr(socket.socket, name)))
    return watch


@pytest.fixture
def standin(start_stripe: Callable[..., Running]) -> Running:
    return start_stripe()


@pytest.fixture
def environ(environ: dict[str, str], standin: Running) -> dict[str, str]:
    """The settings of `app`, with the card rail at the stand-in."""
    return environ | product.stripe_settings(standin.url) | {"STRIPE_TIMEOUT_SECONDS": "2"}


def test_the_whole_life_of_payments_uses_no_socket_inside_a_transaction(
    client: FlaskClient, standin: Running, watching: Watch
) -> None:
    provider = Provider(standin.url, "")
    token = personas.user("bo@people.test", role=Role.BUYER).token
    reason = {"reason": "the buyer asks"}

    def post(path: str, document: Mapping[str, object], *wanted: int) -> dict[str, Any]:
        before = watching.count
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": new_key()}
        answer = client.post(path, json=document, headers=headers)
        assert answer.status_code in wanted, answer.text
        if path != "/api/orders":
            assert watching.count > before, "the call was not seen"
        found: dict[str, Any] = answer.get_json()
        return found

    def order() -> str:
        total = {"amount": "25.00", "currency": "EUR"}
        return str(post("/api/orders", {"description": "Lamp", "total": total}, 201)["orderId"])

    def deliver_new() -> None:
        for event in provider.events():
            body = clients.json_of(event)
            headers = {"Stripe-Signature": clients.signed(body)}
            answer = client.post(product.STRIPE_WEBHOOK_PATH, data=body, headers=headers)
            assert answer.status_code == 200

    paid = post("/api/payments/intents", {"orderId": order()}, 201)
    provider.pay(paid["providerReference"])
    checkout = {"orderId": order(), "successUrl": "http://localhost:8000/back"}
    post("/api/payments/stripe/checkout-session", checkout, 201)
    cancelled = post("/api/payments/intents", {"orderId": order()}, 201)
    post(f"/api/payments/{cancelled['paymentId']}/cancel", reason, 200)
    provider.fault({"op": "payment_intents.create", "kind": "timeout_after_effect", "times": 2})
    post("/api/payments/intents", {"orderId": order()}, 202)
    deliver_new()
    assert worker.work_until_idle() > 0
    let_hours_pass(database.engine())
    while janitor.finish_operation() or janitor.check_payment():
        pass
    rail = registry.configured("stripe")
    reconciling.reconcile(rail, since=clock.after(-3600), actor=system("operator"))
    for inbound_id in _inbound_ids():
        replays.preview(inbound_id, actor=system("operator"))
    assert watching.breaches == []


def _inbound_ids() -> list[str]:
    with database.engine().connect() as connection:
        return list(connection.scalars(text("select id from inbound_events")))

"""Paying over the API in tests: orders and payments made by calls, Stripe's events signed and delivered."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from core import clock, ids
from core.strictjson import Json
from domain.actors import system
from domain.database import reading, transaction
from domain.jobs import worker
from domain.payments import marking
from domain.payments.marking import Wanted
from domain.refunds import refunds
from domain.secrets import secrets
from domain.transitions import Why
from models.disputes import Dispute
from providers import registry
from providers.stripe import sdk
from tests.domain.world import FakeRail

WEBHOOK_SECRET = "whsec_till"
WEBHOOK = "/api/webhooks/stripe"
_keys = itertools.count(1)


class Caller(Protocol):
    """Whoever calls: a person with a token, or a key."""

    @property
    def headers(self) -> dict[str, str]: ...


def fresh_key() -> str:
    """Give an Idempotency-Key that nobody has used."""
    return f"till-key-{next(_keys):06d}"


def signature(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    """Sign a body as Stripe does."""
    stamp = clock.unix() if at is None else at
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={mac}"


@dataclass
class Till:
    """The app with a rail that answers from memory."""

    app: Flask
    rail: FakeRail = field(default_factory=FakeRail)

    @classmethod
    def open(cls, app: Flask) -> Till:
        """Put a fake rail in Stripe's place, and a secret that signs its events."""
        till = cls(app)
        given = dict(registry.get("stripe").given_secrets)
        till.rail.given_secrets = given | {"webhook": [WEBHOOK_SECRET]}
        registry._built["stripe"] = till.rail  # type: ignore[assignment]
        secrets.configure(app.config["PAYDESK"])
        return till

    def get(self, path: str, who: Caller) -> TestResponse:
        return self.app.test_client().get(path, headers=who.headers)

    def post(
        self, path: str, who: Caller, body: object = None, *, key: str | None = None
    ) -> TestResponse:
        """Post JSON under a key of its own, unless one is given; an empty one sends none."""
        headers = dict(who.headers)
        name = fresh_key() if key is None else key
        if name:
            headers["Idempotency-Key"] = name
        return self.app.test_client().post(path, json=body, headers=headers)

    def order(self, who: Caller, **more: object) -> dict[str, Any]:
        """Make an order of 125.00 EUR with a deposit of 25.00, unless told otherwise."""
        body = {
            "description": "Oak table",
            "total": {"amount": "125.00", "currency": "EUR"},
            "deposit": "25.00",
        }
        answer = self.post("/api/orders", who, body | more)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def intent(self, who: Caller, order_id: str, **more: object) -> dict[str, Any]:
        """Start a payment of an order."""
        answer = self.post("/api/payments/intents", who, {"orderId": order_id} | more)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def payment(self, who: Caller, **order: object) -> dict[str, Any]:
        """Make an order and start its payment."""
        made = self.order(who, **order)
        return self.intent(who, made["orderId"])

    def event(self, kind: str, payment: dict[str, Any], **changes: object) -> bytes:
        """Write an event about a payment's intent; the rail's record changes with it."""
        record = self.rail.intents[payment["providerReference"]]
        record.update(changes)
        event = {
            "id": ids.new("evt"),
            "object": "event",
            "type": kind,
            "created": clock.unix(),
            "livemode": False,
            "api_version": sdk.API_VERSION,
            "pending_webhooks": 1,
            "data": {"object": dict(record)},
        }
        return json.dumps(event).encode()

    def deliver(self, body: bytes, **headers: str) -> TestResponse:
        """Post a body to the webhook door, signed now unless told otherwise."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Stripe-Signature": signature(body), "Content-Type": "application/json"} | named
        return self.app.test_client().post(WEBHOOK, data=body, headers=named)

    def work(self) -> None:
        """Let the worker do what is due."""
        worker.work_until_idle()

    def settle(self, payment: dict[str, Any]) -> bytes:
        """Have the provider say that a payment succeeded, and apply it. Gives the event."""
        amount = self.rail.intents[payment["providerReference"]]["amount"]
        body = self.event(
            "payment_intent.succeeded", payment, status="succeeded", amount_received=amount
        )
        assert self.deliver(body).status_code == 200
        self.work()
        return body

    def dispute(self, payment: dict[str, Any], amount: int = 2_500) -> str:
        """Have the payer's bank ask for money of a payment back, and hear of it. Gives the dispute's id."""
        record = self.rail.dispute(payment["providerReference"], amount)
        self.tell_dispute(str(record["id"]))
        with reading() as session:
            own = Dispute.provider_reference == record["id"]
            return str(session.scalars(select(Dispute.id).where(own)).one())

    def tell_dispute(self, name: str, kind: str = "created", **changes: Json) -> None:
        """Have the provider tell how a dispute stands now."""
        record = self.rail.disputes[name]
        record.update(changes)
        event = {
            "id": ids.new("evt"),
            "object": "event",
            "type": f"charge.dispute.{kind}",
            "created": clock.unix(),
            "livemode": False,
            "api_version": sdk.API_VERSION,
            "data": {"object": dict(record)},
        }
        assert self.deliver(json.dumps(event).encode()).status_code == 200
        self.work()

    def mark(self, payment: dict[str, Any]) -> None:
        """Mark a payment as completed by hand, as two people agreed."""
        wanted = Wanted("completed", payment["providerReference"])
        why = Why(system("test"), "approval:apr_test", "Seen at the bank")
        with transaction() as session:
            locked = refunds.lock_payment(session, payment["paymentId"])
            marking.mark(session, locked, wanted, why=why)


def code(answer: TestResponse) -> str:
    """Give the error code of a refusal."""
    assert answer.json is not None, answer.text
    return str(answer.json["error"]["code"])


def fields(answer: TestResponse) -> list[str]:
    """Give the fields that a refusal names."""
    assert answer.json is not None, answer.text
    return [each["field"] for each in answer.json["error"]["details"]["fields"]]

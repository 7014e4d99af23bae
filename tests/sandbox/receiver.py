"""A receiver of Stripe's webhooks: verifies every live secret's signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import Message
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from tests.sandbox.inbox import Inbox

OLD, NEW = "whsec_old_secret", "whsec_new_secret"


class Receiver(Inbox):
    """Every event that arrived, in order."""

    path = "/hook?from=stripe"
    secrets: tuple[str, ...] = (OLD, NEW)

    def __init__(self) -> None:
        self.headers: list[str] = []
        self.on_event: Callable[[dict[str, Any]], None] | None = None
        super().__init__()

    def forget(self) -> None:
        """Start afresh."""
        super().forget()
        self.headers, self.on_event = [], None

    def types(self, object_id: str | None = None) -> list[str]:
        """Return the types that arrived, of one object or of all."""
        return [
            event["type"]
            for event in list(self.events)
            if object_id is None
            or object_id in (event["data"]["object"]["id"],
                             event["data"]["object"].get("payment_intent"))
        ]  # fmt: skip

    def read(self, body: bytes, headers: Message) -> list[dict[str, Any]]:
        """Verify one delivery and return its event."""
        signature = headers["Stripe-Signature"]
        for secret in self.secrets:
            try:
                WebhookSignature.verify_header(body.decode(), signature, secret, 300)
            except SignatureVerificationError as problem:
                self.problems.append(repr(problem))
        event = json.loads(body)
        if self.on_event is not None:
            self.on_event(event)
        self.headers.append(signature)
        return [event]

"""Stripe's own door on a fake rail: its constants, its secrets, its signature and the heads of its events."""

from __future__ import annotations

from collections.abc import Sequence

from providers.deliveries import Canary, Delivery, LiveSecret, Sent, Verified
from providers.stripe import secrets as stripe_secrets
from providers.stripe import wire
from providers.stripe.traits import StripeTraits


class FakeDoor(StripeTraits):
    """What a fake rail shares with Stripe's real one."""

    mode: str

    def verify(self, sent: Sent, *, secrets: Sequence[LiveSecret], now: int) -> Verified:
        return wire.verify(sent.body, sent.header(self.signed_by), secrets=secrets, now=now)

    def weakness(self, kind: str, value: str) -> str | None:
        return stripe_secrets.weakness(kind, value, mode=self.mode)

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:
        return stripe_secrets.canary(nonce, secret=secret, now=now)

    def read_deliveries(self, body: bytes) -> Sequence[Delivery]:
        return (wire.read_delivery(body),)

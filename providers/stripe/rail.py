"""Stripe behind the seam that every provider has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import stripe

from config import Settings
from core.errors import RailNotConfigured
from providers.seam import Created, Delivery, LiveSecret, NewPayment, Rail, Reading, Verified
from providers.stripe import calls, listing, reading, wire


@dataclass(frozen=True)
class StripeRail:
    """The card rail. mode: from the key's prefix, `test` or `live`."""

    mode: str
    publishable_key: str
    js_url: str
    client: stripe.StripeClient | None
    name: str = "stripe"
    rail: str = "card"
    label: str = "Stripe"
    body_limit: int = 256 * 1024
    # Stripe forgets keys after 24 h; an hour is left for clocks and slow calls.
    key_lifetime_seconds: int = 23 * 3600

    def _api(self) -> stripe.StripeClient:
        if self.client is None:
            raise RailNotConfigured(self.rail)
        return self.client

    def verify(
        self,
        body: bytes,
        headers: Callable[[str], str | None],
        *,
        secrets: Sequence[LiveSecret],
        now: int,
    ) -> Verified:
        """Check `Stripe-Signature`."""
        return wire.verify(body, headers("Stripe-Signature"), secrets=secrets, now=now)

    def read_delivery(self, body: bytes) -> Delivery:
        """Read an event's head."""
        return wire.read_delivery(body)

    def read_event(self, body: bytes) -> Reading:
        """Read what an event says."""
        return reading.read_event(wire.parse(body), api_version=calls.API_VERSION)

    def fetch(self, reference: str) -> Reading:
        """Ask for the present truth of an intent or session."""
        return calls.fetch(self._api(), reference)

    def create_intent(self, new: NewPayment, *, key: str) -> Created:
        """Create a payment intent."""
        return calls.create_intent(self._api(), new, key=key)

    def create_checkout(self, new: NewPayment, *, key: str) -> Created:
        """Create a checkout session."""
        return calls.create_checkout(self._api(), new, key=key)

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:
        """Look for what a call with a lost answer may have made."""
        return calls.find(self._api(), payment_id, since=since, method=method)

    def list_payments(self, *, since: datetime) -> Iterator[Reading]:
        """List payment intents, then checkout sessions."""
        return listing.list_payments(self._api(), since=since)

    def cancel(self, reference: str, *, key: str) -> Reading:
        """Cancel an intent or expire a session."""
        return calls.cancel(self._api(), reference, key=key)


def build(settings: Settings) -> Rail:
    """Build the card rail from the environment's keys; without a secret key it is not configured."""
    wanted = settings.stripe
    key = wanted.secret_key.reveal()
    live = key.startswith(("sk_live_", "rk_live_")) or (not key and settings.is_production)
    return StripeRail(
        mode="live" if live else "test",
        publishable_key=wanted.publishable_key,
        js_url=wanted.js_url,
        client=calls.client(key, wanted.api_base, wanted.timeout_seconds) if key else None,
    )

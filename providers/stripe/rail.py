"""Stripe behind the seam that every provider has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import stripe

from config import Settings
from core.errors import RailNotConfigured
from core.money import Money
from providers.book_seam import Booking, SaidPayout
from providers.card_seam import SaidCard
from providers.coupon_seam import NewCoupon, SaidCoupon
from providers.deliveries import Canary, Delivery, LiveSecret, Sent, Verified
from providers.dispute_seam import Evidence
from providers.lacking import NoLinks
from providers.list_seam import Listing, ListPage
from providers.new_payment import Created, NewPayment
from providers.said import Oddity, Reading
from providers.seam import Keys, Rail
from providers.stripe import (
    bookings,
    calls,
    coupons,
    customers,
    disputes,
    listing,
    reading,
    sdk,
    secrets,
    setups,
    wire,
)
from providers.stripe.traits import StripeTraits
from providers.values import parse

# A key that has just been replaced may still be in the hands of a call.
_MOST_CLIENTS = 4


@dataclass(frozen=True)
class StripeRail(StripeTraits, NoLinks):
    """The card rail. mode: from the key's prefix, `test` or `live`.

    keys: gives the API key as it is now, told whether a call is about to be made with it.
    """

    mode: str
    publishable_key: str
    js_url: str
    keys: Keys
    connect: Callable[[str], stripe.StripeClient]
    is_stand_in: bool = False
    hosts: Sequence[str] = (".stripe.com",)
    given_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    _clients: dict[str, stripe.StripeClient] = field(default_factory=dict, repr=False)

    @property
    def is_configured(self) -> bool:
        """Whether there is a key to call with."""
        return bool(self.keys("provider_key", False))

    def _api(self) -> stripe.StripeClient:
        key = self.keys("provider_key", True)
        if not key:
            raise RailNotConfigured(self.rail)
        client = self._clients.get(key)
        if client is None:
            if len(self._clients) >= _MOST_CLIENTS:
                self._clients.clear()
            client = self._clients[key] = self.connect(key)
        return client

    def weakness(self, kind: str, value: str) -> str | None:
        """Say why a value cannot be Stripe's."""
        return secrets.weakness(kind, value, mode=self.mode)

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:
        """Sign a probe as Stripe signs an event."""
        return secrets.canary(nonce, secret=secret, now=now)

    def verify(
        self,
        sent: Sent,
        *,
        secrets: Sequence[LiveSecret],
        now: int,
    ) -> Verified:
        """Check `Stripe-Signature`."""
        return wire.verify(sent.body, sent.header(self.signed_by), secrets=secrets, now=now)

    def read_deliveries(self, body: bytes) -> Sequence[Delivery]:
        """Read an event's head; Stripe sends each by itself."""
        return (wire.read_delivery(body),)

    def read_event(self, body: bytes) -> Reading:
        """Read what an event says."""
        return reading.read_event(parse(body), api_version=sdk.API_VERSION)

    def fetch(self, reference: str) -> Reading:
        """Ask for the present truth of an intent, session, setup or invoice."""
        if reference.startswith(coupons.PREFIX):
            return coupons.fetch(self._api(), reference)
        if reference.startswith(setups.PREFIX):
            return setups.fetch_setup(self._api(), reference)
        if reference.startswith(setups.CARD_PREFIXES):
            return setups.fetch_kept(self._api(), reference)
        return calls.fetch(self._api(), reference)

    def create_intent(self, new: NewPayment, *, key: str) -> Created:
        """Create a payment intent."""
        return calls.create_intent(self._api(), new, key=key)

    def create_checkout(self, new: NewPayment, *, key: str) -> Created:
        """Create a checkout session."""
        return calls.create_checkout(self._api(), new, key=key)

    def create_setup(self, new: NewPayment, *, key: str) -> Created:
        """Create a setup intent."""
        return setups.create_setup(self._api(), new, key=key)

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:
        """Look for what a call with a lost answer may have made."""
        if method == "invoice":
            return coupons.find_made(self._api(), payment_id, since=since)
        if method == "setup":
            return setups.find_setup(self._api(), payment_id, since=since)
        return calls.find(self._api(), payment_id, since=since, method=method)

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        """List one page of what pays, of refunds or of disputes."""
        return listing.list_page(self._api(), what, since=since, until=until, after=after)

    def cancel(self, reference: str, *, key: str) -> Reading:
        """Cancel an intent, expire a session or void an invoice."""
        if reference.startswith(coupons.PREFIX):
            return coupons.void(self._api(), reference, key=key)
        if reference.startswith(setups.PREFIX):
            return setups.cancel_setup(self._api(), reference, key=key)
        return calls.cancel(self._api(), reference, key=key)

    def capture(self, reference: str, amount: Money, *, key: str) -> Reading:
        """Take what is held on a card, or a part of it."""
        return calls.capture(self._api(), reference, amount, key=key)

    def refund(
        self, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
    ) -> Reading:
        """Give money back to the card that paid."""
        return calls.refund(self._api(), reference, amount, key=key, metadata=metadata)

    def find_refund(self, reference: str, refund_id: str) -> Reading | None:
        """Look among a payment's refunds for ours."""
        return calls.find_refund(self._api(), reference, refund_id)

    def create_customer(self, user_id: str, *, key: str, demo: bool) -> str:
        """Create a customer for one of our people."""
        return customers.create_customer(self._api(), user_id, key=key, demo=demo)

    def find_customer(self, user_id: str, *, since: datetime) -> str | None:
        """Look for what a call with a lost answer may have made of somebody."""
        return customers.find_customer(self._api(), user_id, since=since)

    def fetch_card(self, reference: str) -> SaidCard:
        """Ask what is known of a card now."""
        return customers.fetch_card(self._api(), reference)

    def list_cards(self, customer: str) -> Sequence[SaidCard]:
        """List a customer's cards."""
        return customers.list_cards(self._api(), customer)

    def prefer_card(self, customer: str, reference: str, *, key: str) -> None:
        """Make a card the default one."""
        customers.prefer_card(self._api(), customer, reference, key=key)

    def forget_card(self, reference: str, *, key: str) -> None:
        """Detach a card."""
        customers.forget_card(self._api(), reference, key=key)

    def fetch_dispute(self, reference: str) -> Reading:
        """Ask for a dispute's present truth."""
        return disputes.fetch(self._api(), reference)

    def submit_evidence(self, reference: str, evidence: Evidence, *, key: str) -> Reading:
        """Hand evidence to the payer's bank."""
        return disputes.submit(self._api(), reference, evidence, key=key)

    def close_dispute(self, reference: str, *, key: str) -> Reading:
        """Give a dispute up."""
        return disputes.close(self._api(), reference, key=key)

    def list_bookings(self, *, since: datetime, until: datetime) -> Iterator[Booking | Oddity]:
        """List balance transactions."""
        return bookings.list_bookings(self._api(), since=since, until=until)

    def list_payouts(self, *, since: datetime, until: datetime) -> Iterator[SaidPayout | Oddity]:
        """List payouts to our bank."""
        return bookings.list_payouts(self._api(), since=since, until=until)

    def bookings_of_payout(self, reference: str) -> Iterator[Booking | Oddity]:
        """List the balance transactions of one payout."""
        return bookings.bookings_of_payout(self._api(), reference)

    def find_coupon(self, text: str, *, customer: str | None) -> SaidCoupon | None:
        """Find a coupon by its promotion code or id."""
        return coupons.find(self._api(), text, customer=customer)

    def apply_coupon(self, new: NewCoupon, *, key: str) -> Created:
        """Turn a coupon into credit, through an invoice that it covers."""
        return coupons.apply(self._api(), new, key=key)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def build(settings: Settings, keys: Keys | None = None) -> Rail:
    """Build the card rail. keys: where its API key comes from; None: the environment's.

    The mode is the environment's: a key of the other one is never taken.
    """
    wanted = settings.stripe
    key = wanted.secret_key.reveal()
    live = key.startswith(("sk_live_", "rk_live_")) or (not key and settings.is_production)
    is_stand_in = wanted.api_base != sdk.API
    return StripeRail(
        mode="live" if live else "test",
        publishable_key=wanted.publishable_key,
        js_url=wanted.js_url,
        keys=keys or (lambda *_: key),
        is_stand_in=is_stand_in,
        hosts=(_origin_of(wanted.js_url),) if is_stand_in else (".stripe.com",),
        given_secrets={
            "webhook": [wanted.webhook_secret.reveal()],
            "provider_key": [key],
        },
        connect=lambda held: sdk.client(held, wanted.api_base, wanted.timeout_seconds),
    )

"""What every provider offers to the domain: verify, read, call; in our words, with our errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from core.money import Money
from providers.book_seam import BookKeeper
from providers.card_seam import CardKeeper
from providers.coupon_seam import CouponKeeper
from providers.deliveries import Canary, Delivery, LiveSecret, Sent, Verified
from providers.dispute_seam import DisputeKeeper
from providers.list_seam import ListKeeper
from providers.new_payment import Created, NewPayment
from providers.said import Reading

# A provider's own secret as it is now: its kind, and whether a call is about to be made with it.
Keys = Callable[[str, bool], str | None]


class Rail(CardKeeper, CouponKeeper, DisputeKeeper, BookKeeper, ListKeeper, Protocol):
    """One provider.

    Raises, from every call: ProviderRefused (final), ProviderUnavailable (it did nothing),
    ProviderUnknown (we do not know).
    """

    @property
    def name(self) -> str:
        """Its name in rows, routes and the registry."""
        ...

    @property
    def rail(self) -> str:
        """The kind of rail it serves, such as `card`."""
        ...

    @property
    def label(self) -> str:
        """Its name for people."""
        ...

    @property
    def mode(self) -> str:
        """`test` or `live`."""
        ...

    @property
    def is_configured(self) -> bool:
        """Whether calls can be made at all."""
        ...

    @property
    def set_by(self) -> str:
        """The setting without which it cannot be called."""
        ...

    @property
    def publishable_key(self) -> str:
        """The key that the payer's browser may hold; empty when it needs none."""
        ...

    @property
    def js_url(self) -> str:
        """The script that the payer's browser loads; empty when there is none."""
        ...

    @property
    def is_stand_in(self) -> bool:
        """Whether somebody else than the provider itself answers, so that no money of anybody's moves."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """What kinds of payments it makes: `intent`, `checkout`, `setup`, `invoice`, `link`."""
        ...

    @property
    def currencies(self) -> frozenset[str] | None:
        """The codes of what it takes; None: whatever we know."""
        ...

    @property
    def names_payer(self) -> bool:
        """Whether it asks who pays, by name."""
        ...

    @property
    def reference_scheme(self) -> str | None:
        """By which rules it takes a bank reference; None when it takes none."""
        ...

    @property
    def returns_by(self) -> str | None:
        """The parameter by which it names its payment when it sends a payer back to one address for all;
        None when it sends each to their own.
        """
        ...

    @property
    def hosts(self) -> Sequence[str]:
        """Where its own pages for payers may lie: origins, or hosts that begin with a dot for all below."""
        ...

    @property
    def door(self) -> str:
        """Where its deliveries come in, below `/api/webhooks/`."""
        ...

    @property
    def signed_by(self) -> str:
        """The header that carries its signature, by which a shared door tells senders apart."""
        ...

    @property
    def taken_status(self) -> int:
        """What it takes for "stored": 200, or 204 without a body."""
        ...

    @property
    def refused_status(self) -> int:
        """What it asks to be told when a signature is wrong."""
        ...

    @property
    def body_limit(self) -> int:
        """The largest webhook body it sends, in bytes."""
        ...

    @property
    def key_lifetime_seconds(self) -> int:
        """How long it remembers an idempotency key, with a margin."""
        ...

    @property
    def given_secrets(self) -> Mapping[str, Sequence[str]]:
        """What the environment gave for each kind of its secrets, newest first.

        Kinds: `webhook`, `provider_key`, `signing_key`.
        """
        ...

    def verify(self, sent: Sent, *, secrets: Sequence[LiveSecret], now: int) -> Verified:
        """Check a delivery's signature. now: seconds since the epoch. Raises: BadSignature."""
        ...

    def weakness(self, kind: str, value: str) -> str | None:
        """Say why a value cannot be a secret of this provider and mode; None when it can.

        kind: one of those in `given_secrets`.
        """
        ...

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:
        """Sign a probe as the provider would sign an event. now: seconds since the epoch.

        Raises: ProviderRefused when it signs with a key that is not ours.
        """
        ...

    def read_deliveries(self, body: bytes) -> Sequence[Delivery]:
        """Read the heads of the events that were sent together. Raises: UnreadableDelivery."""
        ...

    def read_event(self, body: bytes) -> Reading:
        """Read what an event says. Raises: UnreadableDelivery, UnmappedProviderValue."""
        ...

    def fetch(self, reference: str) -> Reading:
        """Ask for an object's present truth. Calls: the provider."""
        ...

    def create_intent(self, new: NewPayment, *, key: str) -> Created:
        """Ask for a payment that the payer completes on our page, or charge or hold a kept card at once.

        Calls: the provider.
        """
        ...

    def create_checkout(self, new: NewPayment, *, key: str) -> Created:
        """Ask for a payment page at the provider. Calls: the provider."""
        ...

    def create_link(self, new: NewPayment, *, key: str) -> Created:
        """Ask for a page on which the payer agrees to it at their own bank. Calls: the provider."""
        ...

    def create_setup(self, new: NewPayment, *, key: str) -> Created:
        """Ask for a card to be proved and kept for its customer, without a charge. Calls: the provider."""
        ...

    def find(self, payment_id: str, *, since: datetime, method: str) -> Created | None:
        """Look for what an earlier call with a lost answer may have made. Calls: the provider."""
        ...

    def cancel(self, reference: str, *, key: str) -> Reading:
        """End an open payment at the provider. Calls: the provider."""
        ...

    def capture(self, reference: str, amount: Money, *, key: str) -> Reading:
        """Take an amount of what is held on a card; the rest is let go. Calls: the provider."""
        ...

    def refund(
        self, reference: str, amount: Money, *, key: str, metadata: Mapping[str, str]
    ) -> Reading:
        """Give money of a payment back to its payer. Calls: the provider."""
        ...

    def find_refund(self, reference: str, refund_id: str) -> Reading | None:
        """Look among a payment's refunds for ours, by our id in its metadata. Calls: the provider."""
        ...

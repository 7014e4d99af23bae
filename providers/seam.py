"""What every provider offers to the domain: verify, read, call; in our words, with our errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from core.fold import Fact
from core.money import Money
from providers.book_seam import BookKeeper
from providers.card_seam import CardKeeper, SaidCard
from providers.coupon_seam import CouponKeeper
from providers.dispute_seam import DisputeKeeper, SaidConcern, SaidDispute
from providers.list_seam import ListKeeper


@dataclass(frozen=True)
class LiveSecret:
    """A signing secret that may verify now. mode: `test` or `live`."""

    version_id: str
    value: str
    mode: str


# The type of our own probes; they move nothing, and no provider names an event so.
PROBE = "paydesk.probe"


@dataclass(frozen=True)
class Canary:
    """A signed delivery that says nothing of any payment. event_id: by which it is found when stored."""

    event_id: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Verified:
    """Which secret version signed a delivery, by which scheme."""

    version_id: str
    scheme: str
    mode: str


@dataclass(frozen=True)
class Delivery:
    """The head of one event: enough to store it once. key: what makes a redelivery the same."""

    key: str
    type: str
    event_id: str | None
    mode: str
    account: str
    reference: str | None
    said_at: datetime | None


class UnreadableDelivery(ValueError):
    """A signed body that cannot be an event; it is stored and quarantined."""


@dataclass(frozen=True)
class KeyedFact:
    """A fact with the permanent key of its effect."""

    key: str
    fact: Fact


@dataclass(frozen=True)
class SaidRefund:
    """What a provider says of one refund. reference: its name there; refund_id: our id in its metadata,
    None when somebody gave the money back without us; keyed: pending, succeeded or failed.
    """

    reference: str
    amount: Money
    keyed: KeyedFact
    refund_id: str | None = None
    # False: it moved nothing, as when what was held and not captured is let go.
    moved: bool = True


@dataclass(frozen=True)
class Oddity:
    """Something a person must see: a kind of case with a sentence."""

    kind: str
    subject: str
    sentence: str
    at_risk: Money | None = None


@dataclass(frozen=True)
class Reading:
    """What an event or a fetched object says, in our words.

    references: what the provider calls the payment, most certain first; links: further names to
    remember; receipt_url: the provider's own receipt; refunds: what was given back of it; disputes: what
    its bank asks back; fetch: why the object must be asked for before anything moves, or None; ignored:
    why the type has no effect here, or None.
    """

    references: Sequence[str] = ()
    payment_id: str | None = None
    facts: Sequence[KeyedFact] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    asset_code: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    # Until when its amount stays held on the card.
    hold_ends_at: datetime | None = None
    receipt_url: str | None = None
    oddities: Sequence[Oddity] = ()
    refunds: Sequence[SaidRefund] = ()
    disputes: Sequence[SaidDispute] = ()
    concerns: Sequence[SaidConcern] = ()
    # The card that was proved; and a kept card that is spoken of instead of any payment.
    card: SaidCard | None = None
    kept: SaidCard | None = None
    fetch: str | None = None
    ignored: str | None = None
    # Whether it is an invoice that speaks; then only a payment made as one is meant, and no other.
    is_invoice: bool = False
    # The account that the provider keeps for us has changed: its own bookings are read soon.
    books: bool = False
    # What is concluded at once when no payment of ours is meant, instead of waiting for one to appear.
    unowned: str | None = None


@dataclass(frozen=True)
class NewPayment:
    """What to ask a provider for. amount: what the buyer shall pay.

    type: source 002's word for a payment without an order; customer, card: the payer and the kept card as
    the provider calls them, to be charged or held at once.
    """

    payment_id: str
    operation_id: str
    order_id: str
    amount: Money
    description: str
    manual_capture: bool
    success_url: str | None = None
    cancel_url: str | None = None
    expires_at: datetime | None = None
    demo: bool = False
    type: str | None = None
    customer: str | None = None
    card: str | None = None


@dataclass(frozen=True)
class Created:
    """What the provider made: its name for it, what the payer needs, and what it says so far."""

    reference: str
    client_secret: str | None
    hosted_url: str | None
    expires_at: datetime | None
    reading: Reading


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
    def publishable_key(self) -> str:
        """The key that the payer's browser may hold."""
        ...

    @property
    def js_url(self) -> str:
        """The script that the payer's browser loads."""
        ...

    @property
    def body_limit(self) -> int:
        """The largest webhook body it sends, in bytes."""
        ...

    @property
    def key_lifetime_seconds(self) -> int:
        """How long it remembers an idempotency key, with a margin."""
        ...

    def verify(
        self,
        body: bytes,
        headers: Callable[[str], str | None],
        *,
        secrets: Sequence[LiveSecret],
        now: int,
    ) -> Verified:
        """Check a delivery's signature. Raises: BadSignature."""
        ...

    def weakness(self, kind: str, value: str) -> str | None:
        """Say why a value cannot be a secret of this provider and mode; None when it can.

        kind: `webhook` or `provider_key`.
        """
        ...

    def canary(self, nonce: str, *, secret: LiveSecret, now: int) -> Canary:
        """Sign a probe as the provider would sign an event. now: seconds since the epoch."""
        ...

    def read_delivery(self, body: bytes) -> Delivery:
        """Read an event's head. Raises: UnreadableDelivery."""
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

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
class Sent:
    """What somebody sent to our door, as it came. path: as they asked for it, without a query."""

    method: str
    path: str
    body: bytes
    header: Callable[[str], str | None]


@dataclass(frozen=True)
class Verified:
    """Which secret version signed a delivery, by which scheme. version_id: None when the signature is
    proved by a public key of the provider's, so that no secret of ours is in use.
    """

    version_id: str | None
    scheme: str
    mode: str


@dataclass(frozen=True)
class Delivery:
    """The head of one event: enough to store it once. key: what makes a redelivery the same.

    body: the event's own part of what was sent, when that holds several; None: all of it.
    """

    key: str
    type: str
    event_id: str | None
    mode: str
    account: str
    reference: str | None
    said_at: datetime | None
    body: bytes | None = None


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


# A provider's own secret as it is now: its kind, and whether a call is about to be made with it.
Keys = Callable[[str, bool], str | None]


@dataclass(frozen=True)
class Payer:
    """Who will pay, for a provider that asks for it; nothing of it is ever logged."""

    name: str = field(repr=False)
    email: str | None = field(repr=False)


@dataclass(frozen=True)
class NewPayment:
    """What to ask a provider for. amount: what the buyer shall pay.

    type: source 002's word for a payment without an order; customer, card: the payer and the kept card as
    the provider calls them, to be charged or held at once. return_url: where a payer's bank sends them back
    to; bank_reference: what the bank statement shall say, valid by the rail's scheme.
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
    return_url: str | None = None
    bank_reference: str | None = None
    payer: Payer | None = None


@dataclass(frozen=True)
class Created:
    """What the provider made: its name for it, what the payer needs, and what it says so far.

    is_whole: False when it was found and the payer's page is still to be made; the same call goes on with it.
    """

    reference: str
    client_secret: str | None
    hosted_url: str | None
    expires_at: datetime | None
    reading: Reading
    is_whole: bool = True


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

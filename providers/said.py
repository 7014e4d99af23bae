"""What a provider says, in our words: facts, refunds, disputes, oddities, and all of it together as one reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.fold import Fact
from core.money import Money
from providers.card_seam import SaidCard


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
class DisputedFunds:
    """What a provider says one booking of a dispute moved. keyed: dispute_withdrawn, dispute_reinstated
    or dispute_fee; amount: of the disputed money, None for a fee alone; fee: what it cost, negative
    when it was given back.
    """

    keyed: KeyedFact
    amount: Money | None
    fee: Money | None


@dataclass(frozen=True)
class SaidDispute:
    """What a provider says of one dispute. status: a word of `core.disputes`; submissions: how often
    evidence was handed in, by whomever; is_present: it was asked for, so it is no older than the question.
    """

    reference: str
    amount: Money
    status: str
    reason: str | None
    said_at: datetime
    opened_at: datetime
    evidence_due_at: datetime | None = None
    submissions: int = 0
    funds: Sequence[DisputedFunds] = ()
    is_present: bool = False


@dataclass(frozen=True)
class SaidConcern:
    """Why a provider would not let go of a payment's money yet. kind: EARLY_FRAUD_WARNING or
    PAYMENT_REVIEW; is_over: whether the provider says that it is settled.
    """

    kind: str
    reference: str
    sentence: str
    is_over: bool = False


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

"""What a provider says of disputes and of payments it distrusts, and how one is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from core.money import Money

if TYPE_CHECKING:
    from providers.seam import KeyedFact, Reading


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
class EvidenceFile:
    """One file for the bank. name, media: as it is called and what it is."""

    name: str
    media: str
    body: bytes


@dataclass(frozen=True)
class Evidence:
    """What is handed in to answer a dispute; nothing of it is ever logged."""

    product_description: str | None = field(default=None, repr=False)
    customer_communication: str | None = field(default=None, repr=False)
    service_date: str | None = field(default=None, repr=False)
    uncategorized_text: str | None = field(default=None, repr=False)
    files: Sequence[EvidenceFile] = field(default=(), repr=False)


class DisputeKeeper(Protocol):
    """Disputes at one provider. Raises, from every call: the provider errors of the seam."""

    def fetch_dispute(self, reference: str) -> Reading:
        """Ask for a dispute's present truth. Calls: the provider."""
        ...

    def submit_evidence(self, reference: str, evidence: Evidence, *, key: str) -> Reading:
        """Hand evidence to the payer's bank, once and for all. Calls: the provider."""
        ...

    def close_dispute(self, reference: str, *, key: str) -> Reading:
        """Give a dispute up for good. Calls: the provider."""
        ...

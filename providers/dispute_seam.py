"""How a dispute is answered at its provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from providers.said import Reading


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

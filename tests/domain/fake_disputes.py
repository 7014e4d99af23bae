"""Disputes at the fake rail: records as Stripe writes them, evidence and giving up answered from memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from core import clock
from core.errors import ProviderRefused
from core.strictjson import Json
from providers.dispute_seam import Evidence
from providers.list_seam import Listed
from providers.said import Reading
from providers.stripe import disputes

_numbers = itertools.count(1)


@dataclass
class FakeDisputes:
    """What a bank asks back, and what it was told. handed_in: all evidence, in the order it came."""

    disputes: dict[str, dict[str, Json]] = field(default_factory=dict)
    dispute_keys: dict[str, str] = field(default_factory=dict)
    handed_in: list[Evidence] = field(default_factory=list)

    def _scripted(self, call: str) -> Exception | None:
        """The rail that this is a part of knows which calls shall fail."""
        raise AssertionError(call)

    def dispute(self, reference: str, amount: int, **more: Json) -> dict[str, Json]:
        """Have a payment's bank ask for money back; the record is the provider's own truth."""
        name = f"dp_{next(_numbers)}"
        self.disputes[name] = disputed(name, reference, amount) | more
        return self.disputes[name]

    def said_of(self, record: Mapping[str, object]) -> Reading:
        return disputes.read_dispute(dict(record), said_at=clock.now())  # type: ignore[arg-type]

    def fetch_dispute(self, reference: str) -> Reading:
        if error := self._scripted("fetch_dispute"):
            raise error
        return self.said_of(self.disputes[reference])

    def submit_evidence(self, reference: str, evidence: Evidence, *, key: str) -> Reading:
        error = self._scripted("submit_evidence")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        record = self.disputes[reference]
        if key not in self.dispute_keys:
            if record["status"] not in ("needs_response", "warning_needs_response"):
                raise ProviderRefused("The dispute cannot be answered any more.")
            self.dispute_keys[key] = reference
            self.handed_in.append(evidence)
            details = dict(record["evidence_details"]) | {"submission_count": 1}  # type: ignore[arg-type]
            is_asked = str(record["status"]).startswith("warning")
            status = "warning_under_review" if is_asked else "under_review"
            record |= {"status": status, "evidence_details": details}
        if error is not None:
            raise error
        return self.said_of(record)

    def close_dispute(self, reference: str, *, key: str) -> Reading:
        error = self._scripted("close_dispute")
        if error is not None and not getattr(error, "after_effect", False):
            raise error
        if key not in self.dispute_keys:
            self.dispute_keys[key] = reference
            self.disputes[reference] |= {"status": "lost"}
        if error is not None:
            raise error
        return self.said_of(self.disputes[reference])

    def listed_disputes(self) -> list[Listed]:
        return [
            Listed(name, self.said_of(record), clock.from_unix(int(str(record["created"]))))
            for name, record in self.disputes.items()
        ]


def disputed(name: str, reference: str, amount: int) -> dict[str, Json]:
    """Make a dispute as Stripe writes it."""
    return {
        "id": name,
        "object": "dispute",
        "amount": amount,
        "currency": "eur",
        "charge": None,
        "payment_intent": reference,
        "created": clock.unix(),
        "reason": "fraudulent",
        "status": "needs_response",
        "balance_transactions": [],
        "evidence_details": {
            "due_by": clock.unix() + 7 * 86_400,
            "submission_count": 0,
            "has_evidence": False,
            "past_due": False,
        },
    }

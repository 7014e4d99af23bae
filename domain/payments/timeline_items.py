"""One thing that happened to a payment or an order, as every timeline holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Item:
    """One thing that happened. lane: provider, us or books; references: name → value to copy."""

    at: datetime
    lane: str
    kind: str
    text: str
    actor: str | None = None
    reason: str | None = None
    references: dict[str, str] = field(default_factory=dict)
    payment_id: str | None = None
    level: str = "plain"

"""Tables: columns, constraints, indexes. No rules, no queries, no network.

Importing this package registers every table with `Base.metadata`.
"""

from __future__ import annotations

from models import (
    audit,
    cards,
    cases,
    control,
    disputes,
    effects,
    events,
    idempotency,
    inbound,
    ledger,
    operations,
    orders,
    payments,
    people,
    presence,
    proofs,
    refunds,
    secrets,
)
from models.base import Base

__all__ = [
    "Base",
    "audit",
    "cards",
    "cases",
    "control",
    "disputes",
    "effects",
    "events",
    "idempotency",
    "inbound",
    "ledger",
    "operations",
    "orders",
    "payments",
    "people",
    "presence",
    "proofs",
    "refunds",
    "secrets",
]

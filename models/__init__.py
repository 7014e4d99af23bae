"""Tables: columns, constraints, indexes. No rules, no queries, no network.

Importing this package registers every table with `Base.metadata`.
"""

from __future__ import annotations

from models import (
    audit,
    cards,
    cases,
    control,
    delays,
    disputes,
    effects,
    events,
    idempotency,
    inbound,
    invoices,
    ledger,
    operations,
    orders,
    payments,
    people,
    periods,
    personal,
    presence,
    proofs,
    reconciliation,
    refunds,
    secrets,
    statements,
    watch,
)
from models.base import Base

__all__ = [
    "Base",
    "audit",
    "cards",
    "cases",
    "control",
    "delays",
    "disputes",
    "effects",
    "events",
    "idempotency",
    "inbound",
    "invoices",
    "ledger",
    "operations",
    "orders",
    "payments",
    "people",
    "periods",
    "personal",
    "presence",
    "proofs",
    "reconciliation",
    "refunds",
    "secrets",
    "statements",
    "watch",
]

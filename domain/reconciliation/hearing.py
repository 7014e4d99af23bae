"""Hearing what a provider's object says and was missed here: rehearsed for people, or applied, one at a time.

Both are the settle path itself; a rehearsal is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chart, hashing
from core.money import Money, asset
from domain import database, pending
from domain.payments import settlement
from domain.transitions import Why
from models.events import EventLog
from models.ledger import JournalEntry, Posting
from models.payments import Payment, StateChange
from providers.said import Reading

_SEEN = ("status", "sub_state", "received_minor", "capturable_minor", "provider_code")


@dataclass(frozen=True)
class Heard:
    """What a reading does to its payment. text: sentences for people; hash: the same for a comparison,
    without what is other each time, such as the ids of new rows.
    """

    verdict: str
    changed: bool
    text: str
    hash: str
    payment: Payment


def rehearse(payment_id: str, reading: Reading, *, why: Why) -> Heard:
    """Find out what applying a reading would do; nothing is kept.

    Raises: as settlement. Transaction: opens its own and rolls it back.
    """
    with database.rehearsal() as session:
        return hear(session, payment_id, reading, why=why)


def hear(session: Session, payment_id: str, reading: Reading, *, why: Why) -> Heard:
    """Apply a reading to its payment and say what that changed.

    Writes, Emits: as settlement. Raises: as settlement. Transaction: caller's.
    """
    statement = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
    payment = session.scalars(statement.execution_options(populate_existing=True)).one()
    before = [getattr(payment, name) for name in _SEEN]
    applied = settlement.apply(session, payment, reading, why=why)
    pending.write_rows(session)
    after = [getattr(payment, name) for name in _SEEN]
    moved, entries = list(_moves(session)), list(_entries(session))
    told = [str(row["type"]) for row in pending.kept_rows(session, EventLog)]
    cases = [name for name in told if name == "exception.opened"]
    changed = before != after or bool(moved or entries or len(told) > len(cases))
    said = [applied.verdict, *(text for text, _ in entries)]
    if cases:
        said.append(f"opens {len(cases)} case{'s' if len(cases) > 1 else ''}")
    mark = [before, after, sorted(moved), sorted(each for _, each in entries), sorted(told)]
    digest = hashing.sha256(repr(mark).encode())
    return Heard(applied.verdict, changed, "; ".join(said), digest, payment)


def _moves(session: Session) -> Iterator[str]:
    for row in pending.kept_rows(session, StateChange):
        yield f"{row['object_kind']} {row['old']} {row['new']}"


def _entries(session: Session) -> Iterator[tuple[str, str]]:
    """Give each entry in words, and as what stays the same however often it is tried."""
    lines = pending.kept_rows(session, Posting)
    for entry in pending.kept_rows(session, JournalEntry):
        own = [row for row in lines if row["entry_id"] == entry["id"]]
        first = own[0]
        amount = Money(abs(int(str(first["amount_minor"]))), asset(str(first["asset"])))
        kind = str(entry["kind"]).replace("_", " ")
        patterns = [chart.find(str(row["address"])) for row in own]
        names = [pattern.template if pattern else "" for pattern in patterns]
        sums = [f"{row['amount_minor']} {row['asset']}" for row in own]
        yield f"books {amount.major()} {amount.asset.code} ({kind})", repr((kind, names, sums))

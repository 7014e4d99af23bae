"""Gates: many pass one at the same time, until somebody closes it; then those inside finish first."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain import database


class Gate(IntEnum):
    """What is guarded: money going out, settling by itself, posting. The numbers only have to differ."""

    MONEY_OUT = 0x66727A
    SETTLING = 0x73746C
    POSTING = 0x706F73


def pass_through(session: Session, gate: Gate) -> None:
    """Be inside until the transaction ends; whoever closes the gate waits for that.

    What is read after this is what the last one to close it has written, so read it in a statement of
    its own. On SQLite the one writing transaction is the gate.
    Transaction: caller's, writing.
    """
    _take(session, gate, "pg_advisory_xact_lock_shared")


def close(session: Session, gate: Gate) -> None:
    """Wait until nobody is inside and let nobody in until the transaction ends.

    Nobody passes whoever waits here, so it takes no longer than those who are inside.
    Transaction: caller's, writing.
    Source: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    _take(session, gate, "pg_advisory_xact_lock")


def _take(session: Session, gate: Gate, function: str) -> None:
    if not database.is_sqlite():
        session.execute(text(f"select {function}(:gate)"), {"gate": int(gate)})

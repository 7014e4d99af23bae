"""A comparison whose every word somebody else wrote: its reason, its error, and what each side says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from core import clock, ids
from core.recon_kinds import KINDS
from models.payments import Payment
from models.reconciliation import ReconciliationDifference, ReconciliationRun


def add(session: Session, person: str, payments: Sequence[Payment]) -> None:
    """Add two comparisons, one over and one that failed, with a difference of each kind."""
    now = clock.now()
    made = [_run(person, status) for status in ("finished", "failed")]
    session.add_all(made)
    session.flush()
    for number, kind in enumerate(KINDS):
        payment = payments[number % len(payments)]
        session.add(
            ReconciliationDifference(
                id=ids.new("dif"),
                run_id=made[0].id,
                kind=kind,
                subject=payment.id if number % 2 else f"x{number}",
                ours="x",
                theirs="x",
                books="x",
                asset=payment.asset,
                amount_minor=100,
                payment_id=payment.id,
                provider_reference="x",
                state=("open", "offered", "applied", "stale", "gone")[number % 5],
                effect="x",
                effect_hash="0" * 64,
                subject_at=now - timedelta(days=1),
                found_at=now,
            )
        )


def _run(person: str, status: str) -> ReconciliationRun:
    now = clock.now()
    return ReconciliationRun(
        id=ids.new("rec"),
        provider="stripe",
        cause="desk",
        asked_by=person,
        window_from=now - timedelta(days=2),
        window_to=now,
        status=status,
        step="end",
        done=10,
        total=10,
        counts={"payments": 10, "equal": 9},
        reason="x",
        last_error="x",
        started_at=now,
        finished_at=now,
    )

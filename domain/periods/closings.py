"""Closings as they were made: what of one was signed, and the one that came last of a month."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, hashing
from core.hashing import Plain
from models.periods import PeriodBalance, PeriodClosing


def digest(closing: PeriodClosing) -> str:
    """Hash all that a closing says; the audit log keeps it, so that no word of it changes unseen."""
    said: dict[str, Plain] = {
        "id": closing.id,
        "period": closing.period_id,
        "no": closing.no,
        "signers": [closing.asked_by, closing.agreed_by],
        "approval": closing.approval_id,
        "note": closing.note,
        "checklist": closing.checklist,  # type: ignore[dict-item]  # written from plain values
        "carriedForward": closing.carried_forward,  # type: ignore[dict-item]
        "journal": [closing.journal_seq, closing.journal_head],
        "audit": [closing.audit_seq, closing.audit_head],
        "snapshot": closing.snapshot_sha256,
        "entries": closing.entries,
        "zone": closing.zone,
        "closedAt": clock.rfc3339(closing.closed_at),
    }
    return hashing.digest(said)


@dataclass(frozen=True)
class Total:
    """What a currency moved in a closed month. Minor units; accounts: how many it is kept in."""

    asset: str
    debit: int
    credit: int
    accounts: int


def totals(session: Session, closing_id: str) -> list[Total]:
    """Sum the snapshot of a closing per currency. Transaction: caller's, reads only."""
    sums = (
        select(
            PeriodBalance.asset,
            func.sum(PeriodBalance.debit_minor),
            func.sum(PeriodBalance.credit_minor),
            func.count(),
        )
        .where(PeriodBalance.closing_id == closing_id)
        .group_by(PeriodBalance.asset)
        .order_by(PeriodBalance.asset)
    )
    return [
        Total(unit, int(debit), int(credit), count)
        for unit, debit, credit, count in session.execute(sums)
    ]


def newest(session: Session, month: str) -> PeriodClosing | None:
    """Fetch the closing of a month that came last, reopened or not, as it is now."""
    own = select(PeriodClosing).where(PeriodClosing.period_id == month)
    last = own.order_by(PeriodClosing.no.desc()).limit(1)
    return session.scalars(last.execution_options(populate_existing=True)).first()

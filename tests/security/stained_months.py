"""A month that was closed, reopened and closed again, whose every word is to be stained."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import clock, ids
from domain.periods import months
from models.periods import Period, PeriodClosing

PROSE = "note reopen_reason certificate_error"


def add(session: Session, people: Sequence[str]) -> None:
    """Add the first month of the books with two closings. people: ids of those who act in them."""
    name, now = months.first_month(session), clock.now()
    session.add(Period(id=name, state="closed", close_no=2, created_at=now, updated_at=now))
    session.flush()
    for no in (1, 2):
        is_reopened = no == 1
        session.add(
            PeriodClosing(
                id=ids.new("clo"),
                period_id=name,
                no=no,
                asked_by=people[0],
                agreed_by=f"{people[0]}_2",
                approval_id=ids.new("apr"),
                note="x",
                checklist=[{"item": "cases", "ok": True, "count": 1, "carriedForward": []}],
                carried_forward=[{"caseId": "exc_x", "reason": "x"}],
                journal_seq=0,
                journal_head="0" * 64,
                audit_seq=0,
                audit_head="0" * 64,
                snapshot_sha256="0" * 64,
                entries=0,
                zone="UTC",
                closed_at=now,
                certificate_due_at=now,
                certificate_error="x",
                reopened_at=now if is_reopened else None,
                reopened_by=people[0] if is_reopened else None,
                reopen_agreed_by=people[0] if is_reopened else None,
                reopen_reason="x" if is_reopened else None,
            )
        )

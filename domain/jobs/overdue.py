"""Ending what has run out: approvals nobody agreed to or that changed, and freezes whose time has passed."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.states import Approval as State
from domain import database
from domain.control import approvals, controls, freezes
from models.control import Approval

BATCH = 100


def end_overdue() -> bool:
    """End overdue approvals, freezes and switches, and cancel requests that no longer stand.

    Writes, emits: as `approvals.expire`, `approvals.void`, `freezes.expire_due`, `controls.expire_due`.
    Transaction: opens its own, one for each row that ends.
    """
    with database.reading() as session:
        waiting = list(session.scalars(_waiting()))
    ended = sum(_end_one(approval_id) for approval_id in waiting)
    with database.transaction() as session:
        return freezes.expire_due(session) + controls.expire_due(session) + ended > 0


def _waiting() -> Select[str]:
    pending = Approval.state == State.PENDING.value
    return select(Approval.id).where(pending).order_by(Approval.requested_at).limit(BATCH)


def _end_one(approval_id: str) -> bool:
    with database.reading() as session:
        if not _is_over(session, approvals.get(session, approval_id)):
            return False
    with database.transaction() as session:
        row = approvals.get(session, approval_id, lock=True)
        if row.state != State.PENDING.value:
            return False
        if row.expires_at <= clock.now():
            approvals.expire(session, row)
        elif (said := approvals.why_void(session, row)) is not None:
            approvals.void(session, row, said=said)
    return True


def _is_over(session: Session, row: Approval) -> bool:
    return row.expires_at <= clock.now() or approvals.why_void(session, row) is not None

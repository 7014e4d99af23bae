"""What becomes of a case when the request that waited on it ends: settled, or open again with the story."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.states import Case as State
from core.strictjson import Json
from domain.cases import case_events
from domain.orders import release_holds
from domain.transitions import Why, move_together
from models.cases import ExceptionCase
from models.control import Approval


def _waiting(session: Session, approval_id: str) -> ExceptionCase | None:
    statement = select(ExceptionCase).where(
        ExceptionCase.approval_id == approval_id, ExceptionCase.state == State.ASSIGNED.value
    )
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).first()


def agreed(session: Session, row: Approval, result: Mapping[str, Json], *, why: Why) -> None:
    """Settle the case whose verb a second person agreed to, in the transaction that carried it out.

    Writes: exception_cases, state_changes. Emits: exception.resolved. Transaction: caller's.
    """
    case = _waiting(session, row.id)
    if case is None:
        return
    asked = dict(case.resolution or {})
    values: dict[str, object] = {
        "verb": asked.get("verb"),
        "resolved_at": clock.now(),
        "resolved_by": row.requested_by,
        "resolution": asked | dict(result) | {"agreedBy": why.actor.id},
    }
    said = Why(why.actor, why.source, row.reason)
    move_together(session, case, moves={"case": State.RESOLVED.value}, values=values, why=said)
    after: dict[str, Json] = {"verb": case.verb, "approvalId": row.id, "askedBy": row.requested_by}
    case_events.tell(session, "exception.resolved", case, why=said, after=after)
    release_holds.case_settled(session, case.id, why=said)


def ended(session: Session, row: Approval, *, why: Why) -> None:
    """Open the case again whose verb nobody agreed to; why is its story.

    Writes: exception_cases, state_changes. Emits: exception.assigned. Transaction: caller's.
    """
    case = _waiting(session, row.id)
    if case is None:
        return
    values: dict[str, object] = {"owner_id": None, "approval_id": None, "resolution": {}}
    said = Why(
        why.actor, why.source, f"{row.kind.replace('_', ' ')} {row.state}: {why.reason or '–'}"
    )
    move_together(session, case, moves={"case": State.OPEN.value}, values=values, why=said)
    after: dict[str, Json] = {"owner": None, "approvalId": row.id, "approval": row.state}
    case_events.tell(session, "exception.assigned", case, why=said, after=after)

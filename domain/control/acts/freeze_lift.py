"""Lifting a freeze, agreed to by two."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.money_out import Act
from core.states import Freeze as State
from core.strictjson import Json
from domain.control import freezes, invariants
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.transitions import Why
from models.control import Freeze


def content(row: Freeze, *, place: str = "") -> Content:
    """Say what lifting a freeze is. place: what it holds, in words for people.

    A freeze that is made to last longer meanwhile is another one than was agreed to be lifted.
    """
    place = place or f"{row.scope} {row.scope_id}".strip()
    return Content(
        Act.FREEZE_LIFT,
        object_kind="freeze",
        object_id=row.id,
        text=f"Lift the freeze on {place}",
        order_id=row.scope_id if row.scope == "order" else None,
        details={
            "scope": row.scope,
            "scopeId": row.scope_id,
            "cause": row.cause,
            "until": clock.rfc3339(row.until),
        },
        demo=row.demo,
    )


def _read(session: Session, asked: Content) -> Content | None:
    row = session.get(Freeze, asked.object_id, populate_existing=True)
    return content(row) if row is not None and row.state == State.ACTIVE.value else None


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    row = freezes.lock(session, warrant.content.object_id)
    warrant.assert_covers(content(row))
    invariants.assert_green(session, row)
    why = Why(warrant.actor, warrant.source, warrant.reason)
    by: list[Json] = [warrant.maker_id, warrant.actor.id]
    freezes.end(
        session, row, to=State.LIFTED, why=why, lifted_by=by, approval_id=warrant.approval_id
    )
    return {"freezeId": row.id}


KIND = Kind(read=_read, carry_out=_carry_out)

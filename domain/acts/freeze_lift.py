"""Lifting a freeze, agreed to by two."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.money_out import Act
from core.states import Freeze as State
from core.strictjson import Json
from domain import freezes
from domain.acts import Kind
from domain.transitions import Why
from domain.warrants import Content, Warrant
from models.control import Freeze


def content(row: Freeze) -> Content:
    """Say what lifting a freeze is."""
    place = "everything" if row.scope == "all" else f"{row.scope} {row.scope_id}"
    return Content(
        Act.FREEZE_LIFT,
        object_kind="freeze",
        object_id=row.id,
        text=f"Lift the freeze on {place}",
        order_id=row.scope_id if row.scope == "order" else None,
        details={"scope": row.scope, "scopeId": row.scope_id, "cause": row.cause},
        demo=row.demo,
    )


def _read(session: Session, asked: Content) -> Content | None:
    row = session.get(Freeze, asked.object_id, populate_existing=True)
    return content(row) if row is not None and row.state == State.ACTIVE.value else None


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    statement = select(Freeze).where(Freeze.id == warrant.content.object_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).one()
    warrant.assert_covers(content(row))
    why = Why(warrant.actor, warrant.source, warrant.reason)
    by: list[Json] = [warrant.maker_id, warrant.actor.id]
    freezes.end(session, row, to=State.LIFTED, why=why, lifted_by=by)
    return {"freezeId": row.id}


KIND = Kind(read=_read, carry_out=_carry_out)

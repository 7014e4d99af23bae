"""What a person may do with an inbound event by hand, beside replaying it: set it aside."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.states import Inbound
from domain import audit
from domain.actors import Actor
from domain.inbox import inbox
from domain.transitions import Why
from models.inbound import InboundEvent


def ignore(session: Session, inbound_id: str, *, actor: Actor, reason: str) -> InboundEvent:
    """Set an event aside for good, with a reason; one that is set aside already stays so.

    Writes: inbound_events, inbound_attempts, event_log, audit_log. Emits: inbound.ignored.
    Raises: NotFound, IllegalTransition when it was processed. Transaction: caller's.
    """
    statement = select(InboundEvent).where(InboundEvent.id == inbound_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    if row.state == Inbound.IGNORED:
        return row
    before = row.state
    why = Why(actor, f"inbound:{row.id}", reason)
    inbox.conclude(session, row, Inbound.IGNORED, "set aside by a person", why=why)
    audit.write(
        session,
        "inbound.ignore",
        actor=actor,
        object_kind="inbound",
        object_id=row.id,
        source=why.source,
        reason=reason,
        before={"state": before},
        after={"state": row.state},
    )
    return row

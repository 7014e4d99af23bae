"""Asking for a freeze to be lifted: by one person, agreed to by another, never while its cause is red."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, IllegalTransition, SamePerson
from core.money_out import Act
from core.states import Freeze as State
from domain.actors import Actor
from domain.control import approvals, freeze_queries, invariants, money_out
from domain.control.acts import freeze_lift
from models.control import Approval


def ask(
    session: Session, freeze_id: str, *, actor: Actor, source: str, reason: str | None
) -> Approval:
    """Ask for a freeze to be lifted; it holds on until somebody else agrees.

    Writes: approvals. Emits: approval.requested. Raises: NotFound, IllegalTransition, Conflict, also
    INVARIANT_RED, SamePerson when this person has asked already; Forbidden, also STEP_UP_REQUIRED.
    Transaction: caller's.
    """
    row = freeze_queries.get_freeze(session, freeze_id)
    state = freeze_queries.state_of(row)
    if state != State.ACTIVE:
        raise IllegalTransition("freeze", state.value, State.LIFTED.value)
    invariants.assert_green(session, row)
    known = approvals.find_open(session, Act.FREEZE_LIFT, freeze_id)
    if known is not None and known.expires_at > clock.now() and known.requested_by == actor.id:
        said = "You have asked for this already; somebody else must agree."
        link = {"approvalId": known.id, "link": f"/approvals/{known.id}"}
        raise SamePerson(said, details=link)
    place = freeze_queries.place_of(session, row)
    wanted = freeze_lift.content(row, place=place)
    asked = money_out.ask(session, wanted, actor=actor, source=source, reason=reason)
    if not isinstance(asked, Approval):
        raise Conflict("Two people lift a freeze.")
    return asked

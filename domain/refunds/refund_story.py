"""What happened to one refund, step by step: its moves, and what its provider was asked and said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import Operation as OperationState
from core.states import Refund as State
from models.operations import Operation
from models.payments import StateChange
from models.refunds import Refund

_WORDS = {
    State.PENDING_APPROVAL.value: "Asked for; a second person must agree",
    State.PENDING.value: "To be sent to the provider",
    State.UNKNOWN.value: "Sent; the answer was lost, and the provider is asked",
    State.SUCCEEDED.value: "The provider has given it back",
    State.FAILED.value: "Not given back",
    State.CANCELLED.value: "Taken back before it was sent",
}
_OPERATION_WORDS = {
    OperationState.SENT.value: "The provider is asked",
    OperationState.UNKNOWN.value: "No answer from the provider",
    OperationState.SUCCEEDED.value: "The provider has taken it",
    OperationState.FAILED.value: "The provider has it not",
}


@dataclass(frozen=True)
class Step:
    """One step. state: the refund's, or its operation's."""

    at: datetime
    state: str
    text: str
    actor: str | None = None
    reason: str | None = None


def steps_of(session: Session, refund: Refund) -> list[Step]:
    """List what happened to a refund, oldest first.

    Transaction: caller's, reads only.
    """
    names = [refund.id, *([refund.operation_id] if refund.operation_id else [])]
    statement = select(StateChange).where(
        StateChange.object_id.in_(names), StateChange.object_kind.in_(("refund", "operation"))
    )
    steps = [_first(refund)]
    for row in session.scalars(statement.order_by(StateChange.at, StateChange.id)):
        words = _WORDS if row.object_kind == "refund" else _OPERATION_WORDS
        steps.append(Step(row.at, row.new, words[row.new], row.actor, row.reason))
    if refund.operation_id is not None and (error := _last_error(session, refund.operation_id)):
        steps.append(error)
    return sorted(steps, key=lambda step: step.at)


def _first(refund: Refund) -> Step:
    if refund.requested_kind == "provider":
        return Step(refund.created_at, State.PENDING.value, "Heard of from the provider")
    waited = refund.approval_id is not None
    state = State.PENDING_APPROVAL if waited else State.PENDING
    by = refund.requested_by if refund.requested_kind in ("user", "key") else None
    return Step(refund.created_at, state.value, _WORDS[state.value], by, refund.reason)


def _last_error(session: Session, operation_id: str) -> Step | None:
    operation = session.get_one(Operation, operation_id)
    if operation.last_error is None or operation.due_at is None:
        return None
    said = f"Tried {operation.attempts} times so far"
    return Step(operation.updated_at, operation.state, said, None, operation.last_error)

"""What callers do with exception cases: assign, note, settle by a verb, settle many at once."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint
from pydantic import Field

from api import exception_shapes as wire
from api import steps
from api.contract import (
    Answer,
    Call,
    In,
    MoneyIn,
    NoQuery,
    Out,
    Pending,
    Reference,
    Session,
    Text,
    endpoint,
    finish,
    run_once,
    start,
)
from api.exception_shapes import CaseNoteOut, CaseOut
from core import clock
from core.case_kinds import Verb
from core.money import asset
from core.permissions import Permission
from domain.cases import case_acts, case_bulk, case_queries, case_resolving
from domain.cases.case_bulk import Row
from domain.cases.case_resolving import Resolved
from domain.cases.case_verbs import Wanted
from domain.database import transaction

blueprint = Blueprint("exception_acts", __name__)
VerbName = Literal[
    "accept",
    "refund_difference",
    "refund_all",
    "credit",
    "top_up",
    "reissue",
    "write_off",
    "link",
    "mark",
]


class AssignIn(In):
    """To whom; null gives it back to everybody."""

    user_id: str | None = Field(max_length=40)


class CaseNoteIn(In):
    """What to write."""

    note: Text = Field(max_length=case_acts.LONGEST_NOTE)


class ResolveIn(In):
    """How to settle it, and why. amount: what the caller was shown; another sum is refused.

    paymentId, orderId: to what an event is linked; reference: under which the provider knows money
    that is marked as received.
    """

    verb: VerbName
    note: Text = Field(max_length=case_acts.LONGEST_NOTE)
    amount: MoneyIn | None = None
    payment_id: str | None = Field(default=None, max_length=40)
    order_id: str | None = Field(default=None, max_length=40)
    reference: Reference | None = None


class BulkIn(In):
    """Which cases to settle by one verb, and why."""

    case_ids: list[str] = Field(min_length=1, max_length=case_bulk.MOST)
    verb: VerbName
    note: Text = Field(max_length=case_acts.LONGEST_NOTE)
    reference: Reference | None = None


class RefusedOut(Out):
    """Why one case was not settled."""

    code: str
    message: str


class OutcomeOut(Out):
    """What became of one case."""

    case_id: str
    outcome: Literal["resolved", "pending_approval", "refused"]
    error: RefusedOut | None


class BulkOut(Out):
    """What became of each case, in the order in which they were named."""

    results: list[OutcomeOut]


@endpoint(
    blueprint,
    "POST",
    "/api/exceptions/{caseId}/assign",
    access=Permission.EXCEPTIONS_ASSIGN,
    body=AssignIn,
    answers={200: CaseOut},
    key="O",
    errors=("NOT_FOUND", "INVALID_TRANSITION", "CONFLICT"),
    events=("exception.assigned",),
    summary="Give a case to somebody of the staff, or to nobody.",
    requirement="S232",
)
def assign(call: Call[AssignIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        user_id, actor = call.body.user_id, call.actor
        case_id = call.path["caseId"]
        row = case_acts.assign(session, case_id, user_id, actor=actor, source=call.source)
        return Answer(200, wire.one(session, row, actor))

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/exceptions/{caseId}/notes",
    access=Permission.EXCEPTIONS_NOTE,
    body=CaseNoteIn,
    answers={201: CaseNoteOut},
    key="O",
    errors=("NOT_FOUND",),
    events=("exception.noted",),
    summary="Write a note on a case; the same text by the same person is kept once.",
)
def add_note(call: Call[CaseNoteIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        case_id, note = call.path["caseId"], call.body.note
        row = case_acts.add_note(session, case_id, note, actor=call.actor, source=call.source)
        return Answer(201, wire.note(row))

    return run_once(call, work)


def _told(session: Session, done: Resolved, call: Call[Any, Any]) -> Answer:
    body = wire.one(session, done.case, call.actor)
    if done.approval is None:
        return Answer(200, body)
    pending = {
        "status": "pending_approval",
        "approvalId": done.approval.id,
        "approvalExpiresAt": clock.rfc3339(done.approval.expires_at),
    }
    return Answer(202, body | pending)


def _wanted(session: Session, call: Call[ResolveIn, NoQuery]) -> Wanted:
    body = call.body
    amount = None
    if body.amount is not None:
        row = case_queries.get_case(session, call.path["caseId"], actor=call.actor)
        amount = body.amount.money(default=asset(row.asset) if row.asset else None)
    return Wanted(
        Verb(body.verb),
        body.note,
        amount=amount,
        payment_id=body.payment_id,
        order_id=body.order_id,
        reference=body.reference,
        once_key=call.claim.key if call.claim else None,
    )


@endpoint(
    blueprint,
    "POST",
    "/api/exceptions/{caseId}/resolve",
    access=Permission.EXCEPTIONS_RESOLVE,
    body=ResolveIn,
    answers={200: CaseOut, 202: Pending},
    key="R",
    errors=(
        *("NOT_FOUND", "INVALID_TRANSITION", "VERB_NOT_ALLOWED", "CONFLICT", "AMOUNT_EXCEEDED"),
        *("FROZEN", "RAIL_NOT_CONFIGURED", "LOST_RACE"),
    ),
    events=("exception.resolved", "exception.assigned", "approval.requested", "payment.created"),
    summary="Settle a case by a verb; where two people must agree, ask for it.",
    requirement="S227",
)
def resolve(call: Call[ResolveIn, NoQuery]) -> Answer:
    with start(call) as session:
        wanted = _wanted(session, call)
        case_id, actor = call.path["caseId"], call.actor
        done = case_resolving.resolve(session, case_id, wanted, actor=actor, source=call.source)
        answer = finish(session, call, _told(session, done, call))
    case_resolving.make_call(done)
    return answer


def _outcome(row: Row) -> dict[str, Any]:
    error = row.error
    said = None if error is None else {"code": error.code, "message": error.message}
    return {"caseId": row.case_id, "outcome": row.outcome, "error": said}


@endpoint(
    blueprint,
    "POST",
    "/api/exceptions/bulk",
    access=Permission.EXCEPTIONS_BULK,
    body=BulkIn,
    answers={200: BulkOut},
    key="R",
    errors=("VALIDATION_FAILED",),
    events=("exception.resolved", "approval.requested"),
    summary="Settle up to 200 cases by one verb; each by itself, with its own outcome.",
    requirement="S232",
)
def bulk(call: Call[BulkIn, NoQuery]) -> Answer:
    with start(call):
        pass
    body = call.body
    wanted = Wanted(Verb(body.verb), body.note, once_key=call.claim.key if call.claim else None)
    with steps.letting_go(call):
        results = [
            case_bulk.attempt(transaction, case_id, wanted, actor=call.actor, source=call.source)
            for case_id in dict.fromkeys(body.case_ids)
        ]
    answer = Answer(200, {"results": [_outcome(row) for row in results]})
    with transaction() as session:
        return finish(session, call, answer)

"""Approvals: listed, read and taken back. They are given and refused on the desk only, never here."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import StringConstraints

from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Reference,
    Session,
    Several,
    endpoint,
    place_of,
    run_once,
)
from api.contract.paging import cursor
from core.errors import invalid
from core.money_out import Act
from core.permissions import Permission
from core.states import Approval as State
from domain.control import approval_queries, approvals
from domain.control.approval_queries import ApprovalFilter
from domain.database import reading
from domain.payments.payments import Page

blueprint = Blueprint("approvals", __name__)
LONGEST_REASON = 500


class ApprovalQuery(PageQuery):
    """Which approvals. mine: only what the caller asked for."""

    state: Several = ()
    kind: Several = ()
    mine: bool = False


class TakeBackIn(In):
    """Why it is taken back."""

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_REASON, strip_whitespace=True)
    ]
    reference: Reference | None = None


class ApprovalOut(Out):
    """An act that waits, or waited, for a second person. needs: the roles that may agree; whyNotMe:
    why the caller may not, or null.
    """

    approval_id: str
    kind: str
    state: str
    text: str
    amount: MoneyOut | None
    destination: str | None
    object_id: str
    content_hash: str
    requested_by: str
    requested_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    needs: list[str]
    why_not_me: str | None


def _filter(asked: ApprovalQuery) -> ApprovalFilter:
    for field, words, known in (
        ("state", asked.state, [word.value for word in State]),
        ("kind", asked.kind, [word.value for word in Act]),
    ):
        if unknown := [word for word in words if word not in known]:
            sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
            raise invalid(field, sentence, code="unknown_value")
    return ApprovalFilter(state=asked.state, kind=asked.kind, mine=asked.mine)


@endpoint(
    blueprint,
    "GET",
    "/api/approvals",
    access=Permission.APPROVALS_READ,
    query=ApprovalQuery,
    answers={200: Listed[ApprovalOut]},
    summary="List approvals, newest first; others than staff see what they themselves asked for.",
    requirement="S53",
)
def index(call: Call[NoBody, ApprovalQuery]) -> Answer:
    wanted, place = _filter(call.query), place_of(call.query)
    page = Page(place.limit, place.before)
    with reading() as session:
        found, more = approval_queries.list_approvals(session, wanted, actor=call.actor, page=page)
        items = [approval_queries.wire(session, row, actor=call.actor) for row in found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/approvals/{approvalId}",
    access=Permission.APPROVALS_READ,
    answers={200: ApprovalOut},
    errors=["NOT_FOUND"],
    summary="Read one approval.",
    requirement="S53",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = approval_queries.get_approval(session, call.path["approvalId"], actor=call.actor)
        return Answer(200, approval_queries.wire(session, row, actor=call.actor))


@endpoint(
    blueprint,
    "POST",
    "/api/approvals/{approvalId}/cancel",
    access=Permission.APPROVALS_CANCEL,
    body=TakeBackIn,
    answers={200: ApprovalOut},
    key="O",
    errors=["NOT_FOUND", "INVALID_TRANSITION"],
    events=["approval.cancelled"],
    summary="Take one's own request back while nobody has decided.",
    requirement="S53",
)
def cancel(call: Call[TakeBackIn, NoQuery]) -> Answer:
    reason = call.body.reason

    def work(session: Session) -> Answer:
        seen = approval_queries.get_approval(session, call.path["approvalId"], actor=call.actor)
        row = approvals.cancel(session, seen.id, actor=call.actor, reason=reason)
        return Answer(200, approval_queries.wire(session, row, actor=call.actor))

    return run_once(call, work)

"""Disputes: listed by deadline or age, read with evidence and story, answered once, given up with two people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import StringConstraints

from api import shapes, steps, timelines
from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Session,
    Several,
    Text,
    endpoint,
    page,
    place_of,
    run_once,
)
from api.contract.records import ErrorOut
from api.intents import Ref
from api.shapes import UnknownOut
from api.steps import Step, Told
from core import clock
from core.disputes import Status
from core.errors import AppError, invalid
from core.money import asset
from core.permissions import Permission
from domain.actors import Actor
from domain.database import reading
from domain.disputes import dispute_queries, dispute_story, disputes, evidence
from domain.disputes.dispute_queries import DisputeFilter
from domain.disputes.evidence import Draft
from domain.orders import release_holds
from domain.payments.payments import Page
from models.disputes import Dispute
from models.payments import Payment

blueprint = Blueprint("disputes", __name__)
EvidenceText = Annotated[
    str, StringConstraints(max_length=evidence.LONGEST_TEXT, strip_whitespace=True)
]
Word = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "appeal_needs_response",
    "appeal_under_review",
    "won",
    "lost",
    "prevented",
]


class DisputeQuery(PageQuery):
    """Which disputes. dueBefore: whose answer the bank wants earlier than that."""

    status: Several = ()
    payment_id: Several = ()
    order_id: Several = ()
    due_before: Instant | None = None


class DisputeEvidenceIn(In):
    """What to tell the bank. A field that is left out keeps what was written before; submit: hand it in, once
    and for all, instead of keeping it. fileIds: files that lie with the dispute.
    """

    product_description: EvidenceText | None = None
    customer_communication: EvidenceText | None = None
    service_date: EvidenceText | None = None
    uncategorized_text: EvidenceText | None = None
    file_ids: list[Ref] | None = None
    submit: bool
    reference: Ref | None = None


class DisputeAcceptIn(In):
    """Why it is given up."""

    reason: Text
    reference: Ref | None = None


class DisputeOut(Out):
    """A dispute. status: Stripe's own word; releaseHold: why nothing of its order is released."""

    dispute_id: str
    payment_id: str
    order_id: str | None
    amount: MoneyOut
    reason: str | None
    status: Word
    evidence_due_at: str | None
    evidence_submitted_at: str | None
    funds_withdrawn: MoneyOut
    funds_reinstated: MoneyOut
    release_hold: str | None
    provider_reference: str
    created_at: str
    closed_at: str | None


class DisputeEvidenceOut(Out):
    """What was written for the bank so far, or handed in."""

    product_description: str | None
    customer_communication: str | None
    service_date: str | None
    uncategorized_text: str | None
    file_ids: list[str]


class DisputeWholeOut(DisputeOut):
    """A dispute with its evidence and everything that happened to it, oldest first."""

    evidence: DisputeEvidenceOut
    timeline: list[timelines.TimelineItemOut]


class DisputeAskedOut(DisputeOut):
    """A dispute that somebody asks to give up, until a second person has decided."""

    status: Literal["pending_approval"]  # type: ignore[assignment]  # in the place of the dispute's own word
    approval_id: str
    approval_expires_at: str


def wire(row: Dispute, holds: dict[str, str]) -> dict[str, Any]:
    """Write a dispute. holds: the reasons that stand, by the provider's names of disputes."""
    of = asset(row.asset)
    return {
        "disputeId": row.id,
        "paymentId": row.payment_id,
        "orderId": row.order_id,
        "amount": shapes.amount(row.amount_minor, of),
        "reason": row.reason,
        "status": row.status,
        "evidenceDueAt": clock.rfc3339(row.evidence_due_at),
        "evidenceSubmittedAt": clock.rfc3339(row.evidence_submitted_at),
        "fundsWithdrawn": shapes.amount(row.withdrawn_minor, of),
        "fundsReinstated": shapes.amount(row.reinstated_minor, of),
        "releaseHold": holds.get(row.provider_reference),
        "providerReference": row.provider_reference,
        "createdAt": clock.rfc3339(row.created_at),
        "closedAt": clock.rfc3339(row.closed_at),
    }


def _holds(session: Session, rows: Sequence[Dispute]) -> dict[str, str]:
    names = [row.provider_reference for row in rows]
    return release_holds.standing(session, release_holds.DISPUTE, names)


def _shown(session: Session, dispute_id: str, actor: Actor) -> dict[str, Any]:
    row, _ = dispute_queries.get_dispute(session, dispute_id, actor=actor)
    return wire(row, _holds(session, [row]))


@endpoint(
    blueprint,
    "GET",
    "/api/disputes",
    access=Permission.DISPUTES_READ,
    query=DisputeQuery,
    answers={200: Listed[DisputeOut]},
    summary="List disputes, newest first; a merchant sees their own.",
    requirement="S219",
)
def index(call: Call[NoBody, DisputeQuery]) -> Answer:
    asked, known = call.query, [word.value for word in Status]
    if unknown := [word for word in asked.status if word not in known]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
        raise invalid("status", sentence, code="unknown_value")
    wanted = DisputeFilter(
        status=asked.status,
        payment_id=asked.payment_id,
        order_id=asked.order_id,
        due_before=asked.due_before,
    )
    place = place_of(asked)
    with reading() as session:
        rows = dispute_queries.list_disputes(
            session, wanted, actor=call.actor, page=Page(place.limit, place.before)
        )
        holds = _holds(session, rows)
    body = page(
        rows, place, wire=lambda row: wire(row, holds), mark=lambda row: (row.created_at, row.id)
    )
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/disputes/{disputeId}",
    access=Permission.DISPUTES_READ,
    answers={200: DisputeWholeOut},
    errors=("NOT_FOUND",),
    summary="Read one dispute with its evidence and its story.",
    requirement="S219",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row, _ = dispute_queries.get_dispute(session, call.path["disputeId"], actor=call.actor)
        body = wire(row, _holds(session, [row]))
        draft = evidence.open_draft(row)
        items = dispute_story.items_of(session, row, actor=call.actor)
    body["evidence"] = {name: text or None for name, text in draft.texts.items()}
    body["evidence"]["fileIds"] = list(draft.file_ids)
    body["timeline"] = timelines.items(items, actor=call.actor)["items"]
    return Answer(200, body)


def _draft(body: DisputeEvidenceIn, known: Draft) -> Draft:
    """Put what was sent over what was written before."""

    def text(sent: str | None, kept: str) -> str:
        return kept if sent is None else sent

    return Draft(
        product_description=text(body.product_description, known.product_description),
        customer_communication=text(body.customer_communication, known.customer_communication),
        service_date=text(body.service_date, known.service_date),
        uncategorized_text=text(body.uncategorized_text, known.uncategorized_text),
        file_ids=known.file_ids if body.file_ids is None else tuple(body.file_ids),
    )


@endpoint(
    blueprint,
    "POST",
    "/api/disputes/{disputeId}/evidence",
    access=Permission.DISPUTES_ANSWER,
    body=DisputeEvidenceIn,
    answers={200: DisputeOut, 202: UnknownOut, 409: ErrorOut},
    key="R",
    errors=(
        "NOT_FOUND",
        "EVIDENCE_DUE_PASSED",
        "EVIDENCE_ALREADY_SUBMITTED",
        "INVALID_TRANSITION",
        "CONFLICT",
        "PROVIDER_REFUSED",
        "PROVIDER_UNAVAILABLE",
        "RAIL_NOT_CONFIGURED",
    ),
    events=("dispute.updated",),
    summary="Keep evidence as a draft, or hand it to the payer's bank once.",
    requirement="S219",
)
def answer(call: Call[DisputeEvidenceIn, NoQuery]) -> Answer:
    dispute_id, body = call.path["disputeId"], call.body

    def wanted(session: Session) -> Draft:
        row, _ = disputes.lock(session, dispute_id, actor=call.actor)
        return _draft(body, evidence.open_draft(row))

    def save(session: Session) -> Answer:
        draft = wanted(session)
        disputes.save(session, dispute_id, draft, actor=call.actor, source=call.source)
        return Answer(200, _shown(session, dispute_id, call.actor))

    if not body.submit:
        return run_once(call, save)

    def begin(session: Session) -> Step:
        begun = disputes.begin_submission(
            session, dispute_id, wanted(session), actor=call.actor, source=call.source
        )
        return Step(begun.payment, begun.operation, begun.fence)

    def done(session: Session, _: Payment) -> Answer:
        session.flush()
        return Answer(200, _shown(session, dispute_id, call.actor))

    return steps.run(call, begin, Told(done=done, refused=_as_it_is))


def _as_it_is(error: AppError, _: Payment) -> AppError:
    return error


@endpoint(
    blueprint,
    "POST",
    "/api/disputes/{disputeId}/accept",
    access=Permission.DISPUTES_ACCEPT,
    body=DisputeAcceptIn,
    answers={202: DisputeAskedOut, 409: ErrorOut},
    key="R",
    errors=("NOT_FOUND", "INVALID_TRANSITION", "CONFLICT"),
    events=("approval.requested", "dispute.closed"),
    summary="Ask to give a dispute up; a second person agrees on the desk.",
    requirement="S219",
)
def accept(call: Call[DisputeAcceptIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        row, asked = disputes.ask_accept(
            session,
            call.path["disputeId"],
            actor=call.actor,
            reason=call.body.reason,
            source=call.source,
        )
        said = wire(row, _holds(session, [row])) | {"status": "pending_approval"}
        ends_at = clock.rfc3339(asked.expires_at)
        return Answer(202, said | {"approvalId": asked.id, "approvalExpiresAt": ends_at})

    return run_once(call, work)

"""Refunds: asked for here, agreed to on the desk; listed, read, and taken back before they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import StringConstraints

from api import shapes
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyIn,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    RangeQuery,
    Session,
    Several,
    endpoint,
    page,
    place_of,
    run_once,
)
from api.intents import Ref
from core import clock
from core.errors import invalid
from core.money import Money, asset
from core.permissions import Permission
from core.states import Refund as State
from domain.actors import Actor
from domain.control import approvals
from domain.database import reading
from domain.invoices import credit_notes
from domain.payments import payments, receipts
from domain.payments.payments import Page
from domain.refunds import refund_queries, refundable, refunds
from domain.refunds.refund_queries import RefundFilter
from models.refunds import Refund

blueprint = Blueprint("refunds", __name__)
LONGEST_REASON = 500
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_REASON, strip_whitespace=True)
]


class RefundIn(In):
    """What to give back, by default all that is left, and why. reference: the caller's own name for it,
    unique for the payment.
    """

    amount: MoneyIn | None = None
    reason: Reason
    reference: Ref | None = None


class RefundCancelIn(In):
    """Why it is taken back."""

    reason: Reason
    reference: Ref | None = None


class RefundQuery(RangeQuery):
    """Which refunds."""

    status: Several = ()
    payment_id: Several = ()
    order_id: Several = ()


class RefundOut(Out):
    """A refund. reason: null for whoever neither asked for it nor belongs to the staff."""

    refund_id: str
    payment_id: str
    order_id: str | None
    amount: MoneyOut
    status: Literal["pending_approval", "pending", "succeeded", "failed", "cancelled", "unknown"]
    reason: str | None
    approval_id: str | None
    operation_id: str | None
    provider_reference: str | None
    failure_reason: str | None
    credit_note_id: str | None
    reference: str | None
    requested_by: str
    created_at: str
    updated_at: str


class RefundAskedOut(RefundOut):
    """A refund that was asked for, and until when somebody may agree to it."""

    approval_expires_at: str | None


def wire(session: Session, row: Refund, actor: Actor) -> dict[str, Any]:
    """Write a refund as its reader may see it, with its credit note."""
    return _wire(row, actor, credit_notes.of_refunds(session, [row.id]))


def _wire(row: Refund, actor: Actor, notes: Mapping[str, str]) -> dict[str, Any]:
    """Write a refund as its reader may see it: what the staff wrote and who they are stays inside."""
    is_own = actor.is_staff or row.requested_by == actor.id
    outside = "provider" if row.requested_kind == "provider" else "staff"
    if row.requested_kind == "key" and actor.merchant_id == row.merchant_id:
        is_own, outside = True, row.requested_by
    return {
        "refundId": row.id,
        "paymentId": row.payment_id,
        "orderId": row.order_id,
        "amount": shapes.amount(row.amount_minor, asset(row.asset)),
        "status": row.state,
        "reason": row.reason if is_own else None,
        "approvalId": row.approval_id,
        "operationId": row.operation_id,
        "providerReference": row.provider_reference,
        "failureReason": row.failure_reason,
        "creditNoteId": notes.get(row.id),
        "reference": row.reference,
        "requestedBy": row.requested_by if is_own else outside,
        "createdAt": clock.rfc3339(row.created_at),
        "updatedAt": clock.rfc3339(row.updated_at),
    }


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/refunds",
    access=Permission.REFUNDS_REQUEST,
    body=RefundIn,
    answers={202: RefundAskedOut},
    key="R",
    money=True,
    errors=("NOT_FOUND", "FROZEN", "AMOUNT_EXCEEDED", "INVALID_TRANSITION", "CONFLICT"),
    events=("refund.requested", "approval.requested", "refund.created", "payment.refunded"),
    summary="Ask that money of a payment be given back; somebody agrees to it on the desk.",
    requirement="S53",
)
def ask(call: Call[RefundIn, NoQuery]) -> Answer:
    body = call.body

    def work(session: Session) -> Answer:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        of = asset(payment.asset)
        # Where nothing is left, the smallest amount is refused, after what has to be said before.
        suspended = receipts.in_suspense(session, payment)
        gone = refundable.charged_back(session, [payment.id]).get(payment.id, 0)
        most = refundable.left(payment, suspended=suspended, charged_back_minor=gone)
        left = Money(max(1, most.minor), of)
        refund = refunds.ask(
            session,
            payment,
            body.amount.money(default=of) if body.amount else left,
            actor=call.actor,
            reason=body.reason,
            source=call.source,
            reference=body.reference,
        )
        ends_at = None
        if refund.state == State.PENDING_APPROVAL and refund.approval_id:
            ends_at = approvals.get(session, refund.approval_id).expires_at
        said = wire(session, refund, call.actor) | {"approvalExpiresAt": clock.rfc3339(ends_at)}
        return Answer(202, said)

    return run_once(call, work)


@endpoint(
    blueprint,
    "GET",
    "/api/payments/{paymentId}/refunds",
    access=Permission.REFUNDS_READ,
    query=PageQuery,
    answers={200: Listed[RefundOut]},
    errors=("NOT_FOUND",),
    summary="List what was given back, and asked back, of one payment.",
    requirement="S53",
)
def of_payment(call: Call[NoBody, PageQuery]) -> Answer:
    with reading() as session:
        payment = payments.get_payment(session, call.path["paymentId"], actor=call.actor)
        return _listed(session, RefundFilter(payment_id=(payment.id,)), call.query, call.actor)


def _listed(session: Session, wanted: RefundFilter, asked: PageQuery, actor: Actor) -> Answer:
    place = place_of(asked)
    rows = refund_queries.list_refunds(
        session, wanted, actor=actor, page=Page(place.limit, place.before)
    )
    notes = credit_notes.of_refunds(session, [row.id for row in rows])
    body = page(
        rows,
        place,
        wire=lambda row: _wire(row, actor, notes),
        mark=lambda row: (row.created_at, row.id),
    )
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/refunds",
    access=Permission.REFUNDS_LIST,
    query=RefundQuery,
    answers={200: Listed[RefundOut]},
    summary="List refunds, newest first; a merchant sees their own.",
    requirement="S53",
)
def index(call: Call[NoBody, RefundQuery]) -> Answer:
    asked, known = call.query, [word.value for word in State]
    if unknown := [word for word in asked.status if word not in known]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
        raise invalid("status", sentence, code="unknown_value")
    wanted = RefundFilter(
        status=asked.status,
        payment_id=asked.payment_id,
        order_id=asked.order_id,
        created_from=asked.since,
        created_to=asked.until,
    )
    with reading() as session:
        return _listed(session, wanted, asked, call.actor)


@endpoint(
    blueprint,
    "GET",
    "/api/refunds/{refundId}",
    access=Permission.REFUNDS_READ,
    answers={200: RefundOut},
    errors=("NOT_FOUND",),
    summary="Read one refund.",
    requirement="S53",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row, _ = refund_queries.get_refund(session, call.path["refundId"], actor=call.actor)
        return Answer(200, wire(session, row, call.actor))


@endpoint(
    blueprint,
    "POST",
    "/api/refunds/{refundId}/cancel",
    access=Permission.REFUNDS_REQUEST,
    body=RefundCancelIn,
    answers={200: RefundOut},
    key="R",
    errors=("NOT_FOUND", "INVALID_TRANSITION"),
    events=("refund.cancelled", "approval.cancelled"),
    summary="Take a refund back before it is sent: whoever asked for it, finance or an admin.",
    requirement="S53",
)
def cancel(call: Call[RefundCancelIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        row, _ = refund_queries.get_refund(session, call.path["refundId"], actor=call.actor)
        row = refunds.cancel(
            session, row.id, actor=call.actor, reason=call.body.reason, source=call.source
        )
        return Answer(200, wire(session, row, call.actor))

    return run_once(call, work)

"""Marking a payment by hand: asked for here, agreed to by another person on the desk."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint
from pydantic import StringConstraints

from api import shapes
from api.contract import Answer, Call, In, NoQuery, Pending, Session, endpoint, run_once
from api.contract.records import ErrorOut
from api.intents import Ref
from core import clock
from core.permissions import Permission
from domain.payments import marking, payments
from domain.payments.marking import Wanted

blueprint = Blueprint("marking", __name__)


def _text(longest: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=longest, strip_whitespace=True)


Named = Annotated[str, _text(marking.LONGEST_REFERENCE)]
Seen = Annotated[str, _text(marking.LONGEST_EVIDENCE)]
Note = Annotated[str, _text(marking.LONGEST_NOTE)]


class MarkIn(In):
    """What the payment shall be marked as, why, and under which name the provider knows the money.

    evidence: where else it can be seen, such as a line of a bank statement.
    """

    status: Literal["completed", "failed", "cancelled"]
    note: Note
    provider_reference: Named
    evidence: Seen | None = None
    reference: Ref | None = None


@endpoint(
    blueprint,
    "POST",
    "/api/payments/{paymentId}/reconcile",
    access=Permission.PAYMENTS_RECONCILE,
    body=MarkIn,
    answers={202: Pending, 409: ErrorOut},
    key="R",
    errors=["NOT_FOUND", "INVALID_TRANSITION", "CONFLICT"],
    events=["approval.requested", "payment.succeeded", "payment.failed", "payment.cancelled"],
    summary="Ask that a payment be marked by hand; a second person agrees on the desk.",
    requirement="C4",
)
def reconcile(call: Call[MarkIn, NoQuery]) -> Answer:
    body = call.body
    wanted = Wanted(body.status, body.provider_reference, body.evidence)

    def work(session: Session) -> Answer:
        asked = marking.ask(
            session,
            call.path["paymentId"],
            wanted,
            actor=call.actor,
            source=call.source,
            note=body.note,
        )
        payment = payments.get_payment(session, asked.object_id, actor=call.actor)
        cases = payments.open_cases_of(session, [payment.id])
        said = shapes.payment(payment, exceptions=cases[payment.id])
        said |= {"status": "pending_approval", "approvalId": asked.id}
        return Answer(202, said | {"approvalExpiresAt": clock.rfc3339(asked.expires_at)})

    return run_once(call, work)

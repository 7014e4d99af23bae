"""Where refunds and the totals of their payments stand, proved from facts, operations and the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from core.fold import REFUND_KINDS, refund_state
from core.states import Refund as State
from core.strictjson import Json
from domain.refunds.refund_settlement import OPEN
from models.operations import Operation
from models.payments import Payment, PaymentFact
from models.refunds import Refund

_CHUNK = 1000
# Where a refund began: waiting for a second person, when one had to agree.
FIRST: ColumnElement[str] = case(
    (Refund.approval_id.is_not(None), State.PENDING_APPROVAL.value), else_=State.PENDING.value
)


def payments(session: Session) -> Iterator[str | None]:
    """Check that each payment counts as given back, and as asked back, what its refunds say."""
    totals = (
        select(
            Refund.payment_id,
            func.sum(case((Refund.state == State.SUCCEEDED.value, Refund.amount_minor))).label(
                "back"
            ),
            func.sum(case((Refund.state.in_(OPEN), Refund.amount_minor))).label("asked"),
        )
        .group_by(Refund.payment_id)
        .subquery()
    )
    statement = select(
        Payment.id,
        Payment.received_minor,
        Payment.refunded_minor,
        Payment.refunding_minor,
        totals.c.back,
        totals.c.asked,
    ).outerjoin(totals, totals.c.payment_id == Payment.id)
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for payment_id, received, refunded, refunding, back, asked in rows:
            left = received - int(back or 0)
            said = (int(back or 0), min(int(asked or 0), left))
            found = (refunded, refunding)
            yield None if said == found else f"{payment_id} counts {found}, its refunds say {said}"


def refunds(session: Session) -> Iterator[str | None]:
    """Check that each refund stands where its provider's facts put it, over what was asked there."""
    asked = Operation.id == Refund.operation_id
    statement = select(Refund, Payment.provider, Operation.request).join(
        Payment, Payment.id == Refund.payment_id
    )
    statement = statement.outerjoin(Operation, asked)
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for refund, provider, request in rows:
            yield _problem(session, refund, provider) or _asked_problem(refund, request)


def _problem(session: Session, refund: Refund, provider: str) -> str | None:
    if refund.provider_reference is None:
        heard = State.SUCCEEDED.value
        return f"{refund.id} is {heard} without a provider" if refund.state == heard else None
    prefix = f"{provider}:{refund.provider_reference}:"
    keys = [prefix + kind for kind in sorted(REFUND_KINDS)]
    facts = session.scalars(select(PaymentFact).where(PaymentFact.fact_key.in_(keys))).all()
    if {fact.payment_id for fact in facts} != {refund.payment_id}:
        return f"{refund.id} is known to {provider}, but no fact of its payment says so"
    told = refund_state(State.UNKNOWN, [fact.kind for fact in facts])
    if any(fact.amount_minor != refund.amount_minor for fact in facts):
        return f"{refund.id} is over {refund.amount_minor}, {provider} speaks of another amount"
    return None if told == refund.state else f"{refund.id} is {refund.state}, its facts say {told}"


def _asked_problem(refund: Refund, request: Mapping[str, Json] | None) -> str | None:
    if request is None:
        return f"{refund.id} names an operation that is not there" if refund.operation_id else None
    wanted = (request.get("refundId"), request.get("amountMinor"), request.get("asset"))
    same = wanted == (refund.id, refund.amount_minor, refund.asset)
    return None if same else f"{refund.id} is over {refund.amount_minor}, asked was {wanted}"

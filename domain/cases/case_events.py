"""What a change of a case tells the world and the audit log."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money import Money, asset
from core.strictjson import Json
from domain import audit, events
from domain.transitions import Why
from models.cases import ExceptionCase
from models.payments import Payment

_AUDITED = {
    "exception.assigned": "exception.assign",
    "exception.noted": "exception.note",
    "exception.resolved": "exception.resolve",
}


def tell(
    session: Session, kind: str, case: ExceptionCase, *, why: Why, after: dict[str, Json]
) -> None:
    """Tell of a change of a case. after: what the audit log keeps of it: ids, states, amounts.

    What was decided is told to the payment's parties too, without the names of our people.
    Writes: event_log, audit_log. Transaction: caller's.
    """
    is_for_all = kind == "exception.resolved"
    payment = session.get(Payment, case.payment_id) if case.payment_id else None
    about = (
        events.about_payment(payment, audience="parties" if is_for_all else "staff")
        if payment
        else events.about_staff(case.id)
    )
    at_risk = None
    if case.risk_minor is not None and case.asset is not None:
        at_risk = Money(case.risk_minor, asset(case.asset)).major()
    body: dict[str, Json] = {
        "caseId": case.id,
        "kind": case.kind,
        "moneyAtRisk": at_risk,
        "owner": None if is_for_all else case.owner_id,
        "verb": case.verb,
    }
    row = events.row(kind, about, source=why.source, status=case.state, body=body)
    events.append(session, [row])
    audit.write(
        session,
        _AUDITED[kind],
        actor=why.actor,
        object_kind="case",
        object_id=case.id,
        source=why.source,
        reason=why.reason,
        after={"state": case.state} | after,
    )

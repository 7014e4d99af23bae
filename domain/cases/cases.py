"""Opening exception cases: what a person must see, once per subject; never a silent fix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.money import Money
from core.states import Case
from domain import audit, database, events
from domain.cases import case_targets
from domain.transitions import Why
from models.cases import ExceptionCase
from models.payments import Payment


@dataclass(frozen=True)
class Finding:
    """What was found. subject_key: what makes a second report the same case; sentence: with both values;
    due_at: when somebody outside wants it settled; else the kind's target says it.
    """

    kind: str
    subject_key: str
    sentence: str
    expected: str | None = None
    found: str | None = None
    at_risk: Money | None = None
    payment: Payment | None = None
    inbound_id: str | None = None
    operation_id: str | None = None
    due_at: datetime | None = None


def open_case(session: Session, finding: Finding, *, why: Why) -> str | None:
    """Open a case, unless its subject has one. Gives the new case's id, or None.

    Writes: exception_cases, audit_log. Emits: exception.opened. Transaction: caller's.
    """
    target = case_targets.target_of(session, finding.kind)
    payment = finding.payment
    case_id, opened_at = ids.new("exc"), clock.now()
    values = {
        "id": case_id,
        "kind": finding.kind,
        "state": Case.OPEN.value,
        "subject_key": f"{finding.kind}:{finding.subject_key}",
        "sentence": finding.sentence,
        "expected": finding.expected,
        "found": finding.found,
        "risk_minor": finding.at_risk.minor if finding.at_risk else None,
        "asset": str(finding.at_risk.asset) if finding.at_risk else None,
        "payment_id": payment.id if payment else None,
        "order_id": payment.order_id if payment else None,
        "merchant_id": payment.merchant_id if payment else None,
        "inbound_id": finding.inbound_id,
        "operation_id": finding.operation_id,
        "team": target.team.value,
        "source": why.source,
        "opened_at": opened_at,
        "sla_due_at": finding.due_at or case_targets.due_at(target, opened_at),
        "demo": payment.demo if payment else False,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(ExceptionCase).values(values).on_conflict_do_nothing()
    if session.execute(statement.returning(ExceptionCase.id)).first() is None:
        return None
    about = events.about_payment(payment) if payment else events.about_staff(case_id)
    body = {
        "caseId": case_id,
        "kind": finding.kind,
        "moneyAtRisk": finding.at_risk.major() if finding.at_risk else None,
        "owner": None,
        "verb": None,
    }
    row = events.row("exception.opened", about, source=why.source, status="open", body=body)
    events.append(session, [row])
    audit.write(
        session,
        "exception.open",
        actor=why.actor,
        object_kind="case",
        object_id=case_id,
        source=why.source,
        reason=finding.sentence,
        after={"kind": finding.kind, "paymentId": payment.id if payment else None},
    )
    return case_id

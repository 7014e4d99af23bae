"""How a rule's decision enters a case and leaves it again: the doors that people use, for `system:rule`."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.money import Money, asset
from core.states import Case
from core.strictjson import Json
from domain import audit, events
from domain.transitions import Why, move_together
from models.cases import CaseRule, ExceptionCase
from models.payments import Payment


def resolve(session: Session, case: ExceptionCase, *, rule: CaseRule, why: Why) -> None:
    """Resolve a locked case with a rule's verb.

    Writes: exception_cases, state_changes, event_log, audit_log. Emits: exception.resolved.
    Raises: IllegalTransition, LostRace. Transaction: caller's.
    """
    values: dict[str, object] = {
        "verb": rule.verb,
        "resolved_at": clock.now(),
        "resolved_by": why.actor.id,
        "rule_id": rule.id,
        "resolution": {"ruleId": rule.id, "version": rule.version, "note": rule.note},
    }
    move_together(session, case, moves={"case": Case.RESOLVED.value}, values=values, why=why)
    _tell(session, "exception.resolved", case, why=why, version=rule.version)


def reopen(session: Session, case: ExceptionCase, *, why: Why) -> None:
    """Reopen a locked case that a rule resolved; it waits for people as on its first day.

    Writes: exception_cases, state_changes, event_log, audit_log. Emits: exception.opened.
    Raises: IllegalTransition, LostRace. Transaction: caller's.
    """
    values: dict[str, object] = {
        "verb": None,
        "resolved_at": None,
        "resolved_by": None,
        "rule_id": None,
        "resolution": {},
    }
    move_together(session, case, moves={"case": Case.OPEN.value}, values=values, why=why)
    _tell(session, "exception.opened", case, why=why)


_AUDITED = {"exception.resolved": "exception.resolve", "exception.opened": "exception.reopen"}


def _tell(
    session: Session, kind: str, case: ExceptionCase, *, why: Why, version: int | None = None
) -> None:
    payment = session.get(Payment, case.payment_id) if case.payment_id else None
    about = events.about_payment(payment) if payment else events.about_staff(case.id)
    at_risk = None
    if case.risk_minor is not None and case.asset is not None:
        at_risk = Money(case.risk_minor, asset(case.asset)).major()
    body: dict[str, Json] = {
        "caseId": case.id,
        "kind": case.kind,
        "moneyAtRisk": at_risk,
        "owner": case.owner_id,
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
        after={
            "state": case.state,
            "verb": case.verb,
            "ruleId": case.rule_id,
            "ruleVersion": version,
        },
    )

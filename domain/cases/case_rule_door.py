"""How a rule's decision enters a case and leaves it again: the doors that people use, for `system:rule`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.case_kinds import Verb
from core.errors import NotFound
from core.money import Money, asset
from core.states import Case
from core.strictjson import Json
from domain import audit, events
from domain.cases import case_resolving
from domain.cases.case_verbs import Wanted
from domain.orders import order_progress
from domain.transitions import Why, move_together
from models.cases import CaseRule, ExceptionCase
from models.payments import Payment


def lock(session: Session, case_id: str) -> ExceptionCase:
    """Lock a case after what it is about, in the order that everybody keeps: payment, order, case.

    Raises: NotFound. Transaction: caller's.
    """
    seen = session.get(ExceptionCase, case_id)
    if seen is None:
        raise NotFound
    if seen.payment_id is not None:
        about = select(Payment).where(Payment.id == seen.payment_id)
        payment = session.scalars(about.with_for_update(key_share=True)).first()
        if payment is not None and payment.order_id is not None:
            order_progress.lock_order(session, payment.order_id)
    statement = select(ExceptionCase).where(ExceptionCase.id == case_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def resolve(session: Session, case: ExceptionCase, *, rule: CaseRule, why: Why) -> None:
    """Resolve a locked case with a rule's verb, as a person's decision would be.

    Writes, Emits, Raises: as `case_resolving.resolve`. Transaction: caller's.
    """
    wanted = Wanted(Verb(rule.verb), note=f"Rule {rule.id} version {rule.version}: {rule.note}")
    case_resolving.resolve(session, case.id, wanted, actor=why.actor, source=why.source)
    values: dict[str, object] = {
        "rule_id": rule.id,
        "resolution": (case.resolution or {}) | {"ruleId": rule.id, "ruleVersion": rule.version},
    }
    move_together(session, case, moves={}, values=values, why=why)


def reopen(session: Session, case: ExceptionCase, *, why: Why) -> None:
    """Reopen a locked case that a rule resolved; it waits for people as on its first day.

    Writes: exception_cases, state_changes, event_log, audit_log. Emits: exception.opened.
    Raises: IllegalTransition, LostRace. Transaction: caller's.
    """
    before: dict[str, Json] = {"state": case.state, "verb": case.verb, "ruleId": case.rule_id}
    values: dict[str, object] = {
        "verb": None,
        "resolved_at": None,
        "resolved_by": None,
        "rule_id": None,
        "resolution": {},
    }
    move_together(session, case, moves={"case": Case.OPEN.value}, values=values, why=why)
    _tell(session, case, before, why=why)


def _tell(session: Session, case: ExceptionCase, before: dict[str, Json], *, why: Why) -> None:
    payment = session.get(Payment, case.payment_id) if case.payment_id else None
    about = events.about_payment(payment) if payment else events.about_staff(case.id)
    at_risk = None
    if case.risk_minor is not None and case.asset is not None:
        at_risk = Money(case.risk_minor, asset(case.asset)).major()
    body: dict[str, Json] = {
        "caseId": case.id,
        "kind": case.kind,
        "moneyAtRisk": at_risk,
        "owner": None,
        "verb": None,
    }
    row = events.row("exception.opened", about, source=why.source, status=case.state, body=body)
    events.append(session, [row])
    audit.write(
        session,
        "exception.reopen",
        actor=why.actor,
        object_kind="case",
        object_id=case.id,
        source=why.source,
        reason=why.reason,
        before=before,
        after={"state": case.state},
    )

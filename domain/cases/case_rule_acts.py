"""Rules at work: resolving the cases that meet them, taking that back, and stopping by themselves.

A rule acts as `system:rule` from the source `rule:<id>`, through the same door as people, and on a case
at most once: what people took back stays theirs. Order of locks: the rule, then what the case is
about, then the case.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict
from core.states import Case, RuleState
from domain import audit, database
from domain.actors import Actor, system
from domain.cases import case_backtests, case_conditions, case_rule_door, case_rules, cases
from domain.cases.case_facts import facts_of
from domain.transitions import Why
from models.cases import CaseRule, CaseRuleUse, ExceptionCase

RULE = system("rule")
# A rule that people overrule this often among its last cases ends itself.
STOPS_AFTER, STOPS_AMONG = 2, 20
DAY = timedelta(days=1)


def source_of(rule_id: str) -> str:
    """Name a rule as the source of what it did."""
    return f"rule:{rule_id}"


def apply(session: Session, rule_id: str, case_id: str) -> bool:
    """Let a rule resolve a case, if both still stand as they must. Gives whether it did.

    1. lock the rule: it is enabled and has not used up its day; 2. lock the case: nobody has taken
    it up; 3. it meets the conditions, and no more is at risk than one person may decide about;
    4. note the use, of which a case has one; 5. resolve it as people do.
    Writes: case_rule_uses, exception_cases, what the verb writes. Emits: exception.resolved.
    Raises: what the verb raises. Transaction: caller's.
    """
    rule = case_rules.get(session, rule_id, lock=True)
    if rule.state != RuleState.ENABLED.value or used_today(session, rule) >= case_rules.DAY_LIMIT:
        return False
    case = case_rule_door.lock(session, case_id)
    if case.state != Case.OPEN.value or not is_for(session, rule, case):
        return False
    if not _note_use(session, rule, case):
        return False
    case_rule_door.resolve(session, case, rule=rule, why=Why(RULE, source_of(rule.id)))
    return True


def is_for(session: Session, rule: CaseRule, case: ExceptionCase) -> bool:
    """Tell whether a rule would resolve a case as it stands now. Transaction: caller's, reads only."""
    if case.kind != rule.kind or rule.enabled_at is None or case.opened_at < rule.enabled_at:
        return False
    (facts,) = facts_of(session, [case])
    conditions = case_rules.conditions_of(rule)
    return case_conditions.match(conditions, facts) and not case_backtests.is_too_large(facts)


def used_today(session: Session, rule: CaseRule) -> int:
    """Count what a rule resolved within the last day. Transaction: caller's, reads only."""
    return uses_since(session, rule.id, clock.now() - DAY)


def uses_since(session: Session, rule_id: str, since: datetime) -> int:
    """Count what a rule resolved since then. Transaction: caller's, reads only."""
    counted = select(func.count()).where(CaseRuleUse.rule_id == rule_id, CaseRuleUse.at >= since)
    return session.scalar(counted) or 0


def _note_use(session: Session, rule: CaseRule, case: ExceptionCase) -> bool:
    values = {
        "id": ids.new("use"),
        "rule_id": rule.id,
        "version": rule.version,
        "case_id": case.id,
        "kind": rule.kind,
        "verb": rule.verb,
        "at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CaseRuleUse).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(CaseRuleUse.id)).scalar() is not None


def find_use(session: Session, case_id: str) -> CaseRuleUse | None:
    """Find the use by which a rule resolved a case and that nobody has taken back."""
    statement = select(CaseRuleUse).where(
        CaseRuleUse.case_id == case_id, CaseRuleUse.reversed_at.is_(None)
    )
    return session.scalars(statement).first()


def take_back(
    session: Session, case_id: str, *, actor: Actor, reason: str, source: str
) -> CaseRule:
    """Reopen a case that a rule resolved; counts against the rule, which may end itself by it.

    Gives the rule. Writes: case_rule_uses, exception_cases, case_rules, state_changes, event_log,
    audit_log. Emits: exception.opened, rule.disabled. Raises: NotFound, Conflict, LostRace.
    Transaction: caller's.
    """
    found = find_use(session, case_id)
    if found is None:
        raise Conflict("No rule resolved this case, or that was taken back already.")
    rule = case_rules.get(session, found.rule_id, lock=True)
    case = case_rule_door.lock(session, case_id)
    use = session.get_one(CaseRuleUse, found.id, populate_existing=True)
    if use.reversed_at is not None or case.state != Case.RESOLVED.value or case.rule_id != rule.id:
        raise Conflict("This was taken back already.")
    case_rule_door.reopen(session, case, why=Why(actor, source, reason))
    use.reversed_at, use.reversed_by, use.reversed_reason = clock.now(), actor.id, reason
    session.flush()
    audit.write(
        session,
        "rule.take_back",
        actor=actor,
        object_kind="rule",
        object_id=rule.id,
        source=source,
        reason=reason,
        after={"caseId": case.id, "version": use.version, "verb": use.verb},
    )
    _stop_if_wrong(session, rule)
    return rule


def _stop_if_wrong(session: Session, rule: CaseRule) -> None:
    """End a rule that people overruled twice among its version's last uses, and say so in a case."""
    last = (
        select(CaseRuleUse.reversed_at)
        .where(CaseRuleUse.rule_id == rule.id, CaseRuleUse.version == rule.version)
        .order_by(CaseRuleUse.at.desc(), CaseRuleUse.id.desc())
        .limit(STOPS_AMONG)
    )
    wrong = sum(at is not None for at in session.scalars(last))
    if rule.state != RuleState.ENABLED.value or wrong < STOPS_AFTER:
        return
    said = f"People took back {wrong} of the last {STOPS_AMONG} cases that it resolved."
    case_rules.disable(session, rule.id, actor=RULE, reason=said, source=source_of(rule.id))
    finding = cases.Finding(
        "RULE_STOPPED",
        f"{rule.id}:{rule.version}",
        f"A rule for {rule.kind} cases stopped itself: people took back {wrong} of the last"
        f" {STOPS_AMONG} cases that it resolved. New ones wait for people again.",
    )
    cases.open_case(session, finding, why=Why(RULE, source_of(rule.id)))

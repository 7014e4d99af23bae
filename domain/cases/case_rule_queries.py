"""Reading rules: the list with counts, versions, and the cases that a rule resolved; all bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select, tuple_
from sqlalchemy.orm import Session

from core.states import RuleState
from domain.payments.payments import LONGEST_PAGE, Page
from models.cases import CaseRule, CaseRuleUse, CaseRuleVersion, ExceptionCase


@dataclass(frozen=True)
class Uses:
    """How many cases a rule resolved, and how many of those people took back."""

    resolved: int = 0
    reversed: int = 0


def list_rules(session: Session, *, page: Page) -> tuple[list[CaseRule], bool]:
    """List rules, newest first, and tell whether there are more. Transaction: caller's, reads only."""
    statement = select(CaseRule)
    if page.before:
        place = tuple_(CaseRule.drafted_at, CaseRule.id)
        statement = statement.where(place < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (CaseRule.drafted_at.desc(), CaseRule.id.desc())
    rows = list(session.scalars(statement.order_by(*newest).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def list_enabled(session: Session) -> list[CaseRule]:
    """List the rules at work, oldest first: where two would fit a case, the older one acts."""
    statement = select(CaseRule).where(CaseRule.state == RuleState.ENABLED.value)
    return list(session.scalars(statement.order_by(CaseRule.enabled_at, CaseRule.id)))


def uses_of(session: Session, rule_ids: Sequence[str]) -> Mapping[str, Uses]:
    """Count what each rule resolved over all its versions, in one query."""
    if not rule_ids:
        return {}
    back = func.sum(case((CaseRuleUse.reversed_at.is_not(None), 1), else_=0))
    statement = (
        select(CaseRuleUse.rule_id, func.count(), back)
        .where(CaseRuleUse.rule_id.in_(rule_ids))
        .group_by(CaseRuleUse.rule_id)
    )
    return {row[0]: Uses(row[1], int(row[2] or 0)) for row in session.execute(statement)}


def list_uses(
    session: Session, rule_id: str, *, limit: int = 100
) -> list[tuple[CaseRuleUse, ExceptionCase]]:
    """List the newest cases that a rule resolved, each with the case as it stands now."""
    statement = (
        select(CaseRuleUse, ExceptionCase)
        .join(ExceptionCase, ExceptionCase.id == CaseRuleUse.case_id)
        .where(CaseRuleUse.rule_id == rule_id)
        .order_by(CaseRuleUse.at.desc(), CaseRuleUse.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def list_versions(session: Session, rule_id: str) -> list[CaseRuleVersion]:
    """List all versions of a rule, newest first."""
    statement = select(CaseRuleVersion).where(CaseRuleVersion.rule_id == rule_id)
    return list(session.scalars(statement.order_by(CaseRuleVersion.version.desc())))


def cases_by_id(session: Session, case_ids: Sequence[str]) -> dict[str, ExceptionCase]:
    """Fetch several cases, for staff: no tenancy is asked here."""
    if not case_ids:
        return {}
    statement = select(ExceptionCase).where(ExceptionCase.id.in_(case_ids))
    return {row.id: row for row in session.scalars(statement)}

"""Letting the desk's rules act on cases, right after they were opened; never while an event is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import AppError
from core.states import Case
from domain.cases import (
    case_backtests,
    case_conditions,
    case_rule_acts,
    case_rule_queries,
    case_rules,
)
from domain.cases.case_facts import facts_of
from domain.database import reading, transaction
from models.cases import CaseRule, CaseRuleUse, ExceptionCase

BATCH = 200
# A case may commit after one that was opened later: each look overlaps the one before by this much.
OVERLAP = timedelta(minutes=2)
# What waits for its age, or was passed over, is looked at again this often.
WHOLE_SECONDS = 60.0
log = structlog.get_logger()


@dataclass
class Sweep:
    """How far one worker has looked, per rule and version; forgotten with the process."""

    seen: dict[tuple[str, int], datetime] = field(default_factory=dict)
    whole_at: float = float("-inf")

    def begins_anew(self) -> bool:
        """Tell whether it is time to look at everything again."""
        now = clock.monotonic()
        if now - self.whole_at < WHOLE_SECONDS:
            return False
        self.whole_at = now
        self.seen.clear()
        return True


_sweep = Sweep()


def apply_rules(sweep: Sweep = _sweep) -> bool:
    """Let every enabled rule resolve the open cases that meet it. Gives whether any was.

    Writes, emits: as `case_rule_acts.apply`. Transaction: opens its own, one for each case.
    """
    with reading() as session:
        rules = case_rule_queries.list_enabled(session)
        if not rules:
            return False
        sweep.begins_anew()
        found = [(rule.id, case_id) for rule in rules for case_id in _due(session, rule, sweep)]
    return sum(_apply(rule_id, case_id) for rule_id, case_id in found) > 0


def _due(session: Session, rule: CaseRule, sweep: Sweep) -> list[str]:
    """List the open cases that a rule would resolve now, oldest first."""
    left = case_rules.DAY_LIMIT - case_rule_acts.used_today(session, rule)
    if rule.enabled_at is None or left <= 0:
        return []
    seen = sweep.seen.get((rule.id, rule.version))
    since = max(rule.enabled_at, seen - OVERLAP) if seen else rule.enabled_at
    conditions = case_rules.conditions_of(rule)
    found: list[str] = []
    rows = _open_cases(session, rule, since, after=None)
    while rows:
        for row, facts in zip(rows, facts_of(session, rows), strict=True):
            if case_conditions.match(conditions, facts) and not case_backtests.is_too_large(facts):
                found.append(row.id)
        if len(found) >= left:
            # The rest waits: they must be found again once the day allows it.
            return found[:left]
        sweep.seen[rule.id, rule.version] = rows[-1].opened_at
        rows = _open_cases(session, rule, since, after=rows[-1]) if len(rows) == BATCH else []
    return found


def _open_cases(
    session: Session, rule: CaseRule, since: datetime, *, after: ExceptionCase | None
) -> Sequence[ExceptionCase]:
    used = select(CaseRuleUse.case_id).where(CaseRuleUse.case_id == ExceptionCase.id)
    statement = select(ExceptionCase).where(
        ExceptionCase.kind == rule.kind,
        ExceptionCase.state == Case.OPEN.value,
        ExceptionCase.opened_at >= since,
        ~used.exists(),
    )
    if after is not None:
        statement = statement.where(
            (ExceptionCase.opened_at > after.opened_at)
            | ((ExceptionCase.opened_at == after.opened_at) & (ExceptionCase.id > after.id))
        )
    oldest = (ExceptionCase.opened_at, ExceptionCase.id)
    return session.scalars(statement.order_by(*oldest).limit(BATCH)).all()


def _apply(rule_id: str, case_id: str) -> bool:
    try:
        with transaction() as session:
            return case_rule_acts.apply(session, rule_id, case_id)
    except AppError as error:
        # Somebody took the case up meanwhile, or the verb does not fit it any more: people decide.
        log.info("rule.passed_over", rule=rule_id, case=case_id, code=error.code)
        return False

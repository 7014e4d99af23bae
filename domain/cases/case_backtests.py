"""Back-tests: what a rule would have done with past cases, against what people decided; bounded and true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, hashing
from core.hashing import Plain
from core.states import Case
from core.strictjson import Json
from domain.cases.case_conditions import Condition, match
from domain.cases.case_facts import CaseFacts, facts_of
from domain.control.thresholds import is_above_threshold
from models.cases import CaseRuleUse, ExceptionCase

# How far back and how many cases a back-test looks; beyond that it says that it did not look.
LOOKS_BACK = timedelta(days=365)
MOST_CASES = 2000
# Of the cases that people decided otherwise, so many are named; all are counted.
MOST_LISTED = 50
REVERSED = "reversed"


@dataclass(frozen=True)
class Differing:
    """One case that the rule would have resolved otherwise than people did."""

    case_id: str
    verb: str


@dataclass(frozen=True)
class Backtest:
    """How a rule would have done. examined: past cases of the kind that people decided; matched:
    those that meet the conditions; too_large: those that a rule leaves to people all the same;
    reversed: decided alike by a rule and taken back by people; is_whole: nothing was left out.
    """

    at: datetime
    since: datetime
    examined: int
    matched: int
    agreed: int
    differing: int
    reversed: int
    too_large: int
    is_whole: bool
    listed: tuple[Differing, ...]

    def wire(self) -> dict[str, Json]:
        """Write it as it is stored and answered."""
        listed: list[Json] = [{"caseId": each.case_id, "verb": each.verb} for each in self.listed]
        return {
            "at": clock.rfc3339(self.at),
            "since": clock.rfc3339(self.since),
            "examined": self.examined,
            "matched": self.matched,
            "agreed": self.agreed,
            "differing": self.differing,
            "reversed": self.reversed,
            "tooLarge": self.too_large,
            "isWhole": self.is_whole,
            "differingCases": listed,
        }


def is_too_large(facts: CaseFacts) -> bool:
    """Tell whether more is at risk than one person may decide about alone; then no rule does either."""
    return facts.at_risk is not None and is_above_threshold(facts.at_risk)


def digest(stored: Mapping[str, Json]) -> str:
    """Hash a stored back-test, for the approval that is bound to it."""
    said: Plain = dict(stored)  # type: ignore[arg-type]  # texts, whole numbers and truths only
    return hashing.digest(said)


def decided(
    session: Session, kinds: Sequence[str], *, since: datetime, limit: int
) -> list[ExceptionCase]:
    """List the newest cases of some kinds that people decided themselves, newest first.

    Transaction: caller's, reads only.
    """
    statement = (
        select(ExceptionCase)
        .where(
            ExceptionCase.kind.in_(kinds),
            ExceptionCase.resolved_at >= since,
            ExceptionCase.state == Case.RESOLVED.value,
            ExceptionCase.resolved_by.startswith("usr_", autoescape=True),
            ExceptionCase.verb.is_not(None),
        )
        .order_by(ExceptionCase.resolved_at.desc(), ExceptionCase.id.desc())
        .limit(limit)
    )
    return list(session.scalars(statement))


def run(session: Session, kind: str, conditions: Sequence[Condition], verb: str) -> Backtest:
    """Hold a rule against the past: the cases of its kind that people decided within a year.

    A case that a rule resolved with the same verb and people took back counts against it, whatever
    they decided afterwards. Transaction: caller's, reads only.
    """
    now = clock.now()
    since = now - LOOKS_BACK
    rows = decided(session, [kind], since=since, limit=MOST_CASES + 1)
    taken_back = _taken_back(session, kind, verb, since)
    by_people = rows[:MOST_CASES]
    known = {row.id for row in by_people}
    others = [row for row in taken_back.values() if row.id not in known]
    listed, agreed, matched, too_large, wrong = [], 0, 0, 0, 0
    for row, facts in zip(
        [*by_people, *others], facts_of(session, [*by_people, *others]), strict=True
    ):
        if not match(conditions, facts):
            continue
        if is_too_large(facts):
            too_large += 1
            continue
        matched += 1
        if row.id in taken_back:
            wrong += 1
            listed.append(Differing(row.id, REVERSED))
        elif row.verb == verb:
            agreed += 1
        else:
            listed.append(Differing(row.id, row.verb or ""))
    return Backtest(
        at=now,
        since=since,
        examined=len(by_people) + len(others),
        matched=matched,
        agreed=agreed,
        differing=len(listed),
        reversed=wrong,
        too_large=too_large,
        is_whole=len(rows) <= MOST_CASES and len(taken_back) < MOST_CASES,
        listed=tuple(listed[:MOST_LISTED]),
    )


def _taken_back(
    session: Session, kind: str, verb: str, since: datetime
) -> dict[str, ExceptionCase]:
    statement = (
        select(ExceptionCase)
        .join(CaseRuleUse, CaseRuleUse.case_id == ExceptionCase.id)
        .where(CaseRuleUse.kind == kind, CaseRuleUse.verb == verb, CaseRuleUse.reversed_at >= since)
        .order_by(CaseRuleUse.reversed_at.desc())
        .limit(MOST_CASES)
    )
    return {row.id: row for row in session.scalars(statement)}

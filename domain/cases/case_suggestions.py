"""What the desk would do with a case: what people did with the last ones like it, in a sentence with numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from core import clock
from core.case_kinds import KINDS, Verb
from core.states import Case
from core.strictjson import Json
from domain.cases import case_conditions, case_rules, case_subjects, case_verbs
from domain.cases.case_backtests import decided
from domain.cases.case_conditions import Condition
from domain.cases.case_facts import CaseFacts, facts_of
from domain.cases.case_verbs import Plan
from models.cases import ExceptionCase

# How far back precedents count, of how many cases at most, and how many of one mind it takes.
LOOKS_BACK = timedelta(days=30)
MOST_CASES, MOST_PRECEDENTS, FEWEST = 200, 20, 3
# Of ten decisions alike, nine must agree before anything is suggested.
AGREES_PERCENT = 90
# Shares that people think in; a case belongs under the first that is larger than its own.
STEPS = ("0.5", "1", "2", "3", "5", "10", "20", "50")
_PAST: Mapping[str, str] = {
    Verb.ACCEPT: "accepted",
    Verb.REFUND_DIFFERENCE: "refunded the difference of",
    Verb.REFUND_ALL: "refunded",
    Verb.CREDIT: "credited",
    Verb.TOP_UP: "asked for the rest of",
    Verb.REISSUE: "reissued",
    Verb.WRITE_OFF: "wrote off",
    Verb.LINK: "linked",
    Verb.MARK: "marked",
}


@dataclass(frozen=True)
class Precedent:
    """One case like it that people decided."""

    case_id: str
    verb: str
    decided_at: str


@dataclass(frozen=True)
class Suggestion:
    """What people did with cases like this one. conditions: what makes them alike, for a rule."""

    verb: str
    why: str
    precedents: tuple[Precedent, ...]
    kind: str
    conditions: tuple[Condition, ...]
    may_be_rule: bool

    def wire(self) -> dict[str, Json]:
        """Write it as the API answers it."""
        rows: list[Json] = [
            {"caseId": each.case_id, "verb": each.verb, "decidedAt": each.decided_at}
            for each in self.precedents
        ]
        return {"verb": self.verb, "why": self.why, "precedents": rows}


def suggest(session: Session, row: ExceptionCase) -> Suggestion | None:
    """Suggest what to do with one case; None where people have not made up their mind.

    Transaction: caller's, reads only.
    """
    return suggest_many(session, [row]).get(row.id)


def suggest_many(session: Session, rows: Sequence[ExceptionCase]) -> dict[str, Suggestion]:
    """Suggest for a page of cases at once: one look at the past for each kind on it.

    Only what waits gets a suggestion, and only one that fits it now. Transaction: caller's, reads only.
    """
    waiting = [row for row in rows if row.state != Case.RESOLVED.value and row.kind in KINDS]
    if not waiting:
        return {}
    past = _past(session, {row.kind for row in waiting})
    found = {}
    for row, facts in zip(waiting, facts_of(session, waiting), strict=True):
        if (suggestion := _suggestion(facts, past[row.kind])) is not None:
            found[row.id] = suggestion
    subjects = case_subjects.load(session, [row for row in waiting if row.id in found])
    return {
        case_id: found[case_id]
        for case_id, subject in subjects.items()
        if isinstance(case_verbs.answer(subject, Verb(found[case_id].verb)), Plan)
    }


def _past(
    session: Session, kinds: Iterable[str]
) -> dict[str, list[tuple[ExceptionCase, CaseFacts]]]:
    since = clock.now() - LOOKS_BACK
    found: dict[str, list[tuple[ExceptionCase, CaseFacts]]] = defaultdict(list)
    for kind in sorted(kinds):
        rows = decided(session, [kind], since=since, limit=MOST_CASES)
        found[kind] = list(zip(rows, facts_of(session, rows), strict=True))
    return found


def _suggestion(
    facts: CaseFacts, past: Sequence[tuple[ExceptionCase, CaseFacts]]
) -> Suggestion | None:
    conditions = alike(facts)
    if not conditions:
        return None
    known = [
        (row, other)
        for row, other in past
        if other.livemode == facts.livemode
        and other.case_id != facts.case_id
        and case_conditions.match(conditions, other)
    ][:MOST_PRECEDENTS]
    like = [row for row, _ in known]
    # What was done with tiny sums is no precedent for a large one that shares their upper bound.
    if sum(_is_as_large(other, conditions) for _, other in known) < FEWEST:
        return None
    verb, count = Counter(row.verb or "" for row in like).most_common(1)[0]
    if count * 100 < len(like) * AGREES_PERCENT or verb not in KINDS[facts.kind].verbs:
        return None
    return Suggestion(
        verb=verb,
        why=_why(facts.kind, conditions, verb, count, len(like)),
        precedents=tuple(_precedent(row) for row in like),
        kind=facts.kind,
        conditions=conditions,
        may_be_rule=verb in case_rules.VERBS and facts.kind not in case_rules.PEOPLE_ONLY,
    )


def _precedent(row: ExceptionCase) -> Precedent:
    return Precedent(row.id, row.verb or "", clock.rfc3339(row.resolved_at) or "")


def alike(facts: CaseFacts) -> tuple[Condition, ...]:
    """Say what makes other cases like this one: its share of the sum in steps, else its provider."""
    for name, part in (("shortfallPercent", facts.shortfall), ("excessPercent", facts.excess)):
        asked = case_conditions.FIELDS[name]
        if facts.kind not in asked.kinds or part is None:
            continue
        for step in STEPS:
            condition = Condition(name, "lt", step)
            if case_conditions.match([condition], facts):
                return (condition,)
        return ()
    return (Condition("provider", "eq", facts.provider),) if facts.provider else ()


def _is_as_large(facts: CaseFacts, conditions: Sequence[Condition]) -> bool:
    """Tell whether a case lies in the same step as the one that the conditions were made of."""
    (condition,) = conditions
    if condition.value not in STEPS or condition.value == STEPS[0]:
        return True
    below = STEPS[STEPS.index(str(condition.value)) - 1]
    return case_conditions.match([Condition(condition.field, "gte", below)], facts)


def _why(kind: str, conditions: Sequence[Condition], verb: str, count: int, among: int) -> str:
    when = case_conditions.explain(conditions)
    label = KINDS[kind].label.lower()
    return (
        f"People {_PAST[verb]} {count} of the last {among} “{label}” cases where {when},"
        f" within {LOOKS_BACK.days} days."
    )

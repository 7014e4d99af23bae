"""What an item of the checklist finds: how many problems, and which cases people have of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from core import case_kinds
from domain.cases.case_queries import UNRESOLVED
from models.cases import ExceptionCase

# More problems of one kind than this are counted, not named: nobody carries so many forward by hand.
MOST_NAMED = 1000


@dataclass(frozen=True)
class Problems:
    """What stands in the way. case_ids: the open cases of these problems; free: how many have none.

    note: for people, what was found, in a sentence.
    """

    count: int
    case_ids: frozenset[str] = frozenset()
    free: int = 0
    note: str = ""


NONE = Problems(0)


def found(count: int, note: str) -> Problems:
    """Tell of problems that are no case of anybody's."""
    return Problems(count, free=count, note=note) if count else NONE


def with_cases(session: Session, rows: Select[str, str | None], note: str) -> Problems:
    """Tell of problems, each with its open case or None. rows: their ids, and the ids of the cases."""
    named = session.execute(rows.limit(MOST_NAMED + 1)).all()
    ids = {row[0] for row in named}
    count = len(ids)
    if len(named) > MOST_NAMED:
        each = rows.subquery().c
        count = session.scalar(select(func.count(func.distinct(each[0])))) or 0
    covered = {row[0] for row in named if row[1] is not None}
    case_ids = frozenset(row[1] for row in named if row[1] is not None)
    return Problems(count, case_ids, count - len(covered), note) if count else NONE


def is_unresolved() -> ColumnElement[bool]:
    """Give the condition of a case that nobody has settled."""
    return ExceptionCase.state.in_(UNRESOLVED)


def risks_money() -> ColumnElement[bool]:
    """Give the condition of a case that puts money at risk, or may: its sum is not known."""
    kinds = [name for name, kind in case_kinds.KINDS.items() if kind.risks_money]
    unknown = ExceptionCase.risk_minor.is_(None) & ExceptionCase.kind.in_(kinds)
    return or_(ExceptionCase.risk_minor > 0, unknown)

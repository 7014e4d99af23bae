"""When a case is due, in words that are true by day, by night and over a weekend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core.case_kinds import Clock, Team
from dashboard import case_words
from domain.cases.case_targets import Target
from models.cases import ExceptionCase

TARGETS = {
    "OVERPAID": Target("OVERPAID", Team.FINANCE, 8, Clock.BUSINESS),
    "DEAD_LETTER": Target("DEAD_LETTER", Team.ENGINEERING, 4, Clock.ALWAYS),
}
SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "kind", "due", "said", "tone"),
    [
        (MONDAY, "OVERPAID", MONDAY + 3 * HOUR, "due in 3 working hours", "quiet"),
        (MONDAY, "OVERPAID", MONDAY + HOUR, "due in 1 working hour", "warn"),
        (MONDAY, "OVERPAID", MONDAY + HOUR / 2, "due in 30 working minutes", "warn"),
        (SATURDAY, "OVERPAID", MONDAY, "due in 3 working hours", "quiet"),
        (MONDAY, "OVERPAID", SATURDAY - 24 * HOUR, "overdue by 8 working hours", "bad"),
        (SATURDAY, "OVERPAID", SATURDAY - HOUR, "overdue", "bad"),
        (SATURDAY, "DEAD_LETTER", SATURDAY - HOUR, "overdue by 1 hour", "bad"),
        (SATURDAY, "DEAD_LETTER", SATURDAY + 25 * HOUR, "due in 25 hours", "quiet"),
    ],
)
def test_a_case_says_when_it_is_due(
    now: datetime, kind: str, due: datetime, said: str, tone: str
) -> None:
    row = ExceptionCase(kind=kind, state="open", sla_due_at=due)
    with time_machine.travel(now, tick=False):
        found = case_words.due(row, TARGETS)
    assert found is not None
    assert (found.word, found.tone) == (said, tone)


def test_a_settled_case_is_due_no_more() -> None:
    row = ExceptionCase(kind="OVERPAID", state="resolved", sla_due_at=MONDAY)
    assert case_words.due(row, TARGETS) is None

"""A suggestion says what people did with the last cases like this one, or nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from domain import database
from domain.cases import case_suggestions
from domain.cases.case_suggestions import Suggestion
from tests.domain import past
from tests.domain.world import World


@pytest.fixture(autouse=True)
def _there_is_a_world(world: World) -> None:
    del world


def suggest(case_id: str) -> Suggestion | None:
    case = past.read(case_id)
    with database.reading() as session:
        return case_suggestions.suggest(session, case)


def test_fourteen_of_fourteen_are_said_with_their_cases() -> None:
    made = past.accepted(14)
    found = suggest(past.case("97.10", days_ago=0))
    assert found is not None
    assert found.verb == "accept"
    assert found.why == (
        "People accepted 14 of the last 14 “underpaid” cases where the shortfall is less than 3 %,"
        " within 30 days."
    )
    assert {each.case_id for each in found.precedents} == set(made)
    wire = found.wire()
    assert sorted(wire) == ["precedents", "verb", "why"]


def test_no_precedent_no_suggestion() -> None:
    case_id = past.case(days_ago=0)
    assert suggest(case_id) is None
    past.accepted(2)
    assert suggest(case_id) is None
    past.case("97.40", verb="accept", days_ago=31)
    assert suggest(case_id) is None
    past.case("97.40", verb="accept", by="system:rule")
    assert suggest(case_id) is None
    past.case("60.00", verb="accept")
    assert suggest(case_id) is None
    past.accepted(1)
    assert suggest(case_id) is not None


def test_small_sums_are_no_precedent_for_large_ones() -> None:
    past.accepted(14)
    large = past.case("60.00", days_ago=0)
    assert suggest(large) is None
    for _ in range(3):
        past.case("60.00", verb="accept")
    found = suggest(large)
    assert found is not None
    assert "17 of the last 17" in found.why
    assert "less than 50 %" in found.why


def test_people_of_two_minds_suggest_nothing() -> None:
    past.accepted(4)
    past.case(verb="refund_all")
    assert suggest(past.case(days_ago=0)) is None
    past.accepted(6)
    found = suggest(past.case(days_ago=0))
    assert found is not None
    assert "10 of the last 11" in found.why


def test_verb_that_does_not_fit_is_not_suggested() -> None:
    for _ in range(5):
        past.case(verb="write_off")
    # Without an order nothing can be written off.
    assert suggest(past.case(days_ago=0)) is None


def test_settled_cases_and_shares_without_end_get_none() -> None:
    past.accepted(5)
    assert suggest(past.case(verb="accept")) is None
    assert suggest(past.case("1.00", days_ago=0)) is None
    assert suggest(past.case("100.00", days_ago=0)) is None


def test_page_of_cases_costs_a_bounded_number_of_questions() -> None:
    past.accepted(20)
    made = [past.case("97.10", days_ago=0) for _ in range(30)]
    made += [past.case("103.00", kind="OVERPAID", days_ago=0) for _ in range(30)]
    rows = [past.read(each) for each in made]
    asked = []
    engine = database.engine()

    def note(*_: object) -> None:
        asked.append(1)

    event.listen(engine, "before_cursor_execute", note)
    try:
        with database.reading() as session:
            found = case_suggestions.suggest_many(session, rows)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(found) == 30
    assert len(asked) <= 8

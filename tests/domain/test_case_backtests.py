"""A back-test tells the truth about a past that was written by hand, and how far it looked."""

from __future__ import annotations

import pytest

from domain import database
from domain.cases import case_backtests, case_conditions, case_rule_acts
from domain.cases.case_backtests import Backtest
from tests.domain import past
from tests.domain.world import World


def run(conditions: list[dict[str, object]] | None = None, kind: str = "UNDERPAID") -> Backtest:
    read = case_conditions.read(kind, past.SMALL if conditions is None else conditions)
    with database.reading() as session:
        return case_backtests.run(session, kind, read, "accept")


def test_fourteen_of_fourteen(world: World) -> None:
    del world
    past.accepted(14)
    found = run()
    assert (found.examined, found.matched, found.agreed, found.differing) == (14, 14, 14, 0)
    assert found.is_whole
    assert found.listed == ()


def test_it_counts_what_people_decided_and_nothing_else(world: World) -> None:
    del world
    past.accepted(5)
    other = past.case(verb="write_off")
    past.case("97.00", verb="accept")  # exactly 3 %, so not below it
    past.case("50.00", verb="refund_all")
    past.case(verb="accept", by="system:rule")
    past.case(verb="accept", days_ago=400)
    past.case("110.00", verb="accept", kind="OVERPAID")
    past.case()  # nobody has decided it
    past.case("99000.00", expected="100000.00", verb="accept")  # 1,000.00 is too much for a rule
    found = run()
    assert found.examined == 9
    assert (found.matched, found.agreed, found.differing) == (6, 5, 1)
    assert found.too_large == 1
    assert [(each.case_id, each.verb) for each in found.listed] == [(other, "write_off")]


def test_it_says_when_it_did_not_look_at_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    monkeypatch.setattr(case_backtests, "MOST_CASES", 4)
    past.accepted(6)
    found = run()
    assert (found.examined, found.matched, found.is_whole) == (4, 4, False)


def test_differing_cases_are_all_counted_and_some_listed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    monkeypatch.setattr(case_backtests, "MOST_LISTED", 2)
    for _ in range(5):
        past.case(verb="write_off")
    found = run()
    assert (found.matched, found.differing, len(found.listed)) == (5, 5, 2)


def test_what_people_took_back_counts_against_the_rule(world: World) -> None:
    del world
    past.accepted(3)
    fay, flo = past.person("fay"), past.person("flo")
    rule = past.enabled(fay, flo)
    case_id = past.case(days_ago=0)
    assert past.sweep()
    with database.transaction() as session:
        case_rule_acts.take_back(session, case_id, actor=flo, reason="Not this one", source="test")
    found = run()
    assert (found.matched, found.agreed, found.differing, found.reversed) == (4, 3, 1, 1)
    assert [(each.case_id, each.verb) for each in found.listed] == [(case_id, "reversed")]
    assert past.read_rule(rule.id).backtest["matched"] == 3

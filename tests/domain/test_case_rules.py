"""Rules of the exception desk: drafted, enabled by another person, at work, taken back, stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import clock
from core.case_kinds import Verb
from core.errors import AppError, Conflict, InvalidInput, SamePerson
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.cases import case_resolving, case_rule_acts, case_rules
from domain.cases.case_verbs import Wanted
from domain.control import approvals
from domain.jobs import rules as sweeping
from models.audit import AuditRow
from models.cases import CaseRule, CaseRuleUse, CaseRuleVersion, ExceptionCase
from models.events import EventLog
from tests.domain import past
from tests.domain.world import World


@pytest.fixture
def fay(world: World) -> Actor:
    del world
    return past.person("fay")


@pytest.fixture
def flo(world: World) -> Actor:
    del world
    return past.person("flo")


def disable(actor: Actor, rule_id: str) -> None:
    with database.transaction() as session:
        case_rules.disable(session, rule_id, actor=actor, reason="Enough", source="test")


def take_back(actor: Actor, case_id: str) -> CaseRule:
    with database.transaction() as session:
        return case_rule_acts.take_back(
            session, case_id, actor=actor, reason="Not this one", source="test"
        )


def uses(rule_id: str) -> list[CaseRuleUse]:
    with database.reading() as session:
        statement = select(CaseRuleUse).where(CaseRuleUse.rule_id == rule_id)
        return list(session.scalars(statement))


def test_draft_carries_its_back_test_and_is_there_once(fay: Actor, flo: Actor) -> None:
    past.accepted(4)
    rule = past.draft(fay)
    assert (rule.state, rule.version, rule.backtest["matched"]) == ("draft", 1, 4)
    for again in (past.SMALL, [{"field": "shortfallPercent", "op": "lt", "value": " 3.00 % "}]):
        with pytest.raises(Conflict) as refused:
            past.draft(flo, past.wanted(again))
        assert refused.value.details["ruleId"] == rule.id
    disable(flo, rule.id)
    assert past.draft(flo).id != rule.id


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (past.wanted(kind="NOTHING"), "kind"),
        (past.wanted(kind="FREEZE_BREACH"), "kind"),
        (past.wanted(kind="DISPUTE"), "kind"),
        (past.wanted([]), "condition"),
        (past.wanted(verb="refund_all"), "verb"),
        (past.wanted(verb="write_off"), "verb"),
        (past.wanted(verb="mark"), "verb"),
        (past.wanted(verb="credit"), "verb"),
        (past.wanted(verb=""), "verb"),
        (past.wanted(note="  "), "note"),
        (past.wanted(note="4242 4242 4242 4242"), "note"),
        (past.wanted(note="x" * 501), "note"),
        (past.wanted(past.SMALL * 6), "condition"),
        (past.wanted(past.SMALL * 2), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "eq", "value": "3"}]), "condition"),
        (past.wanted([{"field": "excessPercent", "op": "lt", "value": "3"}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": "3.001"}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": "-3"}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": "NaN"}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": "٣"}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": True}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": None}]), "condition"),
        (past.wanted([{"field": "shortfallPercent", "op": "lt", "value": ["3"]}]), "condition"),
        (past.wanted([{"field": "moneyAtRisk", "op": "lte", "value": "5"}]), "condition"),
        (past.wanted([{"field": "moneyAtRisk", "op": "lte", "value": "5.001 EUR"}]), "condition"),
        (
            past.wanted([{"field": "moneyAtRisk", "op": "lte", "value": {"amount": "5"}}]),
            "condition",
        ),
        (past.wanted([{"field": "currency", "op": "eq", "value": "DOUBLOON"}]), "condition"),
        (past.wanted([{"field": "currency", "op": "in", "value": []}]), "condition"),
        (past.wanted([{"field": "provider", "op": "eq", "value": "nobody"}]), "condition"),
        (past.wanted([{"field": "merchant", "op": "eq", "value": "mer_nobody"}]), "condition"),
        (past.wanted([{"field": "merchant", "op": "eq", "value": "' or 1=1"}]), "condition"),
        (past.wanted([{"field": "ageHours", "op": "gte", "value": "1e3"}]), "condition"),
        (past.wanted([{"field": "__class__", "op": "lt", "value": "3"}]), "condition"),
        (past.wanted([{"field": {"a": 1}, "op": ["lt"], "value": "3"}]), "condition"),
    ],
)
def test_what_a_rule_may_not_say_is_refused(
    fay: Actor, asked: case_rules.Wanted, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        past.draft(fay, asked)
    (wrong,) = refused.value.details["fields"]  # type: ignore[misc,union-attr]
    assert wrong["field"].split(".")[0] == field  # type: ignore[index,call-overload,union-attr]


def test_enabling_takes_two_and_neither_is_the_author(fay: Actor, flo: Actor) -> None:
    rule = past.draft(fay)
    approval, content_hash = past.ask(flo, rule.id)
    with pytest.raises(SamePerson):
        past.agree(flo, approval, content_hash)
    with pytest.raises(SamePerson, match="You drafted this rule"):
        past.agree(fay, approval, content_hash)
    assert past.read_rule(rule.id).state == "draft"
    abe = past.person("abe", Role.ADMIN)
    past.agree(abe, approval, content_hash)
    found = past.read_rule(rule.id)
    assert (found.state, found.approval_id) == ("enabled", approval)


def test_second_account_of_the_author_is_the_author(fay: Actor, flo: Actor) -> None:
    rule = past.draft(fay)
    approval, content_hash = past.ask(flo, rule.id)
    other = past.person("fay+two", Role.ADMIN)
    with pytest.raises(SamePerson):
        past.agree(other, approval, content_hash)


def test_next_version_voids_what_was_asked_for_with_the_one_before(fay: Actor, flo: Actor) -> None:
    rule = past.draft(fay)
    approval, content_hash = past.ask(fay, rule.id)
    wider = [{"field": "shortfallPercent", "op": "lt", "value": "50"}]
    with database.transaction() as session:
        case_rules.revise(session, rule.id, past.wanted(wider), actor=fay, source="test")
    with database.reading() as session:
        assert approvals.get(session, approval).state == "cancelled"
        kept = list(session.scalars(select(CaseRuleVersion).order_by(CaseRuleVersion.version)))
    assert [each.conditions[0]["value"] for each in kept] == ["3", "50"]  # type: ignore[index,call-overload]
    with pytest.raises(AppError):
        past.agree(flo, approval, content_hash)
    assert past.read_rule(rule.id).state == "draft"
    past.agree(flo, *past.ask(fay, rule.id))
    with database.transaction() as session, pytest.raises(Conflict):
        case_rules.revise(session, rule.id, past.wanted(), actor=fay, source="test")


def test_rule_changed_behind_everybodys_back_is_not_enabled(fay: Actor, flo: Actor) -> None:
    rule = past.draft(fay)
    approval, content_hash = past.ask(fay, rule.id)
    with database.transaction() as session:
        row = session.get_one(CaseRule, rule.id)
        row.conditions = [{"field": "shortfallPercent", "op": "lt", "value": "99"}]
    decision = past.agree(flo, approval, content_hash)
    assert decision.said is not None
    assert past.read_rule(rule.id).state == "draft"


def test_enabled_rule_resolves_new_cases_that_meet_it_and_no_others(fay: Actor, flo: Actor) -> None:
    before = past.case(days_ago=0)
    rule = past.enabled(fay, flo)
    meets = past.case(days_ago=0)
    exactly = past.case("97.00", days_ago=0)
    large = past.case("99000.00", expected="100000.00", days_ago=0)
    taken = past.case(days_ago=0, state="assigned", owner_id="usr_fin")
    other = past.case("103.00", days_ago=0, kind="OVERPAID")
    assert past.sweep() is True
    assert past.sweep() is False
    found = past.read(meets)
    assert (found.state, found.verb, found.rule_id) == ("resolved", "accept", rule.id)
    assert found.resolved_by == "system:rule"
    assert {past.read(each).state for each in (before, exactly, large, other)} == {"open"}
    assert past.read(taken).state == "assigned"
    assert [use.case_id for use in uses(rule.id)] == [meets]
    with database.reading() as session:
        said = select(AuditRow).where(AuditRow.object_id == meets, AuditRow.actor == "system:rule")
        (row,) = session.scalars(said)
    assert row.source == f"rule:{rule.id}"
    assert f"{rule.id} version 1" in (row.reason or "")
    assert found.resolution["ruleVersion"] == 1


def test_rule_acts_after_the_event_was_taken_in_never_with_it(
    world: World, fay: Actor, flo: Actor
) -> None:
    conditions: list[dict[str, object]] = [
        *past.SMALL,
        {"field": "provider", "op": "eq", "value": "stripe"},
        {"field": "rail", "op": "in", "value": ["card"]},
        {"field": "currency", "op": "eq", "value": "eur"},
        {"field": "moneyAtRisk", "op": "lte", "value": {"amount": "0.50", "currency": "EUR"}},
    ]
    rule = past.enabled(fay, flo, past.wanted(conditions))
    payment = world.payment()
    world.deliver_and_apply(world.paid(payment, 2450))
    with database.reading() as session:
        (case,) = session.scalars(select(ExceptionCase))
    assert (case.kind, case.state) == ("UNDERPAID", "open")
    assert past.sweep()
    assert past.read(case.id).rule_id == rule.id
    with database.reading() as session:
        told = select(EventLog).where(EventLog.type == "exception.resolved")
        (event,) = session.scalars(told)
    assert (event.payment_id, event.source) == (payment.id, f"rule:{rule.id}")


def test_draft_and_disabled_rules_do_nothing(fay: Actor, flo: Actor) -> None:
    past.draft(fay, past.wanted([{"field": "shortfallPercent", "op": "lt", "value": "50"}]))
    rule = past.enabled(fay, flo)
    disable(flo, rule.id)
    case_id = past.case(days_ago=0)
    assert not past.sweep()
    assert past.read(case_id).state == "open"


def test_two_workers_resolve_a_case_once(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    made = [past.case(days_ago=0) for _ in range(6)]

    def work(_: int) -> bool:
        return sweeping.apply_rules(sweeping.Sweep())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(use.case_id for use in uses(rule.id)) == sorted(made)
    with database.reading() as session:
        acted = select(AuditRow).where(
            AuditRow.actor == "system:rule", AuditRow.object_kind == "case"
        )
        assert sorted(row.object_id for row in session.scalars(acted)) == sorted(made)


def test_rule_and_person_press_at_the_same_moment_and_one_decides(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    made = [past.case(days_ago=0) for _ in range(8)]

    def by_person(case_id: str) -> bool:
        wanted = Wanted(Verb.ACCEPT, note="Mine")
        try:
            with database.transaction() as session:
                case_resolving.resolve(session, case_id, wanted, actor=flo, source="test")
        except AppError:
            return False
        return True

    def by_rule(case_id: str) -> bool:
        try:
            with database.transaction() as session:
                return case_rule_acts.apply(session, rule.id, case_id)
        except AppError:
            return False

    with ThreadPoolExecutor(4) as pool:
        pressed = [(pool.submit(by_person, each), pool.submit(by_rule, each)) for each in made]
        both = [(person.result(), own.result()) for person, own in pressed]
    for case_id, (person, own) in zip(made, both, strict=True):
        assert person != own
        assert past.read(case_id).resolved_by == (flo.id if person else "system:rule")
    assert len(uses(rule.id)) == sum(own for _, own in both)


def test_four_people_take_one_case_back_once(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    case_id = past.case(days_ago=0)
    past.sweep()

    def press(_: int) -> bool:
        try:
            take_back(flo, case_id)
        except AppError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(press, range(4))) == 1
    assert past.read_rule(rule.id).state == "enabled"
    with database.reading() as session:
        told = select(AuditRow).where(AuditRow.action == "exception.reopen")
        assert len(list(session.scalars(told))) == 1


def test_rule_leaves_what_it_finds_taken(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    case_id = past.case(days_ago=0)
    with database.transaction() as session:
        session.get_one(ExceptionCase, case_id).state = "assigned"
    with database.transaction() as session:
        assert case_rule_acts.apply(session, rule.id, case_id) is False
    assert uses(rule.id) == []


def test_day_has_an_end(fay: Actor, flo: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_rules, "DAY_LIMIT", 2)
    rule = past.enabled(fay, flo)
    made = [past.case(days_ago=0) for _ in range(4)]
    past.sweep()
    past.sweep()
    assert len(uses(rule.id)) == 2
    with database.transaction() as session:
        for use in session.scalars(select(CaseRuleUse)):
            use.at = clock.now() - timedelta(hours=25)
    past.sweep()
    assert {past.read(each).state for each in made} == {"resolved"}


def test_taken_back_case_waits_for_people_and_the_rule_leaves_it(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    case_id = past.case(days_ago=0)
    past.sweep()
    take_back(flo, case_id)
    found = past.read(case_id)
    assert (found.state, found.verb, found.rule_id, found.resolved_at) == ("open", None, None, None)
    assert past.sweep() is False
    with pytest.raises(Conflict):
        take_back(flo, case_id)
    (use,) = uses(rule.id)
    assert (use.reversed_by, use.reversed_reason) == (flo.id, "Not this one")


def test_no_other_rule_takes_up_what_people_took_back(fay: Actor, flo: Actor) -> None:
    past.enabled(fay, flo)
    wider: list[dict[str, object]] = [{"field": "shortfallPercent", "op": "lt", "value": "50"}]
    other = past.enabled(fay, flo, past.wanted(wider))
    case_id, second = past.case(days_ago=0), past.case("60.00", days_ago=0)
    past.sweep()
    take_back(flo, case_id)
    past.sweep()
    assert past.read(case_id).state == "open"
    assert [use.case_id for use in uses(other.id)] == [second]


def test_what_a_person_resolved_is_not_taken_back_this_way(fay: Actor) -> None:
    (case_id,) = past.accepted(1)
    with pytest.raises(Conflict):
        take_back(fay, case_id)
    assert past.read(case_id).state == "resolved"


def test_rule_stops_itself_when_people_take_two_back(fay: Actor, flo: Actor) -> None:
    rule = past.enabled(fay, flo)
    made = [past.case(days_ago=0) for _ in range(3)]
    past.sweep()
    take_back(flo, made[0])
    assert past.read_rule(rule.id).state == "enabled"
    take_back(flo, made[1])
    assert past.read_rule(rule.id).state == "disabled"
    with database.reading() as session:
        stopped = select(ExceptionCase).where(ExceptionCase.kind == "RULE_STOPPED")
        (told,) = session.scalars(stopped)
    assert "2 of the last 20" in told.sentence
    late = past.case(days_ago=0)
    past.sweep()
    assert past.read(late).state == "open"
    assert past.read(made[2]).state == "resolved"


def test_age_is_waited_for(fay: Actor, flo: Actor) -> None:
    conditions: list[dict[str, object]] = [
        *past.SMALL,
        {"field": "ageHours", "op": "gte", "value": "24"},
    ]
    rule = past.enabled(fay, flo, past.wanted(conditions))
    case_id = past.case(days_ago=0)
    assert not past.sweep()
    with database.transaction() as session:
        long_ago = clock.now() - timedelta(hours=25)
        session.get_one(CaseRule, rule.id).enabled_at = long_ago
        session.get_one(ExceptionCase, case_id).opened_at = long_ago
    assert past.sweep()
    assert past.read(case_id).state == "resolved"

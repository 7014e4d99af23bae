"""Rules of the exception desk: listed, drafted with their back-test, asked to be enabled, disabled at once."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoQuery,
    Out,
    PageQuery,
    Pending,
    Session,
    Text,
    endpoint,
    place_of,
    run_once,
)
from api.contract.calls import NoBody
from api.contract.paging import cursor
from core import clock
from core.permissions import Permission
from domain.cases import case_conditions, case_rule_queries, case_rules
from domain.cases.case_rule_queries import Uses
from domain.database import reading
from domain.payments.payments import Page
from models.cases import CaseRule

blueprint = Blueprint("exception_rules", __name__)


class ConditionIn(In):
    """One condition. `moneyAtRisk` takes `{"amount": "5.00", "currency": "EUR"}` or `"5.00 EUR"`."""

    field: str = Field(max_length=40, json_schema_extra={"enum": list(case_conditions.FIELDS)})
    op: str = Field(max_length=8, json_schema_extra={"enum": list(case_conditions.OPS)})
    value: Any


class RuleIn(In):
    """What the rule shall say. Only verbs that move no money may be a rule's."""

    kind: str = Field(max_length=32)
    condition: list[ConditionIn] = Field(min_length=1, max_length=case_conditions.MOST_CONDITIONS)
    verb: str = Field(max_length=32, json_schema_extra={"enum": list(case_rules.VERBS)})
    note: Text = Field(max_length=case_rules.LONGEST_NOTE)


class RuleReasonIn(In):
    """Why."""

    reason: Text = Field(min_length=3, max_length=500)


class ConditionOut(Out):
    """One condition as it was read."""

    field: str
    op: str
    value: Any


class DifferingOut(Out):
    """One past case that people decided otherwise; `reversed`: a rule did, and people took it back."""

    case_id: str
    verb: str


class BacktestOut(Out):
    """How the rule would have done on the cases of its kind that people decided within a year."""

    at: str
    since: str
    examined: int
    matched: int
    agreed: int
    differing: int
    reversed: int
    too_large: int
    is_whole: bool
    differing_cases: list[DifferingOut]


class RuleOut(Out):
    """One rule, its newest version."""

    rule_id: str
    version: int
    kind: str
    condition: list[ConditionOut]
    explanation: str
    verb: str
    note: str
    state: str
    backtest: BacktestOut
    resolved_count: int
    reversed_count: int
    drafted_by: str
    drafted_at: str
    enabled_at: str | None
    disabled_at: str | None
    approval_id: str | None


def wire(rule: CaseRule, uses: Uses) -> dict[str, Any]:
    """Write a rule as the API answers it."""
    return {
        "ruleId": rule.id,
        "version": rule.version,
        "kind": rule.kind,
        "condition": rule.conditions,
        "explanation": case_conditions.explain(case_rules.conditions_of(rule)),
        "verb": rule.verb,
        "note": rule.note,
        "state": rule.state,
        "backtest": rule.backtest,
        "resolvedCount": uses.resolved,
        "reversedCount": uses.reversed,
        "draftedBy": rule.drafted_by,
        "draftedAt": clock.rfc3339(rule.drafted_at),
        "enabledAt": clock.rfc3339(rule.enabled_at),
        "disabledAt": clock.rfc3339(rule.disabled_at),
        "approvalId": rule.approval_id,
    }


@endpoint(
    blueprint,
    "GET",
    "/api/exception-rules",
    access=Permission.RULES_READ,
    query=PageQuery,
    answers={200: Listed[RuleOut]},
    summary="List the desk's rules, newest first, each with its back-test and what it resolved.",
    requirement="N7",
)
def index(call: Call[NoBody, PageQuery]) -> Answer:
    place = place_of(call.query)
    with reading() as session:
        page = Page(place.limit, place.before)
        rows, more = case_rule_queries.list_rules(session, page=page)
        uses = case_rule_queries.uses_of(session, [row.id for row in rows])
    items = [wire(row, uses.get(row.id, Uses())) for row in rows]
    after = cursor((rows[-1].drafted_at, rows[-1].id)) if more else None
    return Answer(200, {"items": items, "nextCursor": after})


def _draft(session: Session, call: Call[RuleIn, NoQuery]) -> Answer:
    body = call.body
    given = [{"field": each.field, "op": each.op, "value": each.value} for each in body.condition]
    wanted = case_rules.Wanted(body.kind, given, body.verb, body.note)
    rule = case_rules.draft(session, wanted, actor=call.actor, source=call.source)
    return Answer(201, wire(rule, Uses()), location=f"/api/exception-rules/{rule.id}")


@endpoint(
    blueprint,
    "POST",
    "/api/exception-rules",
    access=Permission.RULES_DRAFT,
    body=RuleIn,
    answers={201: RuleOut},
    key="O",
    errors=["CONFLICT"],
    events=["rule.drafted"],
    summary="Draft a rule; it is held against past cases at once and does nothing until enabled.",
    requirement="N7",
)
def draft(call: Call[RuleIn, NoQuery]) -> Answer:
    return run_once(call, lambda session: _draft(session, call))


def _enable(session: Session, call: Call[RuleReasonIn, NoQuery]) -> Answer:
    rule_id = call.path["ruleId"]
    asked = case_rules.ask_enable(
        session, rule_id, actor=call.actor, reason=call.body.reason, source=call.source
    )
    said = {
        "ruleId": rule_id,
        "version": asked.details["version"],
        "status": "pending_approval",
        "approvalId": asked.id,
        "approvalExpiresAt": clock.rfc3339(asked.expires_at),
    }
    return Answer(202, said)


@endpoint(
    blueprint,
    "POST",
    "/api/exception-rules/{ruleId}/enable",
    access=Permission.RULES_ENABLE,
    body=RuleReasonIn,
    answers={202: Pending},
    key="O",
    errors=["NOT_FOUND", "CONFLICT", "SAME_PERSON"],
    events=["approval.requested", "rule.enabled"],
    summary="Ask that a draft be enabled; somebody else agrees on the desk.",
    requirement="N7",
    deviation="SAME_PERSON is said to whoever agrees: neither asker nor author of this version may.",
)
def enable(call: Call[RuleReasonIn, NoQuery]) -> Answer:
    return run_once(call, lambda session: _enable(session, call))


def _disable(session: Session, call: Call[RuleReasonIn, NoQuery]) -> Answer:
    rule = case_rules.disable(
        session,
        call.path["ruleId"],
        actor=call.actor,
        reason=call.body.reason,
        source=call.source,
    )
    uses = case_rule_queries.uses_of(session, [rule.id])
    return Answer(200, wire(rule, uses.get(rule.id, Uses())))


@endpoint(
    blueprint,
    "POST",
    "/api/exception-rules/{ruleId}/disable",
    access=Permission.RULES_ENABLE,
    body=RuleReasonIn,
    answers={200: RuleOut},
    key="O",
    errors=["NOT_FOUND"],
    events=["rule.disabled"],
    summary="End a rule at once; what it resolved stays resolved until somebody takes that back.",
    requirement="N7",
)
def disable(call: Call[RuleReasonIn, NoQuery]) -> Answer:
    return run_once(call, lambda session: _disable(session, call))

"""Exception cases as the API shows them: the records that document them and what writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from api import shapes
from api.contract import MoneyOut, Out
from core import clock
from core.money import Money, asset
from domain.actors import Actor
from domain.cases import case_suggestions, case_verbs
from domain.cases.case_queries import CaseMoment
from domain.cases.case_subjects import Subject, load
from domain.cases.case_suggestions import Suggestion
from domain.idempotency import Session
from models.cases import CaseNote, ExceptionCase
from models.inbound import InboundEvent


class PrecedentOut(Out):
    """One case like it that people decided."""

    case_id: str
    verb: str
    decided_at: str


class SuggestionOut(Out):
    """What people did with cases like this one."""

    verb: str
    why: str
    precedents: list[PrecedentOut]


class CaseOut(Out):
    """One oddity. A merchant reads kind, ids and state; the rest is for staff.

    allowedVerbs: by which the caller may settle it now.
    """

    case_id: str
    kind: str
    state: str
    payment_id: str | None
    order_id: str | None
    opened_at: str
    sentence: str | None = None
    expected: str | None = None
    found: str | None = None
    money_at_risk: MoneyOut | None = None
    team: str | None = None
    owner: str | None = None
    sla_due_at: str | None = None
    verb: str | None = None
    resolved_at: str | None = None
    resolved_by: str | None = None
    approval_id: str | None = None
    suggestion: SuggestionOut | None = None
    allowed_verbs: list[str] = Field(default_factory=list)


class MomentOut(Out):
    """One thing that happened to a case."""

    at: str
    actor: str
    text: str
    reason: str | None


class EvidenceOut(Out):
    """One provider event that speaks of the case."""

    inbound_id: str
    provider_event_id: str | None
    type: str
    state: str
    received_at: str


class CaseNoteOut(Out):
    """What somebody wrote on a case."""

    note_id: str
    note: str
    actor: str
    at: str


class CaseDetailOut(CaseOut):
    """One case with what was written on it, what happened to it and what speaks of it."""

    notes: list[CaseNoteOut]
    timeline: list[MomentOut]
    evidence: list[EvidenceOut]


def risk(row: ExceptionCase) -> Money | None:
    """Give the money at risk, or None where none is."""
    if row.risk_minor is None or row.asset is None:
        return None
    return Money(row.risk_minor, asset(row.asset))


def plain(row: ExceptionCase, actor: Actor) -> dict[str, Any]:
    """Write a case without what has to be worked out for it."""
    own = {
        "caseId": row.id,
        "kind": row.kind,
        "state": row.state,
        "paymentId": row.payment_id,
        "orderId": row.order_id,
        "openedAt": clock.rfc3339(row.opened_at),
    }
    if not actor.is_staff:
        return own
    at_risk = risk(row)
    return own | {
        "sentence": row.sentence,
        "expected": row.expected,
        "found": row.found,
        "moneyAtRisk": shapes.amount(at_risk.minor, at_risk.asset) if at_risk else None,
        "team": row.team,
        "owner": row.owner_id,
        "slaDueAt": clock.rfc3339(row.sla_due_at),
        "verb": row.verb,
        "resolvedAt": clock.rfc3339(row.resolved_at),
        "resolvedBy": row.resolved_by,
        "approvalId": row.approval_id,
    }


def _decided(
    subject: Subject | None, suggestion: Suggestion | None, actor: Actor
) -> dict[str, Any]:
    verbs = [] if subject is None else case_verbs.allowed(subject, actor)
    return {
        "suggestion": suggestion.wire() if suggestion else None,
        "allowedVerbs": [verb.value for verb in verbs],
    }


def several(session: Session, rows: Sequence[ExceptionCase], actor: Actor) -> list[dict[str, Any]]:
    """Write a page of cases, asking a bounded number of questions for all of them."""
    if not actor.is_staff:
        return [plain(row, actor) for row in rows]
    subjects = load(session, rows)
    suggested: Mapping[str, Suggestion] = case_suggestions.suggest_many(session, rows)
    return [
        plain(row, actor) | _decided(subjects.get(row.id), suggested.get(row.id), actor)
        for row in rows
    ]


def one(session: Session, row: ExceptionCase, actor: Actor) -> dict[str, Any]:
    """Write one case."""
    (said,) = several(session, [row], actor)
    return said


def moment(found: CaseMoment) -> dict[str, Any]:
    """Write one thing that happened."""
    return {
        "at": clock.rfc3339(found.at),
        "actor": found.actor,
        "text": found.text,
        "reason": found.reason,
    }


def evidence(row: InboundEvent) -> dict[str, Any]:
    """Write an event that speaks of a case."""
    return {
        "inboundId": row.id,
        "providerEventId": row.provider_event_id,
        "type": row.type,
        "state": row.state,
        "receivedAt": clock.rfc3339(row.received_at),
    }


def note(row: CaseNote) -> dict[str, Any]:
    """Write a note."""
    return {"noteId": row.id, "note": row.note, "actor": row.actor, "at": clock.rfc3339(row.at)}

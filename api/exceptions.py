"""Exception cases: what a person must look at, listed and read; a merchant sees their own in short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api import shapes
from api.contract import (
    Answer,
    Call,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    RangeQuery,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    place_of,
)
from api.contract.paging import cursor
from core import case_kinds, clock
from core.csvsafe import Cell
from core.errors import Forbidden, invalid
from core.money import Money, asset
from core.permissions import Permission
from core.states import Case
from domain import case_queries
from domain.actors import Actor
from domain.case_queries import CaseFilter, CaseMoment
from domain.database import reading
from domain.payments import LONGEST_PAGE, Page
from models.cases import ExceptionCase
from models.inbound import InboundEvent

blueprint = Blueprint("exceptions", __name__)
COLUMNS = (
    "caseId kind state sentence expected found moneyAtRisk currency paymentId orderId team owner "
    "openedAt slaDueAt"
).split()


class CaseOut(Out):
    """One oddity. A merchant reads kind, ids and state; the rest is for staff."""

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
    suggestion: dict[str, Any] | None = None
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


class CaseDetailOut(CaseOut):
    """One case with what happened to it and what speaks of it."""

    notes: list[dict[str, Any]]
    timeline: list[MomentOut]
    evidence: list[EvidenceOut]


class CaseQuery(RangeQuery):
    """Which cases. `q` searches ids and the provider's reference; format: export all."""

    kind: Several = ()
    state: Several = ()
    owner: Several = ()
    team: Several = ()
    payment_id: Several = ()
    overdue: bool | None = None
    q: str | None = Field(default=None, max_length=255)
    format: Literal["csv", "json"] | None = None


def _risk(row: ExceptionCase) -> dict[str, Any] | None:
    if row.risk_minor is None or row.asset is None:
        return None
    return shapes.amount(row.risk_minor, asset(row.asset))


def _case(row: ExceptionCase, actor: Actor) -> dict[str, Any]:
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
    return own | {
        "sentence": row.sentence,
        "expected": row.expected,
        "found": row.found,
        "moneyAtRisk": _risk(row),
        "team": row.team,
        "owner": row.owner_id,
        "slaDueAt": clock.rfc3339(row.sla_due_at),
        "suggestion": None,
        "allowedVerbs": [],
    }


def _filter(asked: CaseQuery) -> CaseFilter:
    states = [word.value for word in Case]
    for field, words, known in (
        ("kind", asked.kind, sorted({*case_kinds.KINDS, *case_kinds.LATER})),
        ("state", asked.state, states),
    ):
        if unknown := [word for word in words if word not in known]:
            sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
            raise invalid(field, sentence, code="unknown_value")
    return CaseFilter(
        kind=asked.kind,
        state=asked.state,
        owner=asked.owner,
        team=asked.team,
        payment_id=asked.payment_id,
        overdue=asked.overdue,
        q=asked.q,
        opened_from=asked.since,
        opened_to=asked.until,
    )


def _all(wanted: CaseFilter, actor: Actor) -> Iterator[ExceptionCase]:
    """Walk every page; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        page = Page(LONGEST_PAGE, before)
        with reading() as session:
            rows, before = case_queries.list_cases(session, wanted, actor=actor, page=page)
        yield from rows
        if before is None:
            return


def _cells(row: ExceptionCase, actor: Actor) -> list[Cell]:
    said = _case(row, actor)
    of = asset(row.asset) if row.asset and actor.is_staff else None
    risk = Money(row.risk_minor, of) if of and row.risk_minor is not None else None
    money = {"moneyAtRisk": risk.as_decimal() if risk else None, "currency": of.code if of else ""}
    return [money.get(name, said.get(name)) for name in COLUMNS]


@endpoint(
    blueprint,
    "GET",
    "/api/exceptions",
    access=Permission.EXCEPTIONS_READ,
    query=CaseQuery,
    answers={200: Listed[CaseOut]},
    summary="List exception cases, newest first, or export them.",
    requirement="S32",
)
def index(call: Call[NoBody, CaseQuery]) -> Answer | Response:
    wanted, place, actor = _filter(call.query), place_of(call.query), call.actor
    if call.query.format == "csv":
        rows = (_cells(row, actor) for row in _all(wanted, actor))
        return csv_answer("exceptions", COLUMNS, rows)
    if call.query.format == "json":
        around = (b'{"items":[', b'],"nextCursor":null}')
        return json_stream((_case(row, actor) for row in _all(wanted, actor)), around=around)
    page = Page(place.limit, place.before)
    with reading() as session:
        found, more = case_queries.list_cases(session, wanted, actor=actor, page=page)
    items = [_case(row, actor) for row in found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


def _moment(moment: CaseMoment) -> dict[str, Any]:
    return {
        "at": clock.rfc3339(moment.at),
        "actor": moment.actor,
        "text": moment.text,
        "reason": moment.reason,
    }


def _evidence(row: InboundEvent) -> dict[str, Any]:
    return {
        "inboundId": row.id,
        "providerEventId": row.provider_event_id,
        "type": row.type,
        "state": row.state,
        "receivedAt": clock.rfc3339(row.received_at),
    }


@endpoint(
    blueprint,
    "GET",
    "/api/exceptions/{caseId}",
    access=Permission.EXCEPTIONS_READ,
    answers={200: CaseDetailOut},
    summary="Read one case with what happened to it and what speaks of it; staff only.",
    requirement="S32",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    if not call.actor.is_staff:
        raise Forbidden
    with reading() as session:
        row = case_queries.get_case(session, call.path["caseId"], actor=call.actor)
        timeline = [_moment(each) for each in case_queries.moments_of(session, row.id)]
        evidence = [_evidence(each) for each in case_queries.events_behind(session, row)]
    body = _case(row, call.actor)
    return Answer(200, body | {"notes": [], "timeline": timeline, "evidence": evidence})

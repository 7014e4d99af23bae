"""Exception cases: what a person must look at, listed and read; a merchant sees their own in short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from flask import Blueprint, Response
from pydantic import Field

from api import exception_shapes as wire
from api.contract import (
    Answer,
    Call,
    Listed,
    NoBody,
    NoQuery,
    RangeQuery,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    place_of,
)
from api.contract.paging import cursor
from api.exception_shapes import CaseDetailOut, CaseOut
from core import case_kinds
from core.csvsafe import Cell
from core.errors import Forbidden, invalid
from core.permissions import Permission
from core.states import Case
from domain.actors import Actor
from domain.cases import case_acts, case_queries
from domain.cases.case_queries import CaseFilter
from domain.database import reading
from domain.payments.payments import LONGEST_PAGE, Page
from models.cases import ExceptionCase

blueprint = Blueprint("exceptions", __name__)
COLUMNS = (
    "caseId kind state sentence expected found moneyAtRisk currency paymentId orderId team owner "
    "openedAt slaDueAt verb resolvedAt resolvedBy"
).split()


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


def _filter(asked: CaseQuery) -> CaseFilter:
    states = [word.value for word in Case]
    for field, words, known in (
        ("kind", asked.kind, sorted({*case_kinds.KINDS, *case_kinds.LATER})),
        ("state", asked.state, states),
        ("team", asked.team, [team.value for team in case_kinds.Team]),
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
    said = wire.plain(row, actor)
    risk = wire.risk(row) if actor.is_staff else None
    money: dict[str, Cell] = {
        "moneyAtRisk": risk.as_decimal() if risk else None,
        "currency": risk.asset.code if risk else "",
    }
    return [money[name] if name in money else said.get(name) for name in COLUMNS]


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
        return json_stream((wire.plain(row, actor) for row in _all(wanted, actor)), around=around)
    page = Page(place.limit, place.before)
    with reading() as session:
        found, more = case_queries.list_cases(session, wanted, actor=actor, page=page)
        items = wire.several(session, found, actor)
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


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
        body = wire.one(session, row, call.actor) | {
            "notes": [wire.note(each) for each in case_acts.notes_of(session, row.id)],
            "timeline": [wire.moment(each) for each in case_queries.moments_of(session, row.id)],
            "evidence": [wire.evidence(each) for each in case_queries.events_behind(session, row)],
        }
    return Answer(200, body)

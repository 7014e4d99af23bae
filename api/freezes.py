"""Freezes: what is held, what holding would hold, holding it, and asking for it to be let go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, StringConstraints

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Pending,
    Query,
    Session,
    Several,
    endpoint,
    money_out,
    place_of,
    run_once,
)
from api.contract.paging import cursor
from core import clock
from core.errors import invalid
from core.permissions import Permission
from core.states import Freeze as State
from domain.control import freeze_queries, freezes, held, lifting
from domain.control.freeze_queries import FreezeFilter
from domain.control.freezes import Wanted
from domain.control.held import Forecast, Item, Place
from domain.database import reading
from domain.payments.payments import Page
from domain.transitions import Why

blueprint = Blueprint("freezes", __name__)
Scope = Literal["all", "rail", "merchant", "order"]
Reason = Annotated[
    str, StringConstraints(min_length=3, max_length=freezes.LONGEST_REASON, strip_whitespace=True)
]


class FreezeOut(Out):
    """One hold on money out. Whoever is held reads what and until when; the rest is for staff."""

    freeze_id: str
    scope: Scope
    scope_id: str | None
    state: Literal["active", "lifted", "expired"]
    until: str | None
    reason: str | None = None
    engaged_by: str | None = None
    engaged_at: str | None = None
    cause: str | None = None
    lifted_by: list[str] = Field(default_factory=list)


class ForecastOut(Out):
    """What a freeze holds, as of now: acts by kind, their sums, and how many it is too late for."""

    releases: int
    payouts: int
    refunds: int
    withdrawals: int
    amount: list[MoneyOut]
    in_flight: int


class HeldOut(Out):
    """One act that waits. It is found under its approval."""

    kind: str
    id: str
    status: str
    amount: MoneyOut | None
    approval_id: str | None


class InFlightOut(Out):
    """One act that was on its way already; it is only watched."""

    kind: str
    id: str
    status: str
    transaction_hash: str | None


class EngagedOut(FreezeOut):
    """A freeze that holds, with what it holds."""

    forecast: ForecastOut


class FreezeDetailOut(EngagedOut):
    """One freeze with the oldest of what it holds; `forecast` counts all of it."""

    held: list[HeldOut]
    in_flight: list[InFlightOut]


class FreezeIn(In):
    """What to hold, why and until when. scopeId: a rail's name, a merchant's or an order's id."""

    scope: Scope
    scope_id: str | None = Field(default=None, min_length=1, max_length=64)
    reason: Reason
    until: Instant | None = None


class LiftIn(In):
    """Why it may be let go."""

    reason: Reason


class FreezeQuery(PageQuery):
    """Which freezes."""

    state: Several = ()
    scope: Several = ()


class ForecastQuery(Query):
    """What would be held."""

    scope: Scope
    scope_id: str | None = Field(default=None, min_length=1, max_length=64)


def _known(field: str, words: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    if unknown := [word for word in words if word not in known]:
        sentence = f"{unknown[0][:40]!r} is not among {', '.join(known)}."
        raise invalid(field, sentence, code="unknown_value")
    return words


def _forecast(found: Forecast) -> dict[str, Any]:
    amounts = [money_out(each) for each in found.amounts]
    return {**found.counts, "amount": amounts, "inFlight": found.in_flight}


def _held(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "id": item.id,
        "status": item.status,
        "amount": money_out(item.amount) if item.amount else None,
        "approvalId": item.approval_id,
    }


def _in_flight(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "id": item.id,
        "status": item.status,
        "transactionHash": item.transaction_hash,
    }


@endpoint(
    blueprint,
    "GET",
    "/api/freezes",
    access=Permission.FREEZES_READ,
    query=FreezeQuery,
    answers={200: Listed[FreezeOut]},
    summary="List freezes, newest first; merchants and sellers see what holds their own money now.",
    requirement="S9",
)
def index(call: Call[NoBody, FreezeQuery]) -> Answer:
    wanted = FreezeFilter(
        state=_known("state", call.query.state, [each.value for each in State]),
        scope=_known("scope", call.query.scope, freezes.SCOPES),
    )
    place, is_staff = place_of(call.query), call.actor.is_staff
    page = Page(place.limit, place.before)
    with reading() as session:
        rows, more = freeze_queries.list_freezes(session, wanted, actor=call.actor, page=page)
    items = [freeze_queries.wire(row, for_staff=is_staff) for row in rows]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/freezes/forecast",
    access=Permission.FREEZES_FORECAST,
    query=ForecastQuery,
    answers={200: ForecastOut},
    summary="What would a freeze hold, and what is it too late for?",
    requirement="S69",
)
def forecast(call: Call[NoBody, ForecastQuery]) -> Answer:
    scope, scope_id = call.query.scope, call.query.scope_id or ""
    with reading() as session:
        freezes.assert_scope(session, scope, scope_id)
        return Answer(200, _forecast(held.forecast(session, Place(scope, scope_id))))


@endpoint(
    blueprint,
    "POST",
    "/api/freezes",
    access=Permission.FREEZES_ENGAGE,
    body=FreezeIn,
    answers={201: EngagedOut, 200: EngagedOut},
    key="O",
    errors=["NOT_FOUND"],
    events=["freeze.engaged"],
    summary="Hold money out at once; when it is held already, it lasts until the later of the two ends.",
    requirement="S9",
)
def engage(call: Call[FreezeIn, NoQuery]) -> Answer:
    body = call.body
    wanted = Wanted(body.scope, body.scope_id or "", body.reason, body.until)

    def work(session: Session) -> Answer:
        why = Why(call.actor, call.source, body.reason)
        row, is_new = freezes.engage(session, wanted, why=why)
        found = held.forecast(session, Place(row.scope, row.scope_id))
        said = freeze_queries.wire(row, for_staff=True) | {"forecast": _forecast(found)}
        return Answer(201 if is_new else 200, said, location=f"/api/freezes/{row.id}")

    return run_once(call, work)


@endpoint(
    blueprint,
    "GET",
    "/api/freezes/{freezeId}",
    access=Permission.CONTROLS_READ,
    answers={200: FreezeDetailOut},
    errors=["NOT_FOUND"],
    summary="Read one freeze with what it holds and what was on its way already; staff only.",
    requirement="S69",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = freeze_queries.get_freeze(session, call.path["freezeId"])
        place = Place(row.scope, row.scope_id)
        holds = freeze_queries.state_of(row) == State.ACTIVE
        found = held.forecast(session, place) if holds else held.NOTHING
        waiting = held.list_waiting(session, place) if holds else []
        going = held.list_on_their_way(session, place) if holds else []
    said = freeze_queries.wire(row, for_staff=True)
    said |= {
        "forecast": _forecast(found),
        "held": [_held(item) for item in waiting],
        "inFlight": [_in_flight(item) for item in going],
    }
    return Answer(200, said)


@endpoint(
    blueprint,
    "POST",
    "/api/freezes/{freezeId}/lift",
    access=Permission.FREEZES_LIFT,
    body=LiftIn,
    answers={202: Pending},
    key="O",
    errors=["NOT_FOUND", "INVALID_TRANSITION", "INVARIANT_RED", "SAME_PERSON", "CONFLICT"],
    events=["approval.requested", "freeze.lifted"],
    summary="Ask for a freeze to be lifted; it holds on until somebody else agrees on the desk.",
    requirement="S9",
)
def lift(call: Call[LiftIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        row = lifting.ask(
            session,
            call.path["freezeId"],
            actor=call.actor,
            source=call.source,
            reason=call.body.reason,
        )
        said = {
            "freezeId": row.object_id,
            "status": "pending_approval",
            "approvalId": row.id,
            "approvalExpiresAt": clock.rfc3339(row.expires_at),
        }
        return Answer(202, said)

    return run_once(call, work)

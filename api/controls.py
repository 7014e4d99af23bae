"""The desk's switches: how each stands, and setting one. A switch that does nothing yet is not there."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import StringConstraints

from api.contract import Answer, Call, In, Instant, Listed, NoBody, NoQuery, Out, endpoint
from core.permissions import Permission
from domain.control import controls
from domain.database import reading, transaction
from domain.transitions import Why

blueprint = Blueprint("controls", __name__)
Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)]


class ValueIn(In):
    """on: whether it takes effect; text: what a banner says."""

    on: bool
    text: str | None = None


class ControlIn(In):
    """How a switch shall stand, why and until when."""

    value: ValueIn
    reason: Reason
    until: Instant | None = None


class ControlOut(Out):
    """One switch. by, at: null while nobody has ever set it."""

    control: str
    value: dict[str, Any]
    until: str | None
    by: str | None
    at: str | None


@endpoint(
    blueprint,
    "GET",
    "/api/controls",
    access=Permission.CONTROLS_READ,
    answers={200: Listed[ControlOut]},
    summary="List the switches that can be set.",
    requirement="S210",
)
def index(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        items = [controls.wire(each) for each in controls.list_all(session)]
    return Answer(200, {"items": items, "nextCursor": None})


@endpoint(
    blueprint,
    "PUT",
    "/api/controls/{control}",
    access=Permission.CONTROLS_SET,
    body=ControlIn,
    answers={200: ControlOut},
    errors=["NOT_FOUND"],
    events=["control.changed"],
    summary="Set a switch in every process; finance sets settlement_pause only.",
    requirement="S210",
)
def put(call: Call[ControlIn, NoQuery]) -> Answer:
    value = call.body.value.model_dump(exclude_unset=True)
    why = Why(call.actor, call.source, call.body.reason)
    with transaction() as session:
        name, until = call.path["control"], call.body.until
        found = controls.put(session, name, value, until=until, why=why)
    return Answer(200, controls.wire(found))

"""Deposit deadlines: one moved to a later moment, many in one act with a preview, and such an act undone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field, StringConstraints

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    NoQuery,
    Out,
    Reference,
    Session,
    endpoint,
    run_once,
)
from api.notices import Reason
from api.orders import shown_of
from api.shapes import OrderOut
from core import clock
from core.permissions import Permission
from domain.delays import deadlines, extensions
from domain.delays.deadlines import SENTENCES, Step, Wanted
from domain.delays.extensions import Done
from domain.transitions import Why
from models.delays import ExtendedOrder

blueprint = Blueprint("deadlines", __name__)
Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class DeadlineIn(In):
    """The later moment, and why."""

    deposit_due_at: Instant
    reason: Reason


class ExtensionFilterIn(In):
    """The orders that await their deposit with an open payment on a rail, due before a moment."""

    rail: str = Field(min_length=1, max_length=32)
    due_before: Instant


class ExtensionIn(In):
    """Which orders, by how many hours, and why. A preview changes nothing; send it under a key of its own."""

    order_ids: list[Id] | None = Field(default=None, min_length=1, max_length=deadlines.MOST_ORDERS)
    filter: ExtensionFilterIn | None = None
    extend_hours: int = Field(ge=1, le=deadlines.LONGEST_HOURS)
    reason: Reason
    preview: bool = False
    reference: Reference | None = None


class ExtensionUndoIn(In):
    """Why the deadlines are put back."""

    reason: Reason


class MovedDeadlineOut(Out):
    """One order's deadline: what it is and what it becomes."""

    order_id: str
    from_: str = Field(alias="from")
    to: str


class SkippedOrderOut(Out):
    """One order that is left as it is, and why."""

    order_id: str
    why: str


class ExtensionPreviewOut(Out):
    """What an extension would do, as of now."""

    orders: list[MovedDeadlineOut]
    count: int
    skipped: list[SkippedOrderOut]


class ExtensionOut(Out):
    """What an extension did, and until when it can be undone."""

    extension_id: str
    count: int
    undoable_until: str
    skipped: list[SkippedOrderOut]


class ExtensionUndoneOut(Out):
    """How many deadlines were put back, and which were not."""

    extension_id: str
    undone: int
    skipped: list[SkippedOrderOut]


def _wanted(said: ExtensionIn) -> Wanted:
    chosen = said.filter
    return Wanted(
        said.extend_hours,
        tuple(said.order_ids or ()),
        chosen.rail if chosen else "",
        chosen.due_before if chosen else None,
    )


def _skipped(rows: Iterable[Step | ExtendedOrder]) -> list[dict[str, Any]]:
    return [{"orderId": row.order_id, "why": SENTENCES[row.why_not]} for row in rows if row.why_not]


def _preview(steps: list[Step]) -> dict[str, Any]:
    moved = [
        {
            "orderId": step.order_id,
            "from": clock.rfc3339(step.from_at),
            "to": clock.rfc3339(step.to_at),
        }
        for step in steps
        if step.to_at is not None
    ]
    return {"orders": moved, "count": len(moved), "skipped": _skipped(steps)}


def _made(done: Done) -> dict[str, Any]:
    return {
        "extensionId": done.row.id,
        "count": len(done.moved),
        "undoableUntil": clock.rfc3339(done.row.undoable_until),
        "skipped": _skipped(done.skipped),
    }


@endpoint(
    blueprint,
    "POST",
    "/api/orders/{orderId}/deadline",
    access=Permission.DEADLINES_EXTEND,
    body=DeadlineIn,
    answers={200: OrderOut},
    key="O",
    errors=["NOT_FOUND", "INVALID_TRANSITION"],
    events=["order.deadline_extended"],
    summary="Move the deposit deadline of one order to a later moment.",
    requirement="S67",
)
def extend_one(call: Call[DeadlineIn, NoQuery]) -> Answer:
    said = call.body

    def work(session: Session) -> Answer:
        why = Why(call.actor, call.source, said.reason)
        order = deadlines.extend_one(session, call.path["orderId"], said.deposit_due_at, why=why)
        (shown,) = shown_of(session, [order])
        return Answer(200, shown)

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/deadline-extensions",
    access=Permission.DEADLINES_EXTEND,
    body=ExtensionIn,
    answers={200: ExtensionPreviewOut, 201: ExtensionOut},
    key="R",
    errors=["CONFLICT"],
    events=["order.deadline_extended"],
    summary="Move the deposit deadlines of many orders in one act, or see before what it would do.",
    requirement="S67",
)
def extend(call: Call[ExtensionIn, NoQuery]) -> Answer:
    said, wanted = call.body, _wanted(call.body)

    def work(session: Session) -> Answer:
        if said.preview:
            return Answer(200, _preview(deadlines.preview(session, wanted)))
        why = Why(call.actor, call.source, said.reason)
        done = extensions.extend(session, wanted, reference=said.reference, why=why)
        return Answer(201, _made(done))

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/deadline-extensions/{extensionId}/undo",
    access=Permission.DEADLINES_EXTEND,
    body=ExtensionUndoIn,
    answers={200: ExtensionUndoneOut},
    key="R",
    errors=["NOT_FOUND", "CONFLICT"],
    events=["order.deadline_extended"],
    summary="Put back the deadlines that an extension moved, where they still are as it left them.",
    requirement="S67",
)
def undo(call: Call[ExtensionUndoIn, NoQuery]) -> Answer:
    def work(session: Session) -> Answer:
        why = Why(call.actor, call.source, call.body.reason)
        done = extensions.undo(session, call.path["extensionId"], why=why)
        back = [each for each in done.moved if each.undone_at is not None]
        said = {
            "extensionId": done.row.id,
            "undone": len(back),
            "skipped": _skipped(done.moved),
        }
        return Answer(200, said)

    return run_once(call, work)

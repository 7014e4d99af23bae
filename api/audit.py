"""The audit log, read page by page or exported."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    Listed,
    NoBody,
    Out,
    RangeQuery,
    csv_answer,
    endpoint,
    json_stream,
    page,
    place_of,
)
from core.permissions import Permission
from domain import audit_reading
from domain.audit_reading import Entry
from domain.database import reading

blueprint = Blueprint("audit", __name__)


class AuditObject(Out):
    """What the act was done to."""

    kind: str
    id: str


class AuditOut(Out):
    """One act. `seq` and `hash` are null until the chain has reached it, within seconds."""

    audit_id: str
    seq: int | None
    at: str
    actor: str
    role: str
    action: str
    object: AuditObject
    reason: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    source: str
    address: str | None
    refused: bool
    approval_id: str | None
    hash: str | None
    prev_hash: str | None


class AuditQuery(RangeQuery):
    """Which acts. object: the id of what they were done to."""

    actor: str | None = Field(default=None, max_length=64)
    action: str | None = Field(default=None, max_length=64)
    object: str | None = Field(default=None, max_length=64)
    refused: bool | None = None
    format: Literal["csv", "json"] | None = None


@endpoint(
    blueprint,
    "GET",
    "/api/audit",
    access=Permission.AUDIT_READ,
    query=AuditQuery,
    answers={200: Listed[AuditOut]},
    summary="Read who did what, when and why; with format, export all of it.",
    requirement="S52",
)
def index(call: Call[NoBody, AuditQuery]) -> Answer | Response:
    asked, place = call.query, place_of(call.query)
    wanted = audit_reading.AuditFilter(
        actor=asked.actor,
        action=asked.action,
        object_id=asked.object,
        since=asked.since,
        until=asked.until,
        refused=asked.refused,
    )
    if asked.format == "csv":
        return csv_answer(
            "audit",
            audit_reading.COLUMNS,
            map(audit_reading.cells, audit_reading.all_entries(wanted)),
        )
    if asked.format == "json":
        return json_stream(map(audit_reading.wire, audit_reading.all_entries(wanted)))
    with reading() as session:
        rows = audit_reading.list_entries(session, wanted, limit=place.fetch, before=place.before)

    def mark(entry: Entry) -> tuple[datetime, str]:
        return entry.row.at, entry.row.id

    return Answer(200, page(rows, place, wire=audit_reading.wire, mark=mark))

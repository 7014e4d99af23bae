"""Reading the audit log, newest first, each row with its place in the hash chain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.csvsafe import Cell
from core.strictjson import Json
from domain import database
from models.audit import AuditRow, ChainLink

BATCH = 500
COLUMNS = (
    "seq at actor role action objectKind objectId reason before after source address refused "
    "approvalId hash prevHash"
).split()
_APPROVAL = "approval:"


@dataclass(frozen=True)
class AuditFilter:
    """What the log is narrowed to. since: inclusive; until: exclusive.

    actors: any of these, nobody when it is empty; action_begins: as in `freeze` for `freeze.lift`;
    about: an object's id or its kind; text: inside the reason, or a whole id; by_people: only what
    people did themselves, not keys and not Paydesk.
    """

    actor: str | None = None
    actors: Sequence[str] | None = None
    action_begins: str | None = None
    about: str | None = None
    text: str | None = None
    action: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    refused: bool | None = None
    by_people: bool = False


@dataclass(frozen=True)
class Entry:
    """One row and its link; link None: the chain has not reached it yet."""

    row: AuditRow
    link: ChainLink | None


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.actor is not None:
        found.append(AuditRow.actor == wanted.actor)
    if wanted.action is not None:
        found.append(AuditRow.action == wanted.action)
    if wanted.object_id is not None:
        found.append(AuditRow.object_id == wanted.object_id)
    if wanted.actors is not None:
        found.append(AuditRow.actor.in_(wanted.actors))
    if wanted.by_people:
        found.append(AuditRow.actor.startswith("usr_", autoescape=True))
    if wanted.action_begins:
        found.append(AuditRow.action.startswith(wanted.action_begins, autoescape=True))
    if wanted.about:
        found.append(or_(AuditRow.object_id == wanted.about, AuditRow.object_kind == wanted.about))
    if wanted.text:
        found.append(_holds(wanted.text))
    if wanted.since is not None:
        found.append(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditRow.at < wanted.until)
    if wanted.refused is not None:
        found.append(AuditRow.refused.is_(wanted.refused))
    return found


def _holds(text: str) -> ColumnElement[bool]:
    return or_(
        func.lower(AuditRow.reason).contains(text.lower(), autoescape=True),
        AuditRow.object_id == text,
        AuditRow.actor == text,
        AuditRow.source == text,
        AuditRow.source.endswith(f":{text}", autoescape=True),
        AuditRow.id == text,
    )


def list_entries(
    session: Session,
    wanted: AuditFilter,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[Entry]:
    """List entries, newest first. before: the place after which the page begins."""
    found = _conditions(wanted)
    if before is not None:
        at, row_id = before
        found.append(or_(AuditRow.at < at, and_(AuditRow.at == at, AuditRow.id < row_id)))
    joined = and_(ChainLink.chain == "audit", ChainLink.row_id == AuditRow.id)
    statement = (
        select(AuditRow, ChainLink)
        .outerjoin(ChainLink, joined)
        .where(*found)
        .order_by(AuditRow.at.desc(), AuditRow.id.desc())
        .limit(limit)
    )
    return [Entry(row, link) for row, link in session.execute(statement)]


def all_entries(wanted: AuditFilter) -> Iterator[Entry]:
    """Give every entry in batches, for an export; no transaction stays open between them.

    Transaction: opens its own, read only.
    """
    before = None
    while True:
        with database.reading() as session:
            batch = list_entries(session, wanted, limit=BATCH, before=before)
        yield from batch
        if len(batch) < BATCH:
            return
        before = (batch[-1].row.at, batch[-1].row.id)


def approval_of(row: AuditRow) -> str | None:
    """Name the approval under which an act was done, or which it is about."""
    if row.source.startswith(_APPROVAL):
        return row.source.removeprefix(_APPROVAL)
    return row.object_id if row.object_kind == "approval" else None


def cells(entry: Entry) -> list[Cell]:
    """Write an entry as a line of an export, in the order of `COLUMNS`."""
    said = wire(entry)
    texts = {"objectKind": entry.row.object_kind, "objectId": entry.row.object_id}
    texts |= {name: json.dumps(said[name], separators=(",", ":")) for name in ("before", "after")}
    found: list[Cell] = []
    for name in COLUMNS:
        value = texts.get(name, said.get(name))
        found.append(value if isinstance(value, str | int | None) else str(value))
    return found


def wire(entry: Entry) -> dict[str, Json]:
    """Write an entry as the API answers it."""
    row, link = entry.row, entry.link
    return {
        "auditId": row.id,
        "seq": link.seq if link else None,
        "at": clock.rfc3339(row.at),
        "actor": row.actor,
        "role": row.role,
        "action": row.action,
        "object": {"kind": row.object_kind, "id": row.object_id},
        "reason": row.reason,
        "before": row.before,
        "after": row.after,
        "source": row.source,
        "address": row.address,
        "refused": row.refused,
        "approvalId": approval_of(row),
        "hash": link.hash if link else None,
        "prevHash": link.previous_hash if link else None,
    }

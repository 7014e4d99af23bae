"""The audit log: one row per act of a person or of the system; the chain is made after commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.hashing import Plain
from core.strictjson import Json
from domain import database, pending
from domain.actors import Actor
from models.audit import AuditRow


def content_hash(row: Mapping[str, object]) -> str:
    """Hash everything that an audit row says."""
    said: dict[str, Plain] = {
        key: clock.rfc3339(value) if isinstance(value, datetime) else value  # type: ignore[misc]
        for key, value in row.items()
        if key != "content_hash"
    }
    return hashing.digest(said)


def write(
    session: Session,
    action: str,
    *,
    actor: Actor,
    object_kind: str,
    object_id: str,
    source: str,
    reason: str | None = None,
    before: Mapping[str, Json] | None = None,
    after: Mapping[str, Json] | None = None,
    refused: bool = False,
) -> None:
    """Record one act with who, what, why, before and after.

    before, after: ids, states and amounts only, no personal data and no secrets.
    Writes: audit_log. Transaction: caller's.
    """
    at = clock.now()
    row: dict[str, object] = {
        "id": ids.new("aud"),
        # Whole milliseconds, so that the hash can be computed again from either database.
        "at": at.replace(microsecond=at.microsecond // 1000 * 1000),
        "actor": actor.id,
        "role": actor.role.value if actor.kind != "system" else "system",
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "reason": reason,
        "before": dict(before or {}),
        "after": dict(after or {}),
        "source": source,
        "session_id": actor.session_id,
        "address": actor.address,
        "refused": refused,
    }
    pending.later(session, AuditRow, row | {"content_hash": content_hash(row)})
    database.mark(session, "audit")

"""Closing a month, agreed to by two: bound to the checklist and to all that it leaves open."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain.control.acts import Kind
from domain.control.warrants import Warrant
from domain.periods import closing


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    row = closing.carry_out(session, warrant)
    return {"periodId": row.period_id, "closingId": row.id, "snapshot": row.snapshot_sha256}


KIND = Kind(read=closing.as_asked, carry_out=_carry_out, take_back=closing.take_back)

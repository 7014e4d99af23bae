"""Reopening a month, agreed to by two: bound to the very closing whose mark it will bear."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain.control.acts import Kind
from domain.control.warrants import Warrant
from domain.periods import reopening


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    row = reopening.carry_out(session, warrant)
    return {"periodId": row.period_id, "closingId": row.id}


KIND = Kind(read=reopening.as_asked, carry_out=_carry_out)

"""Rows with texts about people's data, for the database that is stained."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock, ids
from models.personal import DataExport, LegalHold

PROSE = {
    "legal_holds": "reason lifted_reason",
    "person_keys": "why",
    "data_exports": "reason last_error",
}


def add(session: Session, user_id: str, payment_id: str) -> None:
    """Put a hold on a payment, and a copy of somebody's data that could not be made."""
    now = clock.now()
    session.add(
        LegalHold(
            id=ids.new("lgh"),
            object_kind="payment",
            object_id=payment_id,
            open_key=f"payment:{payment_id}",
            reason="x",
            placed_by=user_id,
            placed_at=now,
        )
    )
    session.add(
        DataExport(id=ids.new("dex"), user_id=user_id, state="dead", asked_by=user_id, asked_at=now)
    )

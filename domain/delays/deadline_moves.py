"""How an order's deadline moved, for its story; read from the audit log, whoever moved it and by which act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.strictjson import Json
from models.audit import AuditRow

ACTION = "order.extend_deadline"


def of_order(session: Session, order_id: str) -> Sequence[AuditRow]:
    """List the moves of an order's deadline, oldest first.

    Transaction: caller's, reads only.
    """
    own = (AuditRow.object_id == order_id, AuditRow.action == ACTION, AuditRow.refused.is_(False))
    return session.scalars(select(AuditRow).where(*own).order_by(AuditRow.at, AuditRow.id)).all()


def words(row: AuditRow) -> str:
    """Say what one move did."""
    was, now = _moment(row.before.get("depositDueAt")), _moment(row.after.get("depositDueAt"))
    return f"Deposit due {now} instead of {was}"


def _moment(text: Json) -> str:
    return f"{datetime.fromisoformat(str(text)):%-d %b %Y, %H:%M} UTC"

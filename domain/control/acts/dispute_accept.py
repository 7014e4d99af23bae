"""Giving a dispute up, agreed to by two: the provider is told that we do not contest it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.strictjson import Json
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.disputes import disputes
from models.disputes import Dispute
from models.payments import Payment


def _read(session: Session, asked: Content) -> Content | None:
    dispute = session.get(Dispute, asked.object_id, populate_existing=True)
    if dispute is None:
        return None
    payment = session.get_one(Payment, dispute.payment_id, populate_existing=True)
    return disputes.as_asked(session, dispute, payment)


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    operation = disputes.carry_out(session, warrant)
    return {"disputeId": warrant.content.object_id, "operationId": operation.id}


KIND = Kind(read=_read, carry_out=_carry_out)

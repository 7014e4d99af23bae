"""A refund that a second person agrees to."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.states import Refund as State
from core.strictjson import Json
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.refunds import refunds
from domain.transitions import Why
from models.payments import Payment
from models.refunds import Refund


def _read(session: Session, asked: Content) -> Content | None:
    refund = session.get(Refund, asked.object_id, populate_existing=True)
    if refund is None:
        return None
    payment = session.get_one(Payment, refund.payment_id, populate_existing=True)
    return refunds.as_asked(session, refund, payment, asked)


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    refund = refunds.carry_out(session, warrant)
    return {"refundId": refund.id, "operationId": refund.operation_id}


def _take_back(session: Session, content: Content, why: Why) -> None:
    refund = session.get(Refund, content.object_id, populate_existing=True)
    if refund is not None and refund.state == State.PENDING_APPROVAL:
        refunds.take_back(session, refund.id, why=why)


KIND = Kind(read=_read, carry_out=_carry_out, take_back=_take_back)

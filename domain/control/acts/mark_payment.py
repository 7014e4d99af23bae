"""Marking a payment by hand, agreed to by two."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.states import OPEN_PAYMENT
from core.strictjson import Json
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.payments import marking
from domain.transitions import Why
from models.payments import Payment


def _read(session: Session, asked: Content) -> Content | None:
    payment = session.get(Payment, asked.object_id, populate_existing=True)
    if payment is None or payment.status not in OPEN_PAYMENT:
        return None
    return marking.content(payment, marking.wanted_of(asked))


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    same = Payment.id == warrant.content.object_id
    statement = select(Payment).where(same).with_for_update(key_share=True)
    payment = session.scalars(statement.execution_options(populate_existing=True)).one()
    wanted = marking.wanted_of(warrant.content)
    warrant.assert_covers(marking.content(payment, wanted))
    why = Why(warrant.actor, warrant.source, warrant.reason)
    verdict = marking.mark(session, payment, wanted, why=why)
    return {"paymentId": payment.id, "status": payment.status, "verdict": verdict}


KIND = Kind(read=_read, carry_out=_carry_out)

"""Writing off what an order lacks, agreed to by two: our expense, and the order counts it as paid."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict
from core.strictjson import Json
from domain import events
from domain.books import accounts, ledger
from domain.cases import case_subjects
from domain.cases.case_subjects import WRITE_OFF
from domain.cases.case_verbs.write_off import EXPENSE, content
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from domain.effects import invoice
from domain.orders import order_progress
from domain.payments import receipts
from domain.transitions import Why
from models.cases import ExceptionCase
from models.payments import Payment


def _read(session: Session, asked: Content) -> Content | None:
    case = session.get(ExceptionCase, asked.object_id, populate_existing=True)
    if case is None or case.resolved_at is not None:
        return None
    return content(case_subjects.load_one(session, case))


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    """Post the expense and advance the order, payment and order locked in that order.

    The case is settled by `domain/cases/case_following.py`, as for every act that was asked for on one.
    """
    asked = warrant.content
    payment = session.scalars(
        select(Payment)
        .where(Payment.id == asked.payment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    order_progress.lock_order(session, str(asked.order_id))
    case = session.get_one(ExceptionCase, asked.object_id)
    subject = case_subjects.load_one(session, case)
    now = content(subject)
    if now is None or now.amount is None or subject.order is None:
        raise Conflict("Nothing is missing any more.")
    warrant.assert_covers(now)
    hold = accounts.escrow_hold(subject.order.id, subject.order.merchant_id)
    entry_id = ledger.post(
        session,
        WRITE_OFF,
        movements=[ledger.Movement(EXPENSE, hold, now.amount)],
        source_key=f"write_off:{case.id}",
        source=warrant.source,
        ties=receipts.ties(payment),
        note=warrant.reason,
    )
    why = Why(warrant.actor, warrant.source, warrant.reason)
    rows = order_progress.receive(session, payment, now.amount, why=why)
    events.append(session, rows)
    invoice.follow(session, payment, why=why)
    return {"entryId": entry_id, "amount": now.amount.major(), "currency": now.amount.asset.code}


KIND = Kind(read=_read, carry_out=_carry_out)

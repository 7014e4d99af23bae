"""What people at the desk did about a payment: asked and decided, noted, took up, found on a bank statement."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.money import Money, asset
from core.permissions import Permission
from domain.actors import Actor
from domain.payments.timeline_items import Item
from models.cases import ExceptionCase
from models.control import Approval
from models.payments import Payment, PaymentNote
from models.refunds import Refund
from models.statements import BankLine


def told(session: Session, payment: Payment, *, actor: Actor) -> list[Item]:
    """List it for staff, in no order. Transaction: caller's, reads only."""
    items = _notes(session, payment) + _cases(session, payment) + _approvals(session, payment)
    return items + _bank_lines(session, payment) if actor.may(Permission.BANK_LINES) else items


def _bank_lines(session: Session, payment: Payment) -> list[Item]:
    """Tell which lines of our own bank's statements show the payment, or a refund of it."""
    refunds = select(Refund.id).where(Refund.payment_id == payment.id)
    shows = or_(BankLine.payment_id == payment.id, BankLine.refund_id.in_(refunds))
    items = []
    for row in session.scalars(select(BankLine).where(shows)):
        amount = Money(abs(row.amount_minor), asset(row.asset))
        way = "arrived" if row.amount_minor > 0 else "left"
        text = (
            f"Our bank's statement shows it: {amount.major()} {amount.asset.code} {way}"
            f" on {row.booked_on:%-d %b %Y}"
        )
        names, at = {"line": row.id}, row.matched_at or row.created_at
        items.append(Item(at, "us", "bank_line", text, row.matched_by, row.note, names, payment.id))
    return items


def _approvals(session: Session, payment: Payment) -> list[Item]:
    """Tell who asked for what takes two people, and who decided."""
    items = []
    for row in session.scalars(select(Approval).where(Approval.payment_id == payment.id)):
        names = {"approval": row.id}
        asked = f"Asked: {row.text}"
        items.append(
            Item(row.requested_at, "us", "approval", asked, row.requested_by, row.reason, names)
        )
        if row.decided_at is not None:
            state = "approved" if row.executed_at else row.state
            said = f"{state.capitalize()}: {row.text}"
            items.append(
                Item(
                    *(row.decided_at, "us", "approval", said),
                    row.decided_by,
                    row.decided_reason,
                    names,
                )
            )
    return items


def _notes(session: Session, payment: Payment) -> list[Item]:
    rows = session.scalars(select(PaymentNote).where(PaymentNote.payment_id == payment.id))
    return [
        Item(row.at, "us", "note", row.note, row.actor, None, {"note": row.id}, payment.id)
        for row in rows
    ]


def _cases(session: Session, payment: Payment) -> list[Item]:
    rows = session.scalars(select(ExceptionCase).where(ExceptionCase.payment_id == payment.id))
    return [
        Item(
            row.opened_at,
            "us",
            "case",
            f"Case opened: {row.kind}",
            None,
            row.sentence,
            {"case": row.id},
            payment.id,
            "bad",
        )
        for row in rows
    ]

"""Notices and moved deadlines whose every word somebody wrote."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import clock, ids
from models.delays import DeadlineExtension, DelayNotice, ExtendedOrder
from models.payments import Payment

PROSE = {
    "deadline_extensions": "reference reason undone_reason",
    "delay_notices": "text reason closed_reason",
}


def add(session: Session, person: str, payments: Sequence[Payment]) -> None:
    """Add a notice that is open and one that is over, and two extensions, one of them undone."""
    now = clock.now()
    orders = sorted({payment.order_id for payment in payments if payment.order_id})
    for is_over in (False, True):
        session.add(
            DelayNotice(
                id=ids.new("dly"),
                rail="card",
                provider="",
                kind="delay",
                text="x",
                open_key=None if is_over else "card::delay",
                reason="x",
                opened_by=person,
                opened_at=now,
                closed_reason="x" if is_over else None,
                closed_by=person if is_over else None,
                closed_at=now if is_over else None,
            )
        )
        extension = DeadlineExtension(
            id=ids.new("ext"),
            reference=f"x{is_over}",
            hours=24,
            wanted={},
            reason="x",
            by=person,
            at=now,
            undoable_until=clock.after(3600),
            undone_by=person if is_over else None,
            undone_reason="x" if is_over else None,
            undone_at=now if is_over else None,
        )
        session.add(extension)
        session.flush()
        session.add_all(
            ExtendedOrder(
                extension_id=extension.id,
                order_id=order_id,
                from_at=now,
                to_at=clock.after(3600),
                why_not="past" if is_over else None,
            )
            for order_id in orders
        )

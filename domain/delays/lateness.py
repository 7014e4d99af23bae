"""What is late on a rail now, counted: events without a payment, calls without an answer, money on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core import clock
from core.states import Inbound
from core.states import Order as OrderStatus
from core.states import Payment as Status
from domain.desk import MOST_COUNTED
from models.inbound import InboundEvent
from models.operations import Operation
from models.orders import Order
from models.payments import Payment

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Late:
    """Counts, each at most MOST_COUNTED. on_its_way: paid and not final; due: orders due within a day that wait."""

    unmatched: int
    unanswered: int
    on_its_way: int
    oldest: datetime | None
    due: int


def of(session: Session, rail: str, provider: str) -> Late:
    """Count what is late on a rail through a provider.

    Transaction: caller's, reads only.
    """
    waits = (Inbound.UNMATCHED.value, Inbound.FAILED.value)
    going = (Payment.status == Status.PROCESSING.value, Payment.provider == provider)
    return Late(
        unmatched=_count(
            session,
            select(InboundEvent.id).where(
                InboundEvent.state.in_(waits), InboundEvent.provider == provider
            ),
        ),
        unanswered=_count(
            session,
            select(Operation.id).where(
                Operation.due_at.is_not(None),
                Operation.last_error.is_not(None),
                Operation.provider == provider,
            ),
        ),
        on_its_way=_count(session, select(Payment.id).where(*going)),
        oldest=session.scalar(select(func.min(Payment.updated_at)).where(*going)),
        due=_count(
            session,
            select(Order.id)
            .join(Payment, Payment.order_id == Order.id)
            .where(
                Order.status == OrderStatus.AWAITING_DEPOSIT.value,
                Order.deposit_due_at < clock.after(DAY_SECONDS),
                Payment.open_key.is_not(None),
                Payment.rail == rail,
                Payment.provider == provider,
            )
            .distinct(),
        ),
    )


def _count(session: Session, rows: Select[str]) -> int:
    return (
        session.scalar(select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery())) or 0
    )

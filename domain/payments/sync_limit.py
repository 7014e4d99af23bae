"""How often a payment's provider may be asked by hand: once a minute, whoever asks, on any machine."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import RateLimited
from domain import audit
from domain.actors import Actor
from domain.payments.payments import get_payment
from models.audit import AuditRow
from models.payments import Payment

EVERY = timedelta(seconds=60)
ACTION = "payment.sync"


def claim(session: Session, payment_id: str, *, actor: Actor, source: str) -> Payment:
    """Take this minute's turn to ask the provider about a payment; writing it down is the turn.

    Writes: audit_log. Raises: NotFound, RateLimited. Transaction: caller's; commit before asking.
    """
    payment = get_payment(session, payment_id, actor=actor)
    session.execute(
        select(Payment.id).where(Payment.id == payment.id).with_for_update(key_share=True)
    )
    statement = (
        select(AuditRow.at)
        .where(AuditRow.object_id == payment.id, AuditRow.action == ACTION)
        .order_by(AuditRow.at.desc())
        .limit(1)
    )
    last = session.scalar(statement)
    if last is not None and (left := last + EVERY - clock.now()) > timedelta(0):
        raise RateLimited(
            "The provider was asked about this payment less than a minute ago.",
            retry_after=max(1, ceil(left.total_seconds())),
        )
    audit.write(
        session,
        ACTION,
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=source,
        after={"status": payment.status},
    )
    return payment

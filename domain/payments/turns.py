"""Acts on a payment that may be done once in a while, whoever does them, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import RateLimited
from core.strictjson import Json
from domain import audit
from domain.actors import Actor
from domain.payments.payments import get_payment
from models.audit import AuditRow
from models.payments import Payment


@dataclass(frozen=True)
class Turn:
    """What is done, how often at most, and the sentence for who comes too soon."""

    action: str
    every: timedelta
    refusal: str


def take(
    session: Session,
    payment_id: str,
    turn: Turn,
    *,
    actor: Actor,
    source: str,
    reason: str | None = None,
    after: Mapping[str, Json] | None = None,
) -> Payment:
    """Take a turn for an act on a payment that the actor may see; writing it down is the turn.

    Writes: audit_log. Raises: NotFound, RateLimited. Transaction: caller's; commit before acting.
    """
    payment = get_payment(session, payment_id, actor=actor)
    session.execute(
        select(Payment.id).where(Payment.id == payment.id).with_for_update(key_share=True)
    )
    statement = (
        select(AuditRow.at)
        .where(AuditRow.object_id == payment.id, AuditRow.action == turn.action)
        .order_by(AuditRow.at.desc())
        .limit(1)
    )
    last = session.scalar(statement)
    if last is not None and (left := last + turn.every - clock.now()) > timedelta(0):
        raise RateLimited(turn.refusal, retry_after=max(1, ceil(left.total_seconds())))
    audit.write(
        session,
        turn.action,
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=source,
        reason=reason,
        after={"status": payment.status} | dict(after or {}),
    )
    return payment

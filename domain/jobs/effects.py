"""Effects that wait, to be carried out for the first time or again: one at a time, each in its own transaction."""

from __future__ import annotations

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from domain import database, events
from domain.actors import system
from domain.control import settling
from domain.effects import effects, invoice
from domain.effects.effects import APPLIED, FAILED, PENDING, EffectBroken
from domain.payments import payment_events
from domain.transitions import Why, move_together
from models.effects import Effect
from models.payments import Payment

WAITING = (PENDING, FAILED)
log = structlog.get_logger()


def retry_next() -> bool:
    """Carry one effect out that is due, for the first time or again, unless settlement is paused.

    Gives False when there is none.

    Writes, emits: what the effect does. Transaction: opens its own.
    """
    try:
        with database.transaction() as session:
            if not settling.may_begin(session):
                return False
            due = select(Effect.id, Effect.payment_id).where(
                Effect.state.in_(WAITING), Effect.due_at <= clock.now()
            )
            found = session.execute(due.order_by(Effect.due_at).limit(1)).first()
            if found is None:
                return False
            again(session, found[0], found[1], why=Why(system("effects"), f"effect:{found[0]}"))
    except EffectBroken as error:
        log.warning("effect.failed", effect=error.wanted.kind.value, payment=error.payment_id)
    return True


def again(session: Session, effect_id: str, payment_id: str, *, why: Why) -> bool:
    """Carry a waiting effect out now. Gives False when somebody else has done so.

    The payment is locked before its effect, as everywhere. Writes, emits: what the effect does;
    transaction.updated. Raises: EffectBroken, LostRace. Transaction: caller's.
    """
    payment = effects.lock_payment(session, payment_id)
    statement = select(Effect).where(Effect.id == effect_id).with_for_update()
    effect = session.scalars(statement.execution_options(populate_existing=True)).one()
    if effect.state not in WAITING:
        return False
    was = effect.state
    rows = list(effects.try_again(session, payment, effect, why=why))
    now = clock.now()
    effect.state, effect.applied_at, effect.updated_at = APPLIED, now, now
    effect.due_at, effect.attempts = None, effect.attempts + 1
    session.flush()
    if was == FAILED and not _has_failed(session, payment):
        move_together(session, payment, moves={}, values={"effect_state": APPLIED}, why=why)
    if was == FAILED and payment.order_id is None:
        rows.append(
            payment_events.transaction_row(session, payment, "transaction.updated", why=why)
        )
    events.append(session, rows)
    if was == FAILED and payment.order_id is not None:
        # What an order counts as paid may have come only now.
        invoice.follow(session, payment, why=why)
    return True


def _has_failed(session: Session, payment: Payment) -> bool:
    failed = select(Effect.id).where(Effect.payment_id == payment.id, Effect.state == FAILED)
    return session.scalar(failed.limit(1)) is not None

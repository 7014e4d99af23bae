"""Carrying effects out: inside the settling transaction at first, by the worker when that failed.

An effect that breaks takes its transaction back with it, money and all; so that the money does not wait
for the effect, it is noted as failed then, and whoever settles again leaves it to the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError, LostRace
from core.money import Money, asset
from domain import database, pending, queue
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.effects.kinds import DEFERRED, EffectKind, Wanted
from domain.transitions import Why, move_together
from models.effects import Effect
from models.payments import Payment

PENDING, APPLIED, FAILED = "pending", "applied", "failed"
NONE = "none"
# What an effect does: gives the event rows to append, and writes under the payment's lock.
Carrier = Callable[[Session, Payment, Wanted, Why], Sequence[dict[str, object]]]


def carrier(kind: EffectKind) -> Carrier:
    """Give the function that carries a kind of effect out."""
    found: Carrier = import_module(f"domain.effects.{kind.value}").carry_out
    return found


class EffectBroken(database.Untold):
    """An effect failed inside a transaction, which is rolled back; afterwards it is noted as failed."""

    def __init__(self, payment_id: str, wanted: Wanted, source: str, cause: Exception) -> None:
        self.payment_id, self.wanted, self.source = payment_id, wanted, source
        # Only our own errors are quoted; others could carry personal data.
        said = f": {cause}" if isinstance(cause, AppError) else ""
        self.said = f"{type(cause).__name__}{said}"[:500]
        super().__init__(f"effect {wanted.kind} of {payment_id} failed")

    def tell(self) -> None:
        """Note the failed effect, to be tried again by the worker, and let a person see it.

        Writes: effects, payments, exception_cases. Emits: exception.opened. Transaction: opens its own.
        """
        with database.transaction() as session:
            note_failure(session, self)


def carry_out(
    session: Session, payment: Payment, wanted: Sequence[Wanted], *, why: Why
) -> list[dict[str, object]]:
    """Carry out what follows from a locked payment, each effect once. Gives the event rows to append.

    Writes: effects and what each effect does. Raises: EffectBroken, LostRace.
    Transaction: caller's, with the payment locked.
    """
    if not wanted:
        return []
    left = _noted(session, payment) if payment.effect_state == FAILED else frozenset()
    told: list[dict[str, object]] = []
    for each in wanted:
        if each.key in left:
            continue
        if each.kind in DEFERRED:
            defer(session, payment, each, source=why.source)
            continue
        told += _carry(session, payment, each, why)
        pending.later(session, Effect, _row(payment, each, APPLIED, why.source))
    if payment.effect_state == NONE:
        move_together(session, payment, moves={}, values={"effect_state": APPLIED}, why=why)
    return told


def attempt(
    session: Session, payment: Payment, wanted: Wanted, *, why: Why
) -> Sequence[dict[str, object]]:
    """Carry out an effect that may be repeated at will, so that no row is kept unless it breaks.

    Once it broke under a key, it is left to the worker. Gives the event rows to append.
    Writes: what the effect does. Raises: EffectBroken, LostRace. Transaction: caller's, with the payment
    locked.
    """
    if payment.effect_state == FAILED and wanted.key in _noted(session, payment):
        return []
    return _carry(session, payment, wanted, why)


def defer(session: Session, payment: Payment, wanted: Wanted, *, source: str) -> None:
    """Write down an effect that the worker carries out in a transaction of its own.

    Writes: effects. Transaction: caller's, with the payment locked.
    """
    pending.later(session, Effect, _row(payment, wanted, PENDING, source))


def _carry(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    try:
        return carrier(wanted.kind)(session, payment, wanted, why)
    except (LostRace, DBAPIError, EffectBroken):
        # Somebody was faster, or the database is away: nothing is wrong with the effect.
        raise
    except Exception as error:
        raise EffectBroken(payment.id, wanted, why.source, error) from error


def try_again(
    session: Session, payment: Payment, effect: Effect, *, why: Why
) -> Sequence[dict[str, object]]:
    """Carry out an effect that failed before. Gives the event rows to append.

    Writes: what the effect does. Raises: EffectBroken, LostRace.
    Transaction: caller's, with the payment and the effect locked.
    """
    return _carry(session, payment, as_wanted(effect), why)


def _noted(session: Session, payment: Payment) -> frozenset[str]:
    keys = select(Effect.effect_key).where(Effect.payment_id == payment.id)
    return frozenset(session.scalars(keys))


def _row(payment: Payment, wanted: Wanted, state: str, source: str) -> dict[str, object]:
    now = clock.now()
    amount = wanted.amount
    return {
        "id": ids.new("eff"),
        "payment_id": payment.id,
        "kind": wanted.kind.value,
        "effect_key": wanted.key,
        "state": state,
        "amount_minor": amount.minor if amount else None,
        "asset": str(amount.asset) if amount else None,
        "attempts": 1 if state == APPLIED else 0,
        "last_error": None,
        "source": source,
        "due_at": now if state == PENDING else None,
        "applied_at": now if state == APPLIED else None,
        "created_at": now,
        "updated_at": now,
    }


def as_wanted(effect: Effect) -> Wanted:
    """Give what a stored effect asks for."""
    amount = None
    if effect.amount_minor is not None and effect.asset is not None:
        amount = Money(effect.amount_minor, asset(effect.asset))
    return Wanted(EffectKind(effect.kind), effect.effect_key, amount)


def lock_payment(session: Session, payment_id: str) -> Payment:
    """Lock a payment for its effects. Transaction: caller's."""
    statement = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def note_failure(session: Session, broken: EffectBroken) -> None:
    """Note that an effect failed: when it is tried again, and for a person to see.

    Writes: effects, payments, exception_cases. Emits: exception.opened. Transaction: caller's.
    """
    payment = lock_payment(session, broken.payment_id)
    same = select(Effect).where(Effect.effect_key == broken.wanted.key)
    effect = session.scalars(same.with_for_update()).first()
    if effect is not None and effect.state == APPLIED:
        return
    if effect is None:
        effect = Effect(**_row(payment, broken.wanted, FAILED, broken.source))
        session.add(effect)
    effect.state = FAILED
    effect.attempts += 1
    effect.last_error = broken.said
    effect.due_at = queue.backoff(effect.attempts)
    effect.updated_at = clock.now()
    session.flush()
    why = Why(system("effects"), broken.source, "an effect failed")
    move_together(session, payment, moves={}, values={"effect_state": FAILED}, why=why)
    _tell_people(session, payment, broken, why)


def _tell_people(session: Session, payment: Payment, broken: EffectBroken, why: Why) -> None:
    wanted = broken.wanted
    words = wanted.kind.value.replace("_", " ")
    of = f" of {wanted.amount.major()} {wanted.amount.asset.code}" if wanted.amount else ""
    finding = Finding(
        "EFFECT_FAILED",
        wanted.key,
        f"The money is booked, but its {words}{of} failed: {broken.said}. It is tried again by itself.",
        at_risk=wanted.amount,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)

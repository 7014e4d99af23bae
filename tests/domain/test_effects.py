"""What follows from money never holds the money up: a broken effect is noted, seen, and carried out later, once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.money import Money, asset
from domain import database
from domain.actors import system
from domain.books import verification
from domain.effects import effects, kinds, order_advance
from domain.effects.kinds import EffectKind, Wanted
from domain.jobs import effects as job
from domain.jobs import inbound
from domain.transitions import Why
from models.cases import ExceptionCase
from models.effects import Effect
from models.inbound import InboundEvent
from models.ledger import JournalEntry
from models.orders import Order
from models.payments import Payment
from tests.domain.world import World


class NobodyThoughtOfIt(ZeroDivisionError):
    """What nobody thought of."""


def broken(
    session: Session, payment: Payment, wanted: Wanted, why: Why
) -> Sequence[dict[str, object]]:
    raise NobodyThoughtOfIt


def settle() -> None:
    """Apply what waits, also what failed and would be tried again later."""
    for _ in range(3):
        while inbound.apply_next():
            pass
        with database.transaction() as session:
            session.execute(update(InboundEvent).values(due_at=clock.now()))


def hurry() -> None:
    """Let what waits for a second try be due."""
    with database.transaction() as session:
        session.execute(update(Effect).values(due_at=clock.now() - timedelta(seconds=1)))


def stands() -> tuple[list[str], list[str], list[str], int]:
    """Give the states of payments, orders and effects, and the number of entries."""
    at_once = Effect.kind.not_in(kinds.DEFERRED)
    with database.reading() as session:
        return (
            list(session.scalars(select(Payment.status))),
            list(session.scalars(select(Order.status))),
            list(session.scalars(select(Effect.state).where(at_once))),
            len(session.scalars(select(JournalEntry.id)).all()),
        )


def carry_out(session: Session, payment_id: str, wanted: Wanted) -> None:
    payment = effects.lock_payment(session, payment_id)
    effects.carry_out(session, payment, [wanted], why=Why(system("test"), "test"))


@pytest.fixture(autouse=True)
def _no_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "RECEIPTED", frozenset())


def test_money_does_not_wait_for_what_follows_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(world.paid(world.payment(deposit=0)))
    with monkeypatch.context() as patched:
        patched.setattr(order_advance, "carry_out", broken)
        settle()
        assert stands() == (["completed"], ["awaiting_deposit"], ["failed"], 1)
        hurry()
        assert job.retry_next()
        assert not job.retry_next(), "a second try waits for its time"
    with database.reading() as session:
        [case] = session.scalars(select(ExceptionCase))
        [effect] = session.scalars(select(Effect))
        assert (case.kind, effect.attempts, effect.last_error) == (
            "EFFECT_FAILED",
            2,
            "NobodyThoughtOfIt",
        )
        assert session.scalar(select(Payment.effect_state)) == "failed"
    hurry()
    assert job.retry_next()
    assert stands() == (["completed"], ["deposit_paid"], ["applied"], 1)
    hurry()
    assert not job.retry_next()
    with database.reading() as session:
        assert session.scalar(select(Payment.effect_state)) == "applied"
    assert verification.verify().ok


def test_an_effect_is_carried_out_once_however_many_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(world.paid(world.payment(deposit=0)))
    with monkeypatch.context() as patched:
        patched.setattr(order_advance, "carry_out", broken)
        settle()
    hurry()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: job.retry_next(), range(8)))
    with database.reading() as session:
        [order] = session.scalars(select(Order))
        [payment] = session.scalars(select(Payment))
        assert order.paid_minor == payment.received_minor
    assert stands()[2] == ["applied"]


def test_a_rehearsal_keeps_nothing_of_what_broke_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    wanted = Wanted(EffectKind.ORDER_ADVANCE, "order:x", Money(payment.amount_minor, asset("EUR")))
    monkeypatch.setattr(order_advance, "carry_out", broken)
    with pytest.raises(effects.EffectBroken), database.rehearsal() as session:
        carry_out(session, payment.id, wanted)
    assert stands()[2] == []
    with pytest.raises(effects.EffectBroken), database.transaction() as session:
        carry_out(session, payment.id, wanted)
    assert stands()[2] == ["failed"]

"""What tests of holds share: a payment held on a card, capturing and cancelling it, losing answers."""

from __future__ import annotations

from core import clock
from core.money import Money
from domain import database
from domain.actors import Actor
from domain.jobs import janitor
from domain.payments import capturing, operations, payments
from models.operations import Operation
from models.payments import Payment
from tests.domain.refunding import EUR, make_due
from tests.domain.world import World


def held(world: World, amount: int = 2_500) -> Payment:
    """Make a payment whose amount is held on a card."""
    payment = world.payment(total=max(amount, 12_500), deposit=amount)
    world.deliver_and_apply(world.held(payment))
    return world.read(payment)


def capture(payment: Payment, minor: int | None, who: Actor, **more: str) -> Operation:
    """Capture, as the desk and the API do."""
    amount = None if minor is None else Money(minor, EUR)
    with database.transaction() as session:
        own, operation, fence = capturing.begin(session, payment.id, amount, actor=who, **more)
    return _carry_out(own, operation, fence, who)


def cancel(payment: Payment, who: Actor) -> Operation | None:
    """Cancel, as the desk and the API do."""
    with database.transaction() as session:
        own, operation, fence = payments.begin_cancel(
            session, payment.id, actor=who, reason="Not wanted"
        )
    return None if operation is None or fence is None else _carry_out(own, operation, fence, who)


def _carry_out(payment: Payment, operation: Operation, fence: int, who: Actor) -> Operation:
    outcome = operations.run(operation, payment, fence, actor=who)
    with database.transaction() as session:
        return operations.settle(session, outcome)[0]


def lost(error: Exception) -> Exception:
    """Have the fake rail do what it is asked and lose its answer."""
    error.after_effect = True  # type: ignore[attr-defined]  # the fake's own word
    return error


def look_again() -> None:
    """Let the janitor ask about every act without an outcome."""
    make_due()
    while janitor.finish_operation():
        pass


def look_at(payment: Payment) -> None:
    """Let the janitor ask about one payment."""
    with database.transaction() as session:
        row = session.get_one(Payment, payment.id)
        row.check_due_at, row.lease_until = clock.now(), None
    janitor.check_payment()

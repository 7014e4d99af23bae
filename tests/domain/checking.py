"""Checks of cards in tests: setups, trials, and what the worker does for them, as the API and the worker do it."""

from __future__ import annotations

from sqlalchemy import select, update

from core import clock
from domain import database
from domain.actors import Actor
from domain.books import verification
from domain.jobs import cards as job
from domain.jobs import janitor, worker
from domain.payments import operations, setups, trials
from domain.payments.intents import Begun
from domain.payments.trials import TrialWanted
from models.cards import PaymentMethod
from models.effects import Trial
from models.events import EventLog
from models.operations import Operation
from models.payments import Payment
from tests.domain.world import World


def finish(begun: Begun, actor: Actor) -> Payment:
    """Ask the provider for what was begun and settle it, as a call of the API does."""
    if begun.fence is None:
        return begun.payment
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=actor)
    with database.transaction() as session:
        return operations.settle(session, outcome)[1]


def begin_setup(actor: Actor) -> Begun:
    with database.transaction() as session:
        return setups.begin(session, None, actor=actor, source="test")


def begin_trial(actor: Actor, card: str | None = None) -> Begun:
    with database.transaction() as session:
        return trials.begin(session, TrialWanted(card), actor=actor, source="test")


def start_trial(actor: Actor, card: str | None = None) -> Payment:
    return finish(begin_trial(actor, card), actor)


def kept(world: World, name: str, actor: Actor | None = None) -> str:
    """Let somebody keep a card by a setup that succeeded. Gives the card's name."""
    payer = actor or world.bo
    payment = finish(begin_setup(payer), payer)
    reference = str(payment.provider_reference)
    world.rail.complete(reference, name)
    world.deliver_and_apply(world.event("setup_intent.succeeded", payment))
    return name


def work() -> None:
    """Let the worker do all that is due now: events, operations, cards."""
    worker.work_until_idle()
    while janitor.finish_operation():
        pass
    while job.tend_next():
        pass
    worker.work_until_idle()


def hurry() -> None:
    """Let everything that waits for a later try be due."""
    with database.transaction() as session:
        session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.due_at.is_not(None))
            .values(due_at=clock.now())
        )
        session.execute(
            update(Operation)
            .where(Operation.state.in_(operations.UNFINISHED))
            .values(due_at=clock.now(), lease_until=None)
        )


def card(name: str) -> PaymentMethod:
    with database.reading() as session:
        return session.get_one(PaymentMethod, name)


def trial(user_id: str) -> Trial | None:
    with database.reading() as session:
        return session.get(Trial, user_id)


def told(*kinds: str) -> list[str]:
    """List the events of these types in the order in which they were written."""
    with database.reading() as session:
        found = select(EventLog.type).where(EventLog.type.in_(kinds)).order_by(EventLog.id)
        return list(session.scalars(found))


def every(model: type[Payment | Operation]) -> list[Payment] | list[Operation]:
    with database.reading() as session:
        return list(session.scalars(select(model).order_by(model.id)))  # type: ignore[return-value]


def proved() -> list[object]:
    """List what does not prove of the books and standings."""
    return [each.first_bad for each in verification.verify().checks if each.first_bad]

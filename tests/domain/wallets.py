"""Cards that people of the tests keep, and top-ups made with them, beside the world's orders."""

from __future__ import annotations

import itertools

from core import clock
from core.errors import AppError
from core.money import Money, asset
from domain import database
from domain.actors import Actor
from domain.payments import kept_cards, operations, top_ups
from domain.payments.operations import Outcome
from domain.payments.top_ups import TopUpWanted
from models.cards import PaymentMethod
from models.payments import Payment
from tests.domain.world import World

_numbers = itertools.count(1)


def keep_card(user_id: str, name: str = "pm_visa", **more: object) -> str:
    """Let a person keep a card at the provider. Gives the provider's name of it, unique to the test run."""
    name = f"{name}_{next(_numbers)}"
    now = clock.now()
    said: dict[str, object] = {"brand": "visa", "last4": "4242", "livemode": False} | more
    with database.transaction() as session:
        livemode = bool(said["livemode"])
        kept_cards.remember_customer(
            session, user_id, "stripe", f"cus_{user_id}", livemode=livemode
        )
        row = PaymentMethod(id=name, reference=name, user_id=user_id, provider="stripe")
        for column, value in said.items():
            setattr(row, column, value)
        row.is_default, row.state, row.created_at, row.updated_at = False, "active", now, now
        session.add(row)
    return name


def usd(minor: int) -> Money:
    """Give an amount in dollars, from cents."""
    return Money(minor, asset("USD"))


def begun(
    actor: Actor, card: str, minor: int = 2500, *, key: str | None = None, code: str = "USD"
) -> Outcome | Payment:
    """Begin a top-up and call the provider for it. Gives the outcome to settle, or what there was already."""
    wanted = TopUpWanted(None, card, Money(minor, asset(code)), key)
    with database.transaction() as session:
        made = top_ups.begin(session, wanted, actor=actor, source="test")
    if made.fence is None:
        return made.payment
    return operations.run(made.operation, made.payment, made.fence, actor=actor)


def top_up(
    actor: Actor, card: str, minor: int = 2500, *, key: str | None = None, code: str = "USD"
) -> Payment:
    """Pay in with a kept card, as one call of the API does."""
    outcome = begun(actor, card, minor, key=key, code=code)
    if isinstance(outcome, Payment):
        return outcome
    with database.transaction() as session:
        return operations.settle(session, outcome)[1]


def paid_in(world: World, minor: int = 2500) -> Payment:
    """Have Bo pay in."""
    return top_up(world.bo, keep_card(world.bo.id), minor)


def error_of(outcome: Outcome | Payment) -> AppError:
    """Give the error with which a call ended."""
    assert isinstance(outcome, Outcome) and isinstance(outcome.answer, AppError)
    return outcome.answer

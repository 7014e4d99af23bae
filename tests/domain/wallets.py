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
from tests.reliability.clients import Provider

_numbers = itertools.count(1)


def keep_card(user_id: str, name: str = "pm_visa", **more: object) -> str:
    """Let a person keep a card of the fake rail's. Gives the provider's name of it, unique to the test run."""
    name = f"{name}_{next(_numbers)}"
    put_card(user_id, name, f"cus_{user_id}", **more)
    return name


def put_card(user_id: str, name: str, customer: str, **more: object) -> None:
    """Write down that a person keeps a card, as the provider told us."""
    now = clock.now()
    said: dict[str, object] = {"brand": "visa", "last4": "4242", "livemode": False} | more
    with database.transaction() as session:
        livemode = bool(said["livemode"])
        kept_cards.remember_customer(session, user_id, "stripe", customer, livemode=livemode)
        row = PaymentMethod(id=name, reference=name, user_id=user_id, provider="stripe")
        for column, value in said.items():
            setattr(row, column, value)
        row.is_default, row.state, row.created_at, row.updated_at = False, "active", now, now
        session.add(row)


def keep_at(provider: Provider, user_id: str, card: str = "visa") -> str:
    """Let a person keep a test card at the stand-in. Gives its name there."""
    customer = str(provider.call("POST", "customers")["id"])
    path = f"payment_methods/pm_card_{card}/attach"
    made = provider.call("POST", path, customer=customer)
    put_card(user_id, str(made["id"]), customer)
    return str(made["id"])


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

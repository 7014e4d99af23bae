"""Transactions in tests: written down by the domain, then moved by what a provider would say of them."""

from __future__ import annotations

from core import clock, ids
from core.fold import Fact
from core.money import Money, asset
from core.purposes import Purpose
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.effects import effects
from domain.payments import operations, settlement, transactions
from domain.payments.intents import Begun
from domain.payments.transactions import TransactionWanted
from domain.transitions import Why
from models.payments import Payment
from providers.said import KeyedFact, Reading

WHY = Why(system("test"), "test:provider")
# What ends a transaction, as its provider says it, and source 002's word for that.
ENDINGS = {"succeeded": "succeeded", "failed": "failed", "cancelled": "canceled"}


def wanted(user_id: str, more: dict[str, object]) -> TransactionWanted:
    """Ask for a top-up of 25.00 EUR, unless told otherwise."""
    key = ids.token(8)
    asked: dict[str, object] = {
        "purpose": Purpose.TOP_UP,
        "kind": "create_intent",
        "amount": Money(2_500, asset("EUR")),
        "open_key": key,
        "key": key,
    }
    return TransactionWanted(user_id=user_id, **(asked | more))  # type: ignore[arg-type]


def begin(user_id: str, *, merchant_id: str | None = None, **more: object) -> Begun:
    """Write a transaction down, by its payer or by a merchant for them; its provider was not asked."""
    actor = Actor(user_id, "user", Role.BUYER, "Bo")
    if merchant_id is not None:
        actor = Actor("key_test", "key", Role.MERCHANT, "Key", merchant_id=merchant_id)
    with database.transaction() as session:
        return transactions.begin(
            session, wanted(user_id, more), actor=actor, source=f"{actor.kind}:{actor.id}"
        )


def send(begun: Begun) -> Payment:
    """Ask the provider, as the door does after its commit."""
    assert begun.fence is not None
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=WHY.actor)
    with database.transaction() as session:
        return operations.settle(session, outcome)[1]


def says(payment_id: str, kind: str, *, code: str | None = None) -> None:
    """Have the provider say something of a transaction: `succeeded`, `failed`, `requires_action` …"""
    with database.transaction() as session:
        payment = effects.lock_payment(session, payment_id)
        amount = payment.amount_minor if kind in ("succeeded", "authorized") else None
        fact = Fact(kind, clock.now(), amount_minor=amount, code=code, message=None)
        keyed = KeyedFact(f"test:{payment_id}:{kind}", fact)
        settlement.apply(session, payment, Reading(facts=(keyed,)), why=WHY)

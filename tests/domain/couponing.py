"""Applying coupons in tests of the domain, as the API does it, and Stripe's events about their invoices."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from domain import database
from domain.actors import Actor
from domain.books import accounts, ledger
from domain.payments import coupons, operations
from domain.payments.intents import Begun
from models.effects import CouponUse
from models.ledger import JournalEntry
from models.operations import Operation
from models.payments import Payment
from tests.domain.fake_coupons import coupon
from tests.domain.world import World

CODE, COUPON = "WELCOME10", "welcome"


def stock(world: World, **more: object) -> None:
    """Put a coupon of 10.00 EUR, with a promotion code, on the provider's shelf."""
    world.rail.stripe.coupons_[COUPON] = coupon(COUPON, **more)  # type: ignore[arg-type]
    world.rail.stripe.code(CODE, COUPON)


def begin(text: str, who: Actor) -> Begun:
    """Look a coupon up and write its transaction down, or go on with it."""
    found = coupons.look_up(who.id, text, livemode=False)
    with database.transaction() as session:
        if found is None:
            return coupons.go_on(session, who.id, text, livemode=False, actor=who)
        return coupons.begin(session, who.id, found, livemode=False, actor=who, source="test")


def apply(world: World, text: str = CODE, who: Actor | None = None) -> tuple[Operation, Payment]:
    """Apply a coupon to its end: written down, called, settled."""
    actor = who or world.bo
    begun = begin(text, actor)
    assert begun.fence is not None
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=actor)
    with database.transaction() as session:
        return operations.settle(session, outcome)


def unsettled(world: World, text: str = CODE) -> Payment:
    """Apply a coupon so that its answer is lost after all of it was done: only events can tell of it."""
    begun = begin(text, world.bo)
    assert begun.fence is not None
    operations.run(begun.operation, begun.payment, begun.fence, actor=world.bo)
    return begun.payment


def invoice(world: World, payment: Payment) -> dict[str, Any]:
    """Give the one invoice that was made for a payment."""
    [found] = [
        each
        for each in world.rail.stripe.kept.values()
        if each["metadata"].get("payment_id") == payment.id
    ]
    return found


def told(world: World, kind: str, of: dict[str, Any], **changes: object) -> bytes:
    """Write an event about an invoice."""
    shown = {name: value for name, value in of.items() if not name.startswith("_")} | changes
    return world._signed_body(kind, shown, None)


def wallet(user_id: str = "usr_bo", unit: str = "EUR/2") -> int:
    """Say what a person may spend, in minor units."""
    with database.reading() as session:
        return -ledger.balance(session, accounts.wallet(user_id).address, unit)


def cost(unit: str = "EUR/2") -> int:
    """Say what coupons have cost us, in minor units."""
    with database.reading() as session:
        return ledger.balance(session, accounts.promotions("stripe").address, unit)


def entries() -> list[str]:
    """List what was booked, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(JournalEntry.kind).order_by(JournalEntry.id)))


def uses() -> list[CouponUse]:
    """List who has applied what, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(CouponUse).order_by(CouponUse.id)))

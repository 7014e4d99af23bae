"""A refund gives back what was asked, once, and never more than was received; whatever fails or comes when."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Frozen,
    IllegalTransition,
    ProviderRefused,
    ProviderUnknown,
)
from core.money import Money, asset
from core.states import Role
from domain import (
    approvals,
    database,
    freezes,
    ledger,
    payments,
    refunds,
    verification,
)
from domain.actors import Actor
from domain.jobs import overdue, refunding
from domain.transitions import Why
from models.cases import ExceptionCase
from models.control import Approval
from models.events import EventLog
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from models.people import User
from models.refunds import Refund
from tests.domain.world import World, actor

EUR = asset("EUR")


def person(world: World, name: str, role: Role, **more: object) -> Actor:
    """Put a member of the staff in, signed in at the desk with a fresh second factor."""
    del world
    user_id = f"usr_{name}"
    with database.transaction() as session:
        if session.get(User, user_id) is None:
            session.add(
                User(
                    id=user_id,
                    email_sealed=b"",
                    email_index=f"index-{name}".encode(),
                    name=name,
                    role=role.value,
                    kyc="approved",
                    state="active",
                    demo=False,
                    created_at=clock.now(),
                )
            )
    desk = {"session_id": f"ses_{name}", "stepped_up_at": clock.now()}
    return actor(user_id, role, **(desk | more))


@pytest.fixture
def fin(world: World) -> Actor:
    return person(world, "fin", Role.FINANCE)


@pytest.fixture
def flo(world: World) -> Actor:
    return person(world, "flo", Role.FINANCE)


@pytest.fixture
def sue(world: World) -> Actor:
    return person(world, "sue", Role.SUPPORT)


def paid(world: World, amount: int = 2_500) -> Payment:
    payment = world.payment(total=max(amount, 12_500), deposit=amount)
    world.deliver_and_apply(world.paid(payment))
    return world.read(payment)


def ask(payment: Payment, minor: int, who: Actor, **more: str) -> Refund:
    with database.transaction() as session:
        own = payments.get_payment(session, payment.id, actor=who)
        return refunds.ask(
            session, own, Money(minor, EUR), actor=who, reason="Broken leg", source="test", **more
        )


def send_all() -> None:
    while refunding.send_next():
        pass


def one(refund: Refund) -> Refund:
    with database.reading() as session:
        return session.get_one(Refund, refund.id)


def agree(refund: Refund, who: Actor) -> approvals.Decision:
    with database.transaction() as session:
        row = session.get_one(Approval, refund.approval_id)
        return approvals.agree(
            session, row.id, actor=who, content_hash=row.content_hash, reason="Seen it"
        )


def told(kind: str) -> int:
    with database.reading() as session:
        found = select(func.count()).select_from(EventLog).where(EventLog.type == kind)
        return session.scalar(found) or 0


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def balances(payment: Payment) -> tuple[int, int, int]:
    with database.reading() as session:
        hold = f"order:{payment.order_id}:escrow_hold"
        addresses = (hold, "provider:stripe:clearing", "buyer:usr_bo:funds")
        return tuple(ledger.balance(session, each, "EUR/2") for each in addresses)  # type: ignore[return-value]


def assert_proved() -> None:
    report = verification.verify()
    assert report.ok, [check.first_bad for check in report.checks if not check.ok]


def test_small_refund_of_one_person_goes_to_the_provider_and_into_the_books(
    world: World, sue: Actor
) -> None:
    payment = paid(world)
    refund = ask(payment, 2_000, sue)
    assert (refund.state, refund.approval_id) == ("pending", None)
    assert world.read(payment).refunding_minor == 2_000
    assert "refund" not in world.rail.asked
    send_all()
    done = one(refund)
    assert (done.state, done.provider_reference) == ("succeeded", next(iter(world.rail.refunds)))
    now = world.read(payment)
    assert (now.status, now.refunded_minor, now.refunding_minor) == ("completed", 2_000, 0)
    assert balances(payment) == (-500, 500, 0)
    assert (told("refund.created"), told("refund.succeeded"), told("payment.refunded")) == (1, 1, 1)
    assert_proved()


def test_refund_of_everything_ends_payment_escrow_and_order(world: World, sue: Actor) -> None:
    payment = paid(world)
    ask(payment, 500, sue)
    ask(payment, 2_000, sue)
    send_all()
    now = world.read(payment)
    assert (now.status, now.escrow_state, now.refunded_minor) == ("refunded", "refunded", 2_500)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
        assert (order.status, order.request_status) == ("refunded", "refunded")
    assert (told("payment.refunded"), told("order.refunded")) == (2, 1)
    assert balances(payment) == (0, 0, 0)
    assert_proved()

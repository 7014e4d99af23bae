"""A period of a subscription is granted once, by confirmed money that pays for all of it, and told once."""

from __future__ import annotations

from sqlalchemy import select

from core.states import Payment as Status
from domain import database
from domain.books import verification
from domain.effects.entitlement import follow_refund
from domain.transitions import Why
from models.cases import ExceptionCase
from models.effects import Entitlement
from models.events import EventLog
from models.orders import Order
from models.payments import Payment
from tests.domain.world import World


def subscribed(
    world: World, *, period: str | None = "2026-11", deposit: int | None = None
) -> Payment:
    order = world.order(
        total=2_500, deposit=deposit, subscription_ref="sub-1", subscription_period=period
    )
    return world.begin(order)[1]


def granted() -> list[tuple[str, str, str]]:
    with database.reading() as session:
        rows = session.scalars(select(Entitlement).order_by(Entitlement.id))
        return [(row.period, row.state, row.payment_id) for row in rows]


def told() -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = session.scalars(
            select(EventLog).where(EventLog.type.startswith("entitlement.")).order_by(EventLog.at)
        )
        return [(row.type, str(row.body["period"])) for row in rows]


def test_confirmed_money_grants_its_period_once_however_often_it_is_told(world: World) -> None:
    payment = subscribed(world)
    assert granted() == []
    body = world.paid(payment)
    world.deliver_and_apply(body)
    world.deliver(body)
    world.deliver_and_apply(world.paid(payment))
    assert granted() == [("2026-11", "granted", payment.id)]
    assert told() == [("entitlement.granted", "2026-11")]
    with database.reading() as session:
        assert session.scalar(select(Order.entitlement)) == "granted"


def test_what_is_not_confirmed_or_expired_grants_nothing(world: World) -> None:
    payment = subscribed(world)
    world.deliver_and_apply(world.event("payment_intent.processing", payment, status="processing"))
    assert granted() == []
    world.deliver_and_apply(
        world.event(
            "payment_intent.canceled", payment, status="canceled", cancellation_reason="automatic"
        )
    )
    assert world.read(payment).status == Status.CANCELLED
    world.deliver_and_apply(world.paid(payment))
    assert granted() == [], "late money is a case, never a grant"


def test_a_deposit_grants_nothing_until_the_balance_is_there(world: World) -> None:
    order = world.order(total=2_500, deposit=500, subscription_ref="sub-1")
    deposit = world.begin(order)[1]
    world.deliver_and_apply(world.paid(deposit))
    assert granted() == []
    balance = world.begin(order, "balance")[1]
    world.deliver_and_apply(world.paid(balance))
    assert granted() == [(order.id, "granted", balance.id)]


def test_too_little_grants_nothing(world: World) -> None:
    payment = subscribed(world)
    world.deliver_and_apply(world.paid(payment, amount=2_000))
    assert granted() == []


def test_a_period_paid_for_twice_is_granted_once_and_seen_by_a_person(world: World) -> None:
    first, second = subscribed(world), subscribed(world)
    world.deliver_and_apply(world.paid(first))
    world.deliver_and_apply(world.paid(second))
    assert granted() == [("2026-11", "granted", first.id)]
    assert len(told()) == 1
    with database.reading() as session:
        [case] = session.scalars(select(ExceptionCase))
        assert (case.kind, case.payment_id, case.expected) == (
            "DUPLICATE_PAYMENT",
            second.id,
            first.id,
        )
    assert verification.verify().ok


def test_the_next_period_is_another(world: World) -> None:
    first, second = subscribed(world), subscribed(world, period="2026-12")
    world.deliver_and_apply(world.paid(first))
    world.deliver_and_apply(world.paid(second))
    assert [period for period, _, _ in granted()] == ["2026-11", "2026-12"]


def test_what_was_given_back_is_revoked_and_paid_again_is_granted_again(world: World) -> None:
    payment = subscribed(world)
    world.deliver_and_apply(world.paid(payment))
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    world.deliver_and_apply(world.refund_event("refund.updated", name, status="succeeded"))
    assert world.read(payment).status == Status.REFUNDED
    assert granted() == [("2026-11", "revoked", payment.id)]
    again = subscribed(world)
    world.deliver_and_apply(world.paid(again))
    assert granted() == [("2026-11", "granted", again.id)]
    kinds = [kind for kind, _ in told()]
    assert kinds == ["entitlement.granted", "entitlement.revoked", "entitlement.granted"]
    with database.transaction() as session:
        why = Why(world.fin, "test")
        assert follow_refund(session, session.get_one(Payment, again.id), why=why) == []

"""Events are applied together; one that breaks its batch is noted as failed and the others go on without it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import LostRace, ProviderUnavailable
from domain import database, pending
from domain.books import verification
from domain.inbox import inbox
from domain.jobs import inbound
from models.inbound import InboundAttempt, InboundEvent
from models.payments import Payment
from tests.domain.world import World

EVENTS = 5


def states() -> dict[str, tuple[str, int]]:
    """Give each event's state and number of attempts."""
    with database.reading() as session:
        rows = session.scalars(select(InboundEvent)).all()
        return {row.id: (row.state, row.attempts) for row in rows}


@pytest.fixture
def delivered(world: World) -> list[str]:
    """Events of as many payments, waiting; gives their ids."""
    return [world.deliver(world.paid(world.payment())).inbound_id for _ in range(EVENTS)]


def assert_only_this_failed(poison: str, delivered: list[str]) -> None:
    found = states()
    assert found.pop(poison) == ("failed", 1)
    assert found == dict.fromkeys(set(delivered) - {poison}, ("processed", 1))
    with database.reading() as session:
        attempts = Counter(session.scalars(select(InboundAttempt.inbound_id)))
        paid = Counter(session.scalars(select(Payment.status)))
    assert attempts == Counter(delivered)
    assert paid == {"completed": EVENTS - 1, "pending": 1}


def test_an_event_that_cannot_be_written_fails_alone_and_once(
    delivered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = delivered[2]
    written = pending.write_rows

    def write(session: Session) -> None:
        attempts = pending.kept_rows(session, InboundAttempt)
        outcomes = {row["inbound_id"]: row["outcome"] for row in attempts}
        if outcomes.get(poison) == "processed":
            raise LostRace
        written(session)

    # The row in memory says by then that it was processed; what was rolled back must not be believed.
    monkeypatch.setattr(pending, "write_rows", write)
    calls = 0
    while inbound.apply_next():
        calls += 1
        assert calls <= EVENTS + 2, "the failure is never noted, and the event comes again for ever"
    assert_only_this_failed(poison, delivered)


def test_an_event_whose_application_breaks_fails_alone_and_once(
    delivered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = delivered[0]
    applied = inbox.apply

    def apply(session: Session, row: InboundEvent, *args: object, **more: object) -> object:
        if row.id == poison:
            raise ZeroDivisionError
        return applied(session, row, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(inbox, "apply", apply)
    while inbound.apply_next():
        pass
    assert_only_this_failed(poison, delivered)


def test_what_came_last_for_a_payment_stands_whatever_else_is_in_its_batch(world: World) -> None:
    first, second = world.payment(), world.payment()
    error = {"code": "card_declined"}
    # The first payment's update has the shape of the second one's last, and is kept before both of it.
    world.deliver(world.paid(first))
    world.deliver(
        world.event(
            "payment_intent.payment_failed",
            second,
            status="requires_payment_method",
            last_payment_error=error,
        )
    )
    world.deliver(world.paid(second))
    assert inbound.apply_next() == 3
    for payment in (world.read(first), world.read(second)):
        assert (payment.status, payment.received_minor) == ("completed", payment.amount_minor)
    assert [check for check in verification.verify().checks if check.first_bad] == []


def test_a_provider_that_asks_us_to_slow_down_is_left_alone_as_long_as_it_says(
    world: World,
) -> None:
    payment = world.payment()
    world.paid(payment)
    name = world.rail.give_back(str(payment.provider_reference), 2_500)
    event = world.deliver(world.refund_event("refund.created", name))
    # Money went back that never came, so the payment is asked for.
    world.rail.script = [ProviderUnavailable(retry_after=300)]
    began = clock.now()
    assert (inbound.apply_next(), inbound.apply_next()) == (1, 0)
    with database.reading() as session:
        row = session.get_one(InboundEvent, event.inbound_id)
        assert (row.state, row.due_at >= began + timedelta(seconds=300)) == ("failed", True)

"""A page at the provider in all its outcomes: whatever comes first, or twice, the payment ends the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from core import clock
from domain import database
from domain.jobs import janitor, worker
from domain.payments import intents, operations
from models.orders import Order
from models.payments import Payment
from providers.said import Reading
from providers.stripe import reading, sessions
from tests.domain.holds import cancel
from tests.domain.refunding import assert_proved, balances, cases, told
from tests.domain.world import World

FAILED = {"code": "insufficient_funds", "type": "card_error"}


def checkout(world: World) -> Payment:
    wanted = intents.PaymentWanted(world.order().id, method="checkout", success_url="http://x/")
    with database.transaction() as session:
        begun = intents.begin(session, wanted, actor=world.bo, source="test")
    outcome = operations.run(begun.operation, begun.payment, begun.fence or 0, actor=world.bo)
    with database.transaction() as session:
        return operations.settle(session, outcome)[1]


def session_of(payment: Payment, status: str, paid: str) -> dict[str, object]:
    """Make a checkout session as Stripe writes it."""
    return {
        "id": f"cs_test_{payment.id}",
        "object": "checkout.session",
        "status": status,
        "payment_status": paid,
        "currency": "eur",
        "amount_total": payment.amount_minor,
        "client_reference_id": payment.id,
        "payment_intent": payment.provider_reference,
        "metadata": {"payment_id": payment.id},
    }


class Writer:
    """Writes what is told of a page, second by second."""

    def __init__(self, world: World, payment: Payment) -> None:
        self.world, self.payment, self.at = world, payment, clock.unix() - 600
        self.debit = f"py_{payment.id}"

    def page(self, kind: str, status: str, paid: str) -> bytes:
        self.at += 1
        body = session_of(self.payment, status, paid)
        return self.world._signed_body(f"checkout.session.{kind}", body, self.at)

    def intent(self, kind: str, **changes: object) -> bytes:
        self.at += 1
        return self.world.event(f"payment_intent.{kind}", self.payment, at=self.at, **changes)

    def paid(self) -> bytes:
        amount = self.payment.amount_minor
        return self.intent("succeeded", status="succeeded", amount_received=amount)


def _paid_at_once(write: Writer) -> list[bytes]:
    return [write.paid(), write.page("completed", "complete", "paid")]


def _paid_days_later(write: Writer) -> list[bytes]:
    return [
        write.intent("processing", status="processing", latest_charge=write.debit),
        write.page("completed", "complete", "unpaid"),
        write.paid(),
        write.page("async_payment_succeeded", "complete", "paid"),
    ]


def _failed_days_later(write: Writer) -> list[bytes]:
    return [
        write.intent("processing", status="processing", latest_charge=write.debit),
        write.page("completed", "complete", "unpaid"),
        write.intent("payment_failed", status="requires_payment_method", last_payment_error=FAILED),
        write.page("async_payment_failed", "complete", "unpaid"),
    ]


def _expired(write: Writer) -> list[bytes]:
    declined = FAILED | {"charge": f"ch_{write.payment.id}"}
    return [
        write.intent(
            "payment_failed", status="requires_payment_method", last_payment_error=declined
        ),
        write.page("expired", "expired", "unpaid"),
        write.intent("canceled", status="canceled", cancellation_reason="abandoned"),
    ]


Story = Callable[[Writer], list[bytes]]
OUTCOMES: dict[str, tuple[Story, tuple[object, ...]]] = {
    "paid at once": (_paid_at_once, ("completed", None, None, 2_500, "deposit_paid")),
    "paid days later": (_paid_days_later, ("completed", None, None, 2_500, "deposit_paid")),
    "failed days later": (
        _failed_days_later,
        ("failed", "declined", "insufficient_funds", 0, "awaiting_deposit"),
    ),
    "expired": (_expired, ("failed", "expired", "expired", 0, "awaiting_deposit")),
}


def stands(world: World, payment: Payment) -> tuple[object, ...]:
    now = world.read(payment)
    with database.reading() as session:
        order = session.get_one(Order, payment.order_id)
    code = now.provider_code if now.status == "failed" else None
    return (now.status, now.failure_reason, code, now.received_minor, order.status)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_order_with_one_told_twice_ends_the_same(world: World, outcome: str) -> None:
    story, expected = OUTCOMES[outcome]
    length = len(story(Writer(world, checkout(world))))
    for number, order in enumerate(itertools.permutations(range(length))):
        payment = checkout(world)
        bodies = story(Writer(world, payment))
        for place in (*order, order[number % length]):
            world.deliver(bodies[place])
            if number % 2:
                # Else all of them are applied together, as they are under load.
                worker.work_until_idle()
        worker.work_until_idle()
        assert stands(world, payment) == expected, order
        assert balances(payment)[0] == -expected[3]  # type: ignore[operator]
    assert cases() == []
    assert_proved()


@pytest.mark.parametrize("first", [0, 1])
def test_page_that_we_cancel_is_cancelled_whatever_its_provider_calls_it(
    world: World, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    payment = checkout(world)
    write = Writer(world, payment)

    def expire(reference: str, *, key: str) -> Reading:
        del reference, key
        # Its events are faster than the answer.
        bodies = [
            write.page("expired", "expired", "unpaid"),
            write.intent("canceled", status="canceled"),
        ]
        for body in (bodies[first], bodies[1 - first]):
            world.deliver(body)
        worker.work_until_idle()
        said = session_of(payment, "expired", "unpaid")
        return reading.read_session(said, said_at=clock.now())  # type: ignore[arg-type]

    monkeypatch.setattr(world.rail, "cancel", expire)
    assert cancel(payment, world.fin) is not None
    now = world.read(payment)
    assert (now.status, now.failure_reason) == ("cancelled", "canceled")
    assert (told("payment.cancelled"), told("payment.expired"), cases()) == (1, 0, [])
    assert_proved()


def test_attempt_whose_time_we_end_is_expired_even_when_its_event_is_faster(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.payment()
    before = world.rail.cancel

    def canceled(reference: str, *, key: str) -> Reading:
        answer = before(reference, key=key)
        world.deliver(world.event("payment_intent.canceled", payment))
        worker.work_until_idle()
        return answer

    monkeypatch.setattr(world.rail, "cancel", canceled)
    janitor.expire(payment)
    now = world.read(payment)
    assert (now.status, now.failure_reason) == ("failed", "expired")
    assert (told("payment.expired"), told("payment.cancelled")) == (1, 0)
    assert_proved()


def test_money_for_an_expired_page_never_revives_it(world: World) -> None:
    payment = checkout(world)
    write = Writer(world, payment)
    for body in _expired(write):
        world.deliver_and_apply(body)
    world.deliver_and_apply(write.page("async_payment_succeeded", "complete", "paid"))
    world.deliver_and_apply(write.paid())
    now = world.read(payment)
    assert (now.status, now.failure_reason, now.received_minor) == ("failed", "expired", 2_500)
    assert (cases(), stands(world, payment)[-1]) == (["PAID_LATE"], "awaiting_deposit")
    assert_proved()


def test_page_that_is_asked_for_tells_of_a_debit_that_failed(world: World) -> None:
    payment = checkout(world)
    page = session_of(payment, "complete", "unpaid")
    intent = {"id": "pi_x", "amount": 2_500, "currency": "eur", "latest_charge": "py_1"}

    def said(**more: object) -> list[tuple[str, str | None]]:
        found = page | {"payment_intent": intent | more}
        facts = sessions.read_truth(found, said_at=clock.now()).facts  # type: ignore[arg-type]
        return [(each.fact.kind, each.fact.code) for each in facts]

    assert said(status="processing") == [("processing", None)]
    gone = {"status": "requires_payment_method", "last_payment_error": FAILED}
    assert said(**gone) == [("failed", "insufficient_funds")]
    assert said(status="canceled") == [("failed", None)]
    # Under the key of the event that was lost.
    asked = sessions.read_truth(page | {"payment_intent": intent | gone}, said_at=clock.now())  # type: ignore[arg-type]
    lost = reading.read_session(page, said_at=clock.now(), kind="failed")  # type: ignore[arg-type]
    assert [each.key for each in asked.facts] == [each.key for each in lost.facts]

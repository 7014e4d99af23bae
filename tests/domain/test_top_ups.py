"""A top-up charges a kept card once, in one try: what refuses it ends it, and nothing is charged behind its payer's back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update

from core import clock
from core.errors import (
    IdempotencyMismatch,
    LostRace,
    NotFound,
    PaymentDeclined,
    ProviderUnavailable,
    ProviderUnknown,
)
from domain import database
from domain.books import verification
from domain.jobs import janitor, worker
from domain.payments import operations
from domain.payments.operations import Outcome
from models.cases import ExceptionCase
from models.events import EventLog
from models.ledger import JournalEntry
from models.operations import Operation
from models.payments import Payment
from tests.domain import fake_charges
from tests.domain.wallets import begun, error_of, keep_card, top_up
from tests.domain.world import World


def after_effect(error: Exception) -> Exception:
    error.after_effect = True  # type: ignore[attr-defined]
    return error


def charges(world: World) -> int:
    """Count what the provider took."""
    return sum(1 for one in world.rail.intents.values() if one["status"] == "succeeded")


def credited() -> int:
    with database.reading() as session:
        kinds = select(func.count()).where(JournalEntry.kind == "wallet_credit")
        return int(session.scalar(kinds) or 0)


def hurry() -> None:
    """Let whatever waits be due."""
    then = clock.now() - timedelta(seconds=1)
    with database.transaction() as session:
        waiting = Operation.state.in_(operations.UNFINISHED)
        session.execute(update(Operation).where(waiting).values(due_at=then, lease_until=None))
        due = Payment.check_due_at.is_not(None)
        session.execute(update(Payment).where(due).values(check_due_at=then, lease_until=None))


def look() -> None:
    """Let the janitor look at what is due, once each."""
    hurry()
    while janitor.finish_operation():
        pass
    while janitor.check_payment():
        pass


def test_a_kept_card_is_charged_and_the_wallet_credited_once(world: World) -> None:
    card = keep_card(world.bo.id)
    payment = top_up(world.bo, card, 2550, key="first-top-up")
    assert (payment.status, payment.received_minor, payment.effect_state) == (
        "completed",
        2550,
        "applied",
    )
    assert (payment.card_last4, payment.method_id, payment.order_id) == ("4242", card, None)
    # Stripe's own event says the same again, however often.
    world.deliver_and_apply(world.paid(payment))
    world.deliver_and_apply(world.paid(payment))
    again = top_up(world.bo, card, 2550, key="first-top-up")
    assert again.id == payment.id
    assert (charges(world), credited()) == (1, 1)
    assert verification.verify().ok


def test_a_decline_ends_the_transaction_and_its_intent(world: World) -> None:
    card = keep_card(world.bo.id, fake_charges.DECLINED)
    outcome = begun(world.bo, card, key="declined-1")
    assert isinstance(error_of(outcome), PaymentDeclined)
    assert isinstance(outcome, Outcome)
    with database.transaction() as session:
        payment = operations.settle(session, outcome)[1]
    assert (payment.status, payment.provider_code) == ("failed", "insufficient_funds")
    intent = world.rail.intents[str(payment.provider_reference)]
    before = str(intent["status"])
    look()
    assert (before, intent["status"]) == ("requires_payment_method", "canceled")
    look()
    world.deliver_and_apply(world.event("payment_intent.payment_failed", payment))
    world.deliver_and_apply(world.event("payment_intent.canceled", payment))
    now = world.read(payment)
    assert (now.status, now.provider_code, now.check_due_at) == (
        "failed",
        "insufficient_funds",
        None,
    )
    assert top_up(world.bo, card, key="declined-1").id == payment.id, "the key tells it again"
    assert verification.verify().ok


@pytest.mark.parametrize("first", ["payment_failed", "canceled"])
def test_a_failed_check_by_the_bank_ends_it_whatever_is_told_first(
    world: World, first: str
) -> None:
    payment = top_up(world.bo, keep_card(world.bo.id, fake_charges.ASKED))
    assert (payment.status, payment.sub_state) == ("pending", "requires_action")
    fake_charges.refuse(world.rail.intents[str(payment.provider_reference)])
    failed = world.event("payment_intent.payment_failed", payment)
    ended = world.event("payment_intent.canceled", payment, status="canceled")
    for body in (failed, ended) if first == "payment_failed" else (ended, failed):
        world.deliver_and_apply(body)
    now = world.read(payment)
    assert (now.status, now.failure_reason, now.provider_code) == (
        "failed",
        "declined",
        "insufficient_funds",
    )
    assert verification.verify().ok


def test_passing_the_banks_check_credits_the_wallet(world: World) -> None:
    card = keep_card(world.bo.id, fake_charges.ASKED)
    payment = top_up(world.bo, card, key="asked-1")
    assert top_up(world.bo, card, key="asked-1").id == payment.id
    assert operations.client_secret(world.read(payment))
    assert credited() == 0
    world.deliver_and_apply(world.paid(payment))
    assert world.read(payment).status == "completed"
    assert credited() == 1


def test_money_that_comes_after_the_end_is_a_case_and_never_credited(world: World) -> None:
    payment = top_up(world.bo, keep_card(world.bo.id, fake_charges.ASKED))
    fake_charges.refuse(world.rail.intents[str(payment.provider_reference)])
    world.deliver_and_apply(world.event("payment_intent.payment_failed", payment))
    world.deliver_and_apply(world.paid(payment))
    now = world.read(payment)
    assert (now.status, now.received_minor, credited()) == ("failed", 2500, 0)
    with database.reading() as session:
        [case] = session.scalars(select(ExceptionCase))
        assert (case.kind, case.payment_id) == ("PAID_LATE", payment.id)
    look()
    assert verification.verify().ok


def test_an_answer_that_was_lost_is_looked_up_and_charges_nothing_twice(world: World) -> None:
    card = keep_card(world.bo.id)
    world.rail.script = [after_effect(ProviderUnknown())]
    payment = top_up(world.bo, card, key="lost-1")
    assert (payment.status, payment.sub_state) == ("pending", "unknown_outcome")
    look()
    assert world.read(payment).status == "completed"
    assert (charges(world), credited()) == (1, 1)
    assert world.rail.asked.count("create_intent") == 1


def test_what_never_reached_the_provider_is_not_charged_by_us_later(world: World) -> None:
    card = keep_card(world.bo.id)
    world.rail.script = [ProviderUnavailable()]
    payment = top_up(world.bo, card, key="down-1")
    assert payment.status == "pending"
    with time_machine.travel(clock.now() + timedelta(minutes=1), tick=True):
        look()
    with time_machine.travel(clock.now() + timedelta(minutes=12), tick=True):
        look()
    now = world.read(payment)
    assert (now.status, now.provider_code) == ("failed", "never_created")
    assert (charges(world), world.rail.asked.count("create_intent")) == (0, 1)


def test_whoever_asks_again_under_the_same_key_goes_on_with_it(world: World) -> None:
    card = keep_card(world.bo.id)
    world.rail.script = [ProviderUnavailable()]
    payment = top_up(world.bo, card, key="again-1")
    assert top_up(world.bo, card, key="again-1").id == payment.id
    assert world.read(payment).status == "completed"
    assert (charges(world), credited()) == (1, 1)


def test_a_key_that_the_provider_has_forgotten_is_not_used_again(world: World) -> None:
    card = keep_card(world.bo.id)
    world.rail.script = [after_effect(ProviderUnknown())]
    payment = top_up(world.bo, card, key="old-key-1")
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=True):
        assert isinstance(error_of(begun(world.bo, card, key="old-key-1")), ProviderUnknown)
    assert len(world.rail.intents) == 1
    assert world.read(payment).status == "pending"


def test_a_key_means_one_amount_and_one_card_for_ever(world: World) -> None:
    card, other = keep_card(world.bo.id), keep_card(world.bo.id)
    top_up(world.bo, card, 2500, key="once-only")
    for changed, minor in ((card, 2600), (other, 2500)):
        with pytest.raises(IdempotencyMismatch):
            top_up(world.bo, changed, minor, key="once-only")
    assert charges(world) == 1


def test_without_a_key_one_transaction_is_open_per_card_and_amount(world: World) -> None:
    card = keep_card(world.bo.id, fake_charges.ASKED)
    first = top_up(world.bo, card)
    assert top_up(world.bo, card).id == first.id
    assert top_up(world.bo, card, 2600).id != first.id
    world.deliver_and_apply(world.paid(first))
    assert top_up(world.bo, card).id != first.id, "the first one is over"


def test_nobody_pays_with_anothers_card(world: World) -> None:
    card = keep_card(world.bo.id)
    with pytest.raises(NotFound):
        top_up(world.eve, card)
    with pytest.raises(NotFound):
        top_up(world.bo, "pm_nobodys")
    assert not world.rail.intents


def race(times: int, work: Callable[[], Payment | None]) -> list[Payment]:
    with ThreadPoolExecutor(times) as pool:
        done = list(pool.map(lambda _: work(), range(times)))
    return [each for each in done if each is not None]


@pytest.mark.parametrize("key", ["raced-key-1", None])
def test_sixteen_at_once_charge_once(world: World, key: str | None) -> None:
    card = keep_card(world.bo.id, fake_charges.ASKED if key is None else "pm_visa")

    def confirm() -> Payment | None:
        try:
            return top_up(world.bo, card, key=key)
        except LostRace:
            return None

    done = race(16, confirm)
    assert done and len({payment.id for payment in done}) == 1
    assert len(world.rail.intents) == 1
    worker.work_until_idle()
    with database.reading() as session:
        kinds = list(session.scalars(select(EventLog.type)))
        assert session.scalar(select(func.count()).select_from(Payment)) == 1
    assert kinds.count("transaction.created") == 1
    assert kinds.count("wallet.credited") == (0 if key is None else 1)


def test_an_attempt_that_its_payer_left_is_ended_in_time(world: World) -> None:
    payment = top_up(world.bo, keep_card(world.bo.id, fake_charges.ASKED))
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=True):
        look()
        world.deliver_and_apply(world.event("payment_intent.canceled", payment))
    now = world.read(payment)
    assert (now.status, now.failure_reason) == ("failed", "expired")
    assert world.rail.intents[str(payment.provider_reference)]["status"] == "canceled"
    assert verification.verify().ok

"""The demo's wallets, holds, debits and disputes: each way they end is played, labelled and agrees with the provider."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from commands import demo_disputes, demo_holds, demo_returns, demo_wallets
from commands.demo_shop import Shop, Visit
from domain import database
from domain.books import verification
from domain.samples.dice import Dice
from models.cards import PaymentMethod
from models.cases import ExceptionCase
from models.disputes import Dispute
from models.effects import Effect, Trial
from models.payments import Payment
from tests.commands.test_demo import books_agree, opened, until
from tests.rig.product import Processes, Stack

# What a visitor does is told by the API alone; the other half of the demo runs on the other database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def in_euro(shop: Shop, seed: int) -> Visit:
    order: dict[str, object] = {
        "description": "Oak table",
        "total": {"amount": "100.00", "currency": "EUR"},
        "buyerId": shop.buyers[0],
    }
    return Visit(shop, Dice(seed), shop.post("/api/orders", order))


def test_wallets_are_paid_into_with_kept_cards_and_coupons_and_trials_end(
    stack: Stack, database_url: str, processes: Processes
) -> None:
    with opened(stack, database_url, processes.instance) as shop:
        # Every card that people keep, whatever the dice would say.
        for card, _ in demo_wallets._CARDS:
            demo_wallets.keep_card(shop, Dice(1), shop.buyers[0], card)
        said = [demo_wallets.top_up(shop, Dice(seed)) for seed in range(24)]
        said += [demo_wallets.coupon(shop, Dice(seed)) for seed in range(6)]
        said += [demo_wallets.start_trial(shop, Dice(seed)) for seed in range(4)]
        until(lambda: books_agree(stack))
        until(lambda: not effects_left(), seconds=30)
        with database.reading() as session:
            rows = session.scalars(select(Payment)).all()
            kept = session.scalars(select(PaymentMethod)).all()
            trials = session.scalars(select(Trial)).all()
    ways = Counter(line.partition(": ")[2].split(" ", 2)[-1] for line in said)
    assert ways["paid in"] and ways["declined"], ways
    assert {row.purpose for row in rows} == {"top_up", "coupon", "card_setup", "card_validation"}
    assert all(row.demo for row in rows)
    assert len(kept) >= len(demo_wallets._CARDS)
    assert {trial.state for trial in trials} <= {"granted", "pending"} and trials
    assert_proved(stack, database_url, processes)


def effects_left() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Effect.state).where(Effect.state != "applied")))


def assert_proved(stack: Stack, url: str, processes: Processes) -> None:
    with opened(stack, url, processes.instance):
        assert [check for check in verification.verify().checks if check.first_bad] == []


def test_holds_and_debits_end_in_every_way(
    stack: Stack, database_url: str, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_holds, "MOST_HOLDS", 1)
    with opened(stack, database_url, processes.instance) as shop:
        # By these dice: left, left (one too many), let go, captured in part.
        held = [demo_holds.hold(in_euro(shop, seed)) for seed in (0, 1, 14, 19)]
        debited = [demo_holds.debit(in_euro(shop, seed)) for seed in range(6)]
        until(lambda: books_agree(stack))
        with database.reading() as session:
            rows = session.scalars(select(Payment)).all()
    ways = [line.rpartition(" ")[2] for line in held]
    assert ways == ["desk", "captured", "go", "captured"], held
    assert set(debited) == {"debit asked for on the provider's page"}
    assert sum(row.sub_state == "requires_capture" for row in rows) == 1
    assert sum(row.status == "cancelled" for row in rows) == 1
    assert any(0 < row.received_minor < row.amount_minor for row in rows)
    assert all(row.demo for row in rows)
    assert_proved(stack, database_url, processes)


def test_disputes_are_won_lost_and_left_and_warnings_become_cases(
    stack: Stack, database_url: str, processes: Processes
) -> None:
    with opened(stack, database_url, processes.instance) as shop:
        said = [demo_disputes.dispute(in_euro(shop, seed)) for seed in range(7)]
        said.append(demo_disputes.report(in_euro(shop, 1)))
        until(lambda: bool(states() & {"won"}) and bool(states() & {"lost"}), seconds=30)
        until(lambda: books_agree(stack))
        with database.reading() as session:
            cases = session.scalars(select(ExceptionCase)).all()
            disputes = session.scalars(select(Dispute)).all()
    assert "paid, then reported as fraud by the bank" in said
    assert "paid, then disputed; left for the desk" in said
    assert len(cases) <= demo_returns.MOST_CASES
    assert all(row.demo for row in cases) and all(row.demo for row in disputes)
    assert_proved(stack, database_url, processes)


def states() -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(Dispute.status)))

"""The demo's visitors use only doors that anybody has, and everything they leave behind agrees with the provider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from sqlalchemy import func, select

import config
import wsgi
from commands import demo, demo_bank, demo_returns, demo_visits, demo_wallets
from commands.demo_shop import Shop, Visit
from commands.demo_visits import PARTS
from domain import database
from domain.books import verification
from domain.samples.dice import Dice
from models.cases import ExceptionCase
from models.control import Approval
from models.inbound import InboundEvent
from models.orders import Order
from models.payments import Payment
from models.people import ApiKey, Merchant, User
from models.refunds import Refund
from tests.rig import environment, product
from tests.rig.product import Processes, Stack

# What a visitor does is told by the API alone; the other half of the demo runs on the other database.
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@contextmanager
def opened(stack: Stack, url: str, instance: Path) -> Iterator[Shop]:
    """Lend the demo's shop at a running stack, without pauses between what a visitor does."""
    own = {"PUBLIC_URL": stack.web.url} | stack.rails
    settings = config.load(environment.settings(url, instance, **own))
    wsgi.create_app(settings)
    try:
        with demo.open_shop(settings, stopped=threading.Event(), pace=0.0) as shop:
            yield shop
    finally:
        database.engine().dispose()


def until(holds: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


def waiting() -> int:
    with database.reading() as session:
        states = ("received", "failed", "unmatched")
        statement = select(func.count()).where(InboundEvent.state.in_(states))
        return session.scalar(statement) or 0


@on_postgresql
def test_every_kind_of_visit_agrees_with_the_providers_ledger(
    stack: Stack, database_url: str, processes: Processes
) -> None:
    with opened(stack, database_url, processes.instance) as shop:
        for part, _ in PARTS:
            assert ": " in demo_visits.play(shop, Dice(7), part)
        for wallet_part, _ in demo_wallets.PARTS:
            assert ": " in wallet_part(shop, Dice(7))
        pay_deposit_and_balance(shop)
        confirm_at_a_bank_that_calls_itself_localhost(shop)
        counts = demo.traffic(shop, per_minute=300, seconds=1, seed=5, say=False)
        assert counts["failed"] == 0
        until(lambda: books_agree(stack))
    with opened(stack, database_url, processes.instance):
        assert [check for check in verification.verify().checks if check.first_bad] == []
        assert_labelled()


def pay_deposit_and_balance(shop: Shop) -> None:
    order: dict[str, object] = {
        "description": "Oak table",
        "total": {"amount": "100.00", "currency": "EUR"},
        "deposit": {"amount": "20.00", "currency": "EUR"},
        "buyerId": shop.buyers[0],
    }
    visit = Visit(shop, Dice(1), shop.post("/api/orders", order))
    visit.confirm(visit.intent(), "visa")
    assert demo_visits._pay_balance(visit) == ", then the balance"
    until(lambda: shop.get(f"/api/orders/{visit.order['orderId']}")["status"] == "Paid")


def confirm_at_a_bank_that_calls_itself_localhost(shop: Shop) -> None:
    order: dict[str, object] = {
        "description": "Oak table",
        "total": {"amount": "100.00", "currency": "EUR"},
        "buyerId": shop.buyers[0],
    }
    visit = Visit(shop, Dice(1), shop.post("/api/orders", order))
    intent = visit.intent()
    url = demo_bank.challenge(visit.confirm(intent, demo_visits._ASKING).body)
    demo_bank.decide(shop, url.replace("127.0.0.1", "localhost"), passed=True)
    path = f"/api/payments/{intent['paymentId']}"
    until(lambda: shop.get(path)["status"] == "completed")


def books_agree(stack: Stack) -> bool:
    truth = stack.truth()
    with database.reading() as session:
        ours = {
            row.provider_reference: row.received_minor
            for row in session.scalars(select(Payment).where(Payment.method == "intent"))
        }
    theirs = {name: line["amount_received"] for name, line in truth.items() if name in ours}
    return waiting() == 0 and theirs == ours


def assert_labelled() -> None:
    """One merchant, people made once, and only the key of the run that is open still lives."""
    with database.reading() as session:
        merchant = session.scalars(select(Merchant).where(Merchant.slug == "demo-market")).one()
        keys = session.scalars(select(ApiKey).where(ApiKey.merchant_id == merchant.id)).all()
        assert sorted(key.state for key in keys) == ["active", "revoked"]
        assert {order.merchant_id for order in session.scalars(select(Order))} == {merchant.id}
        people = session.scalars(select(User).where(User.demo)).all()
        assert len(people) == len(demo.BUYERS) + len(demo.SELLERS)


@on_postgresql
def test_the_opening_leaves_one_of_each_for_the_desk(
    stack: Stack, database_url: str, processes: Processes
) -> None:
    with opened(stack, database_url, processes.instance) as shop:
        first = demo_visits.OPENING
        counts = demo.traffic(shop, per_minute=1, seconds=0, seed=3, first=first, say=False)
        assert counts == {"visits": 3, "failed": 0, "turnedAway": 0}
        with database.reading() as session:
            cases = session.scalars(select(ExceptionCase)).all()
            approval = session.scalars(select(Approval)).one()
            refunds = {row.requested_kind: row for row in session.scalars(select(Refund))}
    assert sorted(case.kind for case in cases) == ["RECON_DIFFERENCE", "UNDERPAID"]
    assert (approval.kind, approval.state) == ("refund", "pending")
    assert {kind: row.state for kind, row in refunds.items()} == {
        "key": "pending_approval",
        "provider": "succeeded",
    }
    assert approval.object_id == refunds["key"].id
    labels = [approval.demo, *(row.demo for row in cases), *(row.demo for row in refunds.values())]
    assert labels == [True] * 5


@on_postgresql
def test_what_waits_for_the_desk_stays_bounded(
    stack: Stack, database_url: str, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_returns, "MOST_REFUNDS", 2)
    monkeypatch.setattr(demo_returns, "MOST_CASES", 2)
    with opened(stack, database_url, processes.instance) as shop:
        at_once = demo_visits.OPENING * 4
        counts = demo.traffic(shop, per_minute=1, seconds=0, seed=6, first=at_once, say=False)
        assert counts["visits"] == len(at_once)
        with database.reading() as session:
            kinds = session.scalars(select(ExceptionCase.kind)).all()
            states = session.scalars(select(Approval.state)).all()
        until(lambda: books_agree(stack))
    # None was old enough to be taken back, and whoever came too many just paid.
    assert states == ["pending"] * 2
    assert len(kinds) == 2


@on_postgresql
def test_the_merchant_takes_its_oldest_waiting_refund_back(
    stack: Stack, database_url: str, processes: Processes
) -> None:
    with opened(stack, database_url, processes.instance) as shop:
        for _ in range(2):
            assert "asked back" in demo_visits.play(shop, Dice(2), demo_returns.ask_for_refund)
        assert not demo_returns.take_back_oldest(shop)
        assert demo_returns.take_back_oldest(shop, older_than=0)
        with database.reading() as session:
            by_age = select(Refund.state).order_by(Refund.created_at)
            assert session.scalars(by_age).all() == ["cancelled", "pending_approval"]
            states = sorted(session.scalars(select(Approval.state)))
            assert states == ["cancelled", "pending"]
            assert sum(row.refunding_minor > 0 for row in session.scalars(select(Payment))) == 1


def test_rate_swings_around_its_mean() -> None:
    dice = Dice(3)
    gaps = [demo.gap_seconds(dice, 6.0, second) for second in range(demo.DAY_SECONDS)]
    busy, calm = gaps[: demo.DAY_SECONDS // 2], gaps[demo.DAY_SECONDS // 2 :]
    assert min(gaps) >= 0
    assert sum(busy) / len(busy) < 10 < sum(calm) / len(calm)


@pytest.mark.parametrize(
    "changed",
    [
        {"STRIPE_API_BASE": "https://api.stripe.com"},
        {"STRIPE_API_BASE": "http://payments.example:9"},
        {"PUBLIC_URL": "https://desk.example"},
    ],
)
def test_it_refuses_to_run_without_the_stand_in(
    changed: dict[str, str], sqlite_url: str, processes: Processes
) -> None:
    rail = product.stripe_settings("http://127.0.0.1:9") | changed
    settings = config.load(environment.settings(sqlite_url, processes.instance, **rail))
    wsgi.create_app(settings)
    with pytest.raises(click.ClickException):
        demo._assert_stand_in(settings)
    database.engine().dispose()


def test_command_plays_for_the_time_asked(processes: Processes, sqlite_url: str) -> None:
    stack = processes.stack(sqlite_url)
    env = product.stripe_settings(stack.stripe.url) | {"PUBLIC_URL": stack.web.url}
    options = ("--rate", "120", "--for", "2", "--pace", "0", "--seed", "4", "--json")
    running = processes.flask(sqlite_url, "demo-traffic", *options, **env)
    assert running.wait_dead(seconds=60) == 0
    counts = json.loads(running.output())
    assert counts["visits"] >= 1 and counts["failed"] == 0

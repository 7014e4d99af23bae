"""Sample data looks like a year of real business, and everything that is proved of real rows holds for it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

import config
import wsgi
from core import clock, hashing
from domain import database, samples
from domain.books import ledger, verification
from domain.inbox import inbox
from domain.payments import settlement
from domain.people import people
from domain.samples.dice import Dice, Namer
from models.base import Base
from models.events import EventLog
from models.inbound import InboundEvent
from models.ledger import Posting
from models.orders import Milestone, Order
from models.payments import Payment, StateChange
from models.people import User
from providers.stripe.sdk import API_VERSION
from tests.rig import environment

MANY = 400


def count(model: type[Base], *conditions: object) -> int:
    with database.reading() as session:
        statement = select(func.count()).select_from(model).where(*conditions)  # type: ignore[arg-type]
        return session.scalar(statement) or 0


def test_a_load_passes_every_proof_twice_over(app: Flask) -> None:
    runner = app.test_cli_runner()
    for seed in ("1", "1"):
        args = ["data", "load", "--payments", str(MANY), "--seed", seed, "--json"]
        done = runner.invoke(args=args)
        assert done.exit_code == 0, done.output
        assert json.loads(done.output)["payments"] == MANY
    assert count(Payment) == 2 * MANY
    report = verification.verify()
    assert [(check.name, check.first_bad) for check in report.checks if not check.ok] == []
    assert count(EventLog, EventLog.seq.is_(None)) == 0


def test_sample_rows_are_what_the_rules_would_have_written(app: Flask) -> None:
    del app
    samples.load(MANY, seed=3, api_version=API_VERSION)
    with database.reading() as session:
        payments = session.scalars(select(Payment)).all()
        assert all(row.demo and row.meta == {"sample": True} for row in payments)
        assert all(row.check_due_at is None for row in payments)
        for row in payments:
            now = settlement.folded(session, row)
            assert (row.status, row.sub_state) == (now.status, now.sub)
            assert (row.received_minor, row.capturable_minor) == (
                now.received_minor,
                now.capturable_minor,
            )
            held = row.received_minor if row.order_id else 0
            hold = f"order:{row.order_id}:escrow_hold"
            balance = -ledger.balance(session, hold, row.asset)
            assert balance >= held
        moved = Counter(
            (row.payment_id, row.new)
            for row in session.scalars(
                select(StateChange).where(StateChange.object_kind == "payment")
            )
        )
        ended = [row for row in payments if row.status != "pending"]
        assert all(moved[row.id, row.status] == 1 for row in ended)


def test_mix_holds_every_state_that_a_payment_can_have_today(app: Flask) -> None:
    del app
    # What is young enough to be open still depends on the time of day.
    with time_machine.travel(datetime(2026, 11, 20, 16, tzinfo=UTC)):
        samples.load(2 * MANY, seed=5, api_version=API_VERSION)
    with database.reading() as session:
        states = set(session.scalars(select(Payment.status).distinct()))
        subs = set(session.scalars(select(Payment.sub_state).distinct()))
        assets = set(session.scalars(select(Payment.asset).distinct()))
        oldest = session.scalar(select(func.min(Payment.created_at)))
        inbound = set(session.scalars(select(InboundEvent.state).distinct()))
    assert states == {"pending", "processing", "completed", "failed", "cancelled"}
    assert {"requires_payment_method", "requires_action", "requires_capture"} <= subs
    assert assets == {"EUR/2", "USD/2", "GBP/2", "JPY/0", "KWD/3"}
    assert oldest is not None and clock.now() - oldest > timedelta(days=300)
    assert {"processed", "ignored"} <= inbound
    assert count(Milestone) > 0 and count(Order) < 2 * MANY


def test_kept_bodies_open_and_say_what_was_applied(app: Flask) -> None:
    del app
    samples.load(MANY, seed=4, api_version=API_VERSION)
    with database.reading() as session:
        kept = select(InboundEvent).where(
            InboundEvent.body_sealed.is_not(None), InboundEvent.payment_id.is_not(None)
        )
        rows = session.scalars(kept.limit(20)).all()
        purged = session.scalar(select(func.count()).where(InboundEvent.body_sealed.is_(None)))
        assert rows and purged
        for row in rows:
            assert hashing.sha256(inbox.stored_body(row)) == row.body_sha256
            reading = inbox.read(row)
            assert reading.payment_id == row.payment_id
            assert reading.fetch is None
            assert len(reading.facts) == 1


def test_people_of_a_load_have_addresses_that_open(app: Flask) -> None:
    del app
    samples.load(20, seed=5, api_version=API_VERSION)
    with database.reading() as session:
        user = session.scalars(select(User).where(User.demo).limit(1)).one()
        email = people.email_of(user)
        assert email.endswith("@sample.example")
        assert people.find_user(session, email) is user


def test_amounts_of_three_decimals_end_in_zero_as_the_provider_asks(app: Flask) -> None:
    del app
    samples.load(MANY, seed=6, api_version=API_VERSION)
    with database.reading() as session:
        amounts = session.scalars(select(Posting.amount_minor).where(Posting.asset == "KWD/3"))
        assert {minor % 10 for minor in amounts} == {0}


def test_dice_repeat_and_names_do_not() -> None:
    one, two = Dice(9), Dice(9)
    assert [one.number() for _ in range(50)] == [two.number() for _ in range(50)]
    at = clock.now()
    names = {Namer().at("pay", at) for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) == len("pay_") + 30 for name in names)


def test_ids_of_the_past_sort_by_their_time() -> None:
    namer, now = Namer(), clock.now()
    made = [namer.at("ord", now - timedelta(hours=hours)) for hours in range(300, 0, -1)]
    assert made == sorted(made)


def test_a_load_is_refused_where_money_is_real(
    sqlite_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = {
        "PAYDESK_ENV": "production",
        "PUBLIC_URL": "https://desk.example",
        "SECRET_KEY": "k" * 40,
        "MASTER_KEYS": "k1:" + "A" * 43 + "=",
        "JWT_KEYS": "k1:" + "A" * 43 + "=",
    }
    folder = tmp_path_factory.mktemp("production")
    app = wsgi.create_app(config.load(environment.settings(sqlite_url, folder) | more))
    done = app.test_cli_runner().invoke(args=["data", "load", "--payments", "1"])
    assert done.exit_code == 1
    assert "real money" in done.output
    database.engine().dispose()

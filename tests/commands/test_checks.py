"""`verify`, `replay`, `reconcile` and `states-write` tell people and programs the same, and exit by it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from commands import states_page
from commands.checks import parse_since
from domain import database, samples
from models.inbound import InboundAttempt, InboundEvent
from models.payments import Payment
from providers.stripe.sdk import API_VERSION
from tests.domain import world as worlds
from tests.domain.world import World
from tests.rig.locate import ROOT


@pytest.fixture
def world(app: Flask) -> World:
    return worlds.build(app.config["PAYDESK"])


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    more = {"STRIPE_SECRET_KEY": "sk_test_world", "STRIPE_WEBHOOK_SECRET": worlds.WEBHOOK_SECRET}
    return environ | more


def test_verify_prints_each_check_and_the_chain(app: Flask) -> None:
    samples.load(30, api_version=API_VERSION)
    done = app.test_cli_runner().invoke(args=["verify"])
    assert done.exit_code == 0, done.output
    assert "payment_states" in done.output and "audit chain:" in done.output
    assert "BAD" not in done.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_verify_names_the_first_bad_row_and_exits_with_1(app: Flask) -> None:
    samples.load(30, api_version=API_VERSION)
    with database.transaction() as session:
        bad = session.scalars(select(Payment).where(Payment.received_minor > 0).limit(1)).one()
        session.execute(
            text("update payments set received_minor = received_minor + 1 where id = :id"),
            {"id": bad.id},
        )
    runner = app.test_cli_runner()
    done = runner.invoke(args=["verify"])
    assert done.exit_code == 1
    assert f"first bad row: {bad.id} has received" in done.output
    told = json.loads(runner.invoke(args=["verify", "--json"]).output)
    assert told["ok"] is False
    first = next(check for check in told["checks"] if not check["ok"])
    assert first["firstBad"].startswith(bad.id)


def test_replay_of_processed_event_changes_nothing(app: Flask, world: World) -> None:
    event = world.deliver_and_apply(world.paid(world.payment()))
    runner = app.test_cli_runner()
    args = ["replay", event.id, "--reason", "asked by support", "--json"]
    shown = json.loads(runner.invoke(args=[*args, "--dry-run"]).output)
    assert shown["items"][0]["diff"] == []
    with database.reading() as session:
        assert len(session.scalars(select(InboundAttempt)).all()) == 1
    done = runner.invoke(args=args)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["items"][0]["attempt"] == 2
    with database.reading() as session:
        attempts = session.scalars(select(InboundAttempt).order_by(InboundAttempt.no)).all()
        assert [(row.is_replay, row.reason) for row in attempts] == [
            (False, None),
            (True, "asked by support"),
        ]
        assert attempts[1].actor == "system:operator"


def test_replay_of_unknown_event_is_refused_and_the_others_go_on(app: Flask, world: World) -> None:
    received = world.deliver(world.paid(world.payment()))
    args = ["replay", "inb_nothing", received.inbound_id, "--reason", "test"]
    done = app.test_cli_runner().invoke(args=args)
    assert done.exit_code == 1
    assert "inb_nothing: refused" in done.output
    with database.reading() as session:
        assert session.get_one(InboundEvent, received.inbound_id).state == "processed"


def test_replay_needs_a_reason(app: Flask) -> None:
    assert app.test_cli_runner().invoke(args=["replay", "inb_1"]).exit_code == 2


def test_reconcile_heals_and_says_what(app: Flask, world: World) -> None:
    payment = world.payment()
    world.rail.intents[str(payment.provider_reference)] |= {
        "status": "succeeded",
        "amount_received": payment.amount_minor,
    }
    runner = app.test_cli_runner()
    done = runner.invoke(args=["reconcile", "stripe", "--since", "1h"])
    assert done.exit_code == 0, done.output
    assert f"{payment.id}: payment pending → completed" in done.output
    told = json.loads(runner.invoke(args=["reconcile", "stripe", "--json"]).output)
    assert (told["compared"], told["equal"], told["healed"]) == (1, 1, 0)


def test_reconcile_of_what_is_not_there_says_so(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["reconcile", "nobody"])
    assert done.exit_code == 1 and "Error:" in done.output


@time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False)
def test_since_is_a_span_or_a_moment() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert parse_since("24h") == now - timedelta(hours=24)
    assert parse_since("90m") == now - timedelta(minutes=90)
    assert parse_since("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert parse_since("2026-11-01T08:00+02:00") == datetime(2026, 11, 1, 6, tzinfo=UTC)
    for wrong in ("", "soon", "24", "-3h", "2026-13-01"):
        with pytest.raises(click.BadParameter):
            parse_since(wrong)


def test_states_page_is_up_to_date() -> None:
    page = ROOT / "docs" / "states.md"
    assert page.read_text(encoding="utf-8") == states_page.page(), (
        "run: flask --app wsgi states-write"
    )


def test_states_write_writes_only_when_asked(app: Flask, tmp_path: Path) -> None:
    runner, path = app.test_cli_runner(), tmp_path / "states.md"
    assert runner.invoke(args=["states-write", "--check", "--path", str(path)]).exit_code == 1
    assert not path.exists()
    assert runner.invoke(args=["states-write", "--path", str(path)]).exit_code == 0
    assert runner.invoke(args=["states-write", "--check", "--path", str(path)]).exit_code == 0

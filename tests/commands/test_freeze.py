"""`flask freeze` holds money out from a terminal, says what it holds, and refuses what there is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click
import pytest
import time_machine
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from commands.freeze import parse_until
from domain import database
from models.audit import AuditRow
from models.control import Freeze
from tests.domain import world as worlds
from tests.domain.world import World


@pytest.fixture
def world(app: Flask) -> World:
    return worlds.build(app.config["PAYDESK"])


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["freeze", *arguments])


def test_it_holds_everything_until_it_is_lifted_and_says_so(app: Flask, world: World) -> None:
    done = run(app, "all", "--reason", "two releases of one order")
    assert done.exit_code == 0, done.output
    assert "Frozen: money out of everything" in done.output
    assert "that takes two people" in done.output
    assert "0 releases, 0 payouts, 0 refunds, 0 withdrawals" in done.output
    assert "Was frozen already" in run(app, "all", "--reason", "once more").output
    with database.reading() as session:
        row = session.scalars(select(Freeze)).one()
        assert (row.scope, row.state, row.until) == ("all", "active", None)
        audited = session.scalars(select(AuditRow).where(AuditRow.object_id == row.id)).one()
        assert (audited.actor, audited.reason) == ("system:operator", "two releases of one order")


def test_programs_read_the_same(app: Flask, world: World) -> None:
    order = world.order()
    arguments = (f"order:{order.id}", "--reason", "look first", "--until", "2h", "--json")
    told = json.loads(run(app, *arguments).output)
    assert (told["scope"], told["scopeId"], told["new"]) == ("order", order.id, True)
    assert told["forecast"]["inFlight"] == 0
    assert json.loads(run(app, *arguments).output)["new"] is False


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("galaxy",), "A scope is one of"),
        (("all:card",), "Everything has no name"),
        (("rail",), "Name the rail"),
        (("rail:pigeon",), "A rail is one of"),
        (("merchant:mer_nobody",), "no such merchant"),
        (("order:ord_nothing",), "no such order"),
        (("all", "--until", "yesterday"), "2h"),
        (("all", "--until", "2020-01-01T00:00:00Z"), "passed"),
    ],
)
def test_what_there_is_not_is_refused(app: Flask, arguments: tuple[str, ...], said: str) -> None:
    done = run(app, *arguments, "--reason", "look first")
    assert done.exit_code != 0
    assert said in done.output
    with database.reading() as session:
        assert session.scalars(select(Freeze)).all() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_asks_for_a_reason(app: Flask) -> None:
    assert run(app, "all").exit_code == 2
    for reason in (" ", "x" * 501, "4242 4242 4242 4242"):
        assert run(app, "all", "--reason", reason).exit_code == 1
    with database.reading() as session:
        assert session.scalars(select(Freeze)).all() == []


@time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False)
def test_until_is_a_span_or_a_moment_with_its_offset() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert parse_until("2h") == now + timedelta(hours=2)
    assert parse_until("30m") == now + timedelta(minutes=30)
    assert parse_until("2026-11-21T18:00:00+02:00") == datetime(2026, 11, 21, 16, tzinfo=UTC)
    for wrong in ("", "2", "2s", "-2h", "soon", "2026-11-21T18:00:00"):
        with pytest.raises(click.BadParameter):
            parse_until(wrong)

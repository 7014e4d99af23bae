"""`flask erase-person` shows first what it would do, asks for a reason, and says no in words and a code."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from domain import database
from models.people import User
from tests.api.personas import Personas
from tests.api.till import Till


@pytest.fixture
def who(app: Flask) -> Personas:
    del app
    return Personas()


def test_an_operator_previews_then_erases(app: Flask, who: Personas) -> None:
    run = app.test_cli_runner().invoke
    shown = run(args=["erase-person", who.bo.id, "--preview", "--json"])
    said = json.loads(shown.output)
    assert (said["erased"], said["blocks"]) == (False, [])
    assert "Name and e-mail address" in [each["what"] for each in said["goes"]]
    nothing = run(args=["erase-person", who.bo.id])
    assert nothing.exit_code == 1 and "VALIDATION_FAILED" in nothing.output
    done = run(args=["erase-person", who.bo.id, "--reason", "asked for by letter"])
    assert done.exit_code == 0 and f"{who.bo.id}: erased" in done.output
    again = run(args=["erase-person", who.bo.id, "--reason", "asked for by letter"])
    assert again.exit_code == 1 and "ALREADY_ERASED" in again.output
    with database.reading() as session:
        assert session.get_one(User, who.bo.id).erased_at is not None


def test_what_is_open_is_named_and_nothing_is_done(app: Flask, who: Personas) -> None:
    Till.open(app).order(who.bo)
    refused = app.test_cli_runner().invoke(
        args=["erase-person", who.bo.id, "--reason", "asked for by letter"]
    )
    assert refused.exit_code == 1 and "ERASURE_BLOCKED" in refused.output
    unknown = app.test_cli_runner().invoke(args=["erase-person", "usr_nobody", "--reason", "why"])
    assert unknown.exit_code == 1 and "NOT_FOUND" in unknown.output

"""The desk's switches through the API: who sets which, what they take, and that nothing false can be set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock
from core.states import Role
from domain.database import reading
from domain.jobs import overdue
from models.audit import AuditRow
from models.events import EventLog
from tests.api.personas import Personas
from tests.api.till import Caller, code

PAUSE = {"value": {"on": True}, "reason": "the bank's file is late"}
NOTICE = {"value": {"on": True, "text": "Cards are slow today."}, "reason": "tell everybody"}


def put(client: FlaskClient, name: str, who: Caller, body: object) -> Any:
    return client.put(f"/api/controls/{name}", json=body, headers=who.headers)


def listed(client: FlaskClient, who: Caller) -> dict[str, dict[str, Any]]:
    answer = client.get("/api/controls", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return {row["control"]: row for row in answer.get_json()["items"]}


def test_finance_pauses_settlement_and_only_admins_and_engineers_write_notices(
    client: FlaskClient, who: Personas
) -> None:
    for role in Role:
        person = who.by_role(role)
        pauses = role in (Role.FINANCE, Role.ADMIN, Role.ENGINEER)
        writes = role in (Role.ADMIN, Role.ENGINEER)
        staff = role not in (Role.BUYER, Role.SELLER, Role.MERCHANT)
        answers = (
            put(client, "settlement_pause", person, PAUSE),
            put(client, "banner", person, NOTICE),
            client.get("/api/controls", headers=person.headers),
        )
        expected = [200 if each else 403 for each in (pauses, writes, staff)]
        assert [answer.status_code for answer in answers] == expected, role
    assert put(client, "settlement_pause", who.mels_key, PAUSE).status_code == 403


def test_a_switch_says_how_it_stands_who_set_it_and_until_when(
    client: FlaskClient, who: Personas
) -> None:
    assert listed(client, who.ann) == {
        "settlement_pause": {
            "control": "settlement_pause",
            "value": {"on": False},
            "until": None,
            "by": None,
            "at": None,
        },
        "banner": {
            "control": "banner",
            "value": {"on": False, "text": None},
            "until": None,
            "by": None,
            "at": None,
        },
    }
    until = clock.rfc3339(clock.now() + timedelta(hours=1))
    answer = put(client, "settlement_pause", who.fin, PAUSE | {"until": until})
    said = answer.get_json()
    assert (said["value"], said["until"], said["by"]) == ({"on": True}, until, who.fin.id)
    assert listed(client, who.sue)["settlement_pause"] == said
    off = put(client, "settlement_pause", who.ed, {"value": {"on": False}, "reason": "it came"})
    assert (off.get_json()["value"], off.get_json()["until"]) == ({"on": False}, None)
    with reading() as session:
        written = select(AuditRow).where(AuditRow.action == "control.set")
        rows = session.scalars(written.order_by(AuditRow.at, AuditRow.id))
        assert [(row.actor, row.after["on"], row.reason) for row in rows] == [
            (who.fin.id, True, "the bank's file is late"),
            (who.ed.id, False, "it came"),
        ]
        told = session.scalars(select(EventLog).where(EventLog.type == "control.changed"))
        assert {row.audience for row in told} == {"staff"}


def test_its_time_turns_it_off_in_every_answer_and_then_for_good(
    client: FlaskClient, who: Personas
) -> None:
    until = clock.rfc3339(clock.now() + timedelta(hours=1))
    assert put(client, "banner", who.ada, NOTICE | {"until": until}).status_code == 200
    assert listed(client, who.ann)["banner"]["value"]["on"] is True
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        fresh = Personas()
        ann = fresh.abe
        assert listed(client, ann)["banner"]["value"]["on"] is False
        assert overdue.end_overdue()
        assert not overdue.end_overdue()
        assert listed(client, ann)["banner"]["by"] == "system:controls"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["worker_throttle", "manual_reconciliation", "retry_window", "x"])
def test_a_switch_that_does_nothing_is_not_there(
    client: FlaskClient, who: Personas, name: str
) -> None:
    answer = put(client, name, who.ada, PAUSE)
    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("settlement_pause", {"value": True, "reason": "why not"}),
        ("settlement_pause", {"value": {"on": "yes"}, "reason": "why not"}),
        ("settlement_pause", {"value": {"on": True, "text": "x"}, "reason": "why not"}),
        ("settlement_pause", {"value": {"on": True}}),
        ("settlement_pause", {"value": {"on": True}, "reason": " "}),
        ("settlement_pause", PAUSE | {"until": "2020-01-01T00:00:00Z"}),
        (
            "settlement_pause",
            {"value": {"on": False}, "reason": "why not", "until": "2099-01-01T00:00:00Z"},
        ),
        ("banner", {"value": {"on": True}, "reason": "why not"}),
        ("banner", {"value": {"on": True, "text": "   "}, "reason": "why not"}),
        ("banner", {"value": {"on": True, "text": "x" * 301}, "reason": "why not"}),
        ("banner", {"value": {"on": True, "text": "4242 4242 4242 4242"}, "reason": "why not"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: FlaskClient, who: Personas, name: str, body: object
) -> None:
    assert put(client, name, who.ada, body).status_code == 400
    assert listed(client, who.ann)[name]["value"]["on"] is False

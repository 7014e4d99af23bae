"""The audit log through the API: who reads it, filters, pages, exports without formulas."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import time_machine
from flask.testing import FlaskClient

from core.states import Role
from domain import audit
from domain.actors import Actor
from domain.database import transaction
from tests.api.personas import Personas

ACTOR = Actor(id="usr_writer", kind="user", role=Role.FINANCE, name="Fin")
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def write(action: str, *, reason: str | None = None, object_id: str = "pay_1") -> None:
    with transaction() as session:
        audit.write(
            session,
            action,
            actor=ACTOR,
            object_kind="payment",
            object_id=object_id,
            source="test",
            reason=reason,
            after={"amountMinor": -5},
        )


def test_finance_admins_and_auditors_read_it(client: FlaskClient, who: Personas) -> None:
    for role in Role:
        allowed = role in (Role.FINANCE, Role.ADMIN, Role.AUDITOR)
        answer = client.get("/api/audit", headers=who.by_role(role).headers)
        assert answer.status_code == (200 if allowed else 403), role


def test_it_is_narrowed_and_paged(client: FlaskClient, who: Personas) -> None:
    for number in range(5):
        with time_machine.travel(BEGAN + timedelta(seconds=number)):
            write("thing.done", object_id=f"pay_{number}")
    write("thing.undone")

    def ids(query: str) -> list[str]:
        answer = client.get(f"/api/audit?{query}", headers=who.ann.headers)
        return [row["object"]["id"] for row in answer.json["items"]]

    assert ids("action=thing.done") == ["pay_4", "pay_3", "pay_2", "pay_1", "pay_0"]
    assert ids("actor=usr_writer&object=pay_3") == ["pay_3"]
    assert ids("action=thing.done&to=2020-01-01T00:00:00Z") == []
    assert len(ids("from=2020-01-01T00:00:00Z&actor=usr_writer")) == 6
    first = client.get("/api/audit?action=thing.done&limit=3", headers=who.ann.headers).json
    rest = client.get(
        f"/api/audit?action=thing.done&limit=3&cursor={first['nextCursor']}",
        headers=who.ann.headers,
    ).json
    assert [row["object"]["id"] for row in first["items"] + rest["items"]] == ids(
        "action=thing.done"
    )
    assert rest["nextCursor"] is None


def test_an_export_holds_no_formula(client: FlaskClient, who: Personas) -> None:
    for start in ("=", "+", "-", "@", "\t", "\r"):
        write("export.me", reason=f"{start}cmd|' /C calc'!A0")
    answer = client.get("/api/audit?action=export.me&format=csv", headers=who.ann.headers)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 6
    for row in rows:
        assert row["reason"].startswith("'")
        assert not any(
            (cell or "").startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values()
        )


def test_an_export_as_json_is_one_document(client: FlaskClient, who: Personas) -> None:
    for _ in range(3):
        write("export.me")
    answer = client.get("/api/audit?action=export.me&format=json", headers=who.ann.headers)
    items = json.loads(answer.text)["items"]
    assert [row["after"] for row in items] == [{"amountMinor": -5}] * 3

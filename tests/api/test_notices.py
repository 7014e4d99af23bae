"""Notices through the API: everybody reads what is late, staff say so; rails and the public status repeat it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.states import Role
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields

LATE: dict[str, Any] = {
    "rail": "card",
    "kind": "delay",
    "text": "Card payments are confirmed late today.",
    "reason": "their status page says so",
}


@pytest.fixture
def till(client: FlaskClient) -> Till:
    return Till.open(client.application)


def say(till: Till, who: Persona, **more: Any) -> dict[str, Any]:
    answer = till.post("/api/notices", who, LATE | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def read(till: Till, query: str = "", who: Persona | None = None) -> list[dict[str, Any]]:
    headers = who.headers if who else {}
    answer = till.app.test_client().get(f"/api/notices{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def test_support_finance_admin_and_engineer_say_that_a_rail_is_late(
    till: Till, who: Personas
) -> None:
    for role in Role:
        may = role in (Role.SUPPORT, Role.FINANCE, Role.ADMIN, Role.ENGINEER)
        opened = till.post("/api/notices", who.by_role(role), LATE)
        assert opened.status_code == (201 if may else 403), role
        notice_id = opened.get_json()["noticeId"] if may else "dly_none"
        path = f"/api/notices/{notice_id}/close"
        closed = till.post(path, who.by_role(role), {"reason": "they caught up"})
        assert closed.status_code == (200 if may else 403), role
    assert till.post("/api/notices", who.mels_key, LATE).status_code == 403
    assert till.app.test_client().post("/api/notices", json=LATE).status_code == 401


def test_everybody_reads_what_is_late_and_staff_also_why_and_what_is_over(
    till: Till, who: Personas
) -> None:
    over = say(till, who.sue, kind="outage")
    till.post(f"/api/notices/{over['noticeId']}/close", who.ed, {"reason": "they are back"})
    eta = clock.rfc3339(clock.after(3600))
    live = say(till, who.sue, etaAt=eta, retryWindowHours=48)
    public = {
        "noticeId": live["noticeId"],
        "rail": "card",
        "provider": None,
        "kind": "delay",
        "text": LATE["text"],
        "etaAt": eta,
        "state": "open",
        "since": live["since"],
    }
    for anybody in (None, who.bo, who.mel):
        assert read(till, who=anybody) == read(till, "?state=closed", who=anybody) == [public]
    shown = read(till, who=who.ann)
    assert [row["noticeId"] for row in shown] == [live["noticeId"], over["noticeId"]]
    assert shown[0] == public | {
        "retryWindowHours": 48,
        "reason": LATE["reason"],
        "openedBy": who.sue.id,
        "closedBy": None,
        "closedReason": None,
        "closedAt": None,
    }
    assert (shown[1]["state"], shown[1]["closedReason"]) == ("closed", "they are back")
    assert read(till, "?state=closed", who=who.ann) == shown[1:]
    assert read(till, "?rail=bank", who=who.ann) == []


def test_one_of_a_kind_is_open_at_a_time_and_the_refusal_names_it(
    till: Till, who: Personas
) -> None:
    first = say(till, who.sue)
    answer = till.post("/api/notices", who.fin, LATE)
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert answer.get_json()["error"]["details"]["noticeId"] == first["noticeId"]
    assert till.post("/api/notices/dly_none/close", who.fin, {"reason": "why"}).status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rail": "pigeon"}, "rail"),
        ({"provider": "wise"}, "provider"),
        ({"kind": "rumour"}, "kind"),
        ({"text": ""}, "text"),
        ({"etaAt": "2020-01-01T00:00:00Z"}, "etaAt"),
        ({"retryWindowHours": 0}, "retryWindowHours"),
        ({"reason": "  "}, "reason"),
        ({"openedBy": "usr_x"}, "openedBy"),
    ],
)
def test_what_cannot_be_said_is_refused_by_field(
    till: Till, who: Personas, body: dict[str, Any], field: str
) -> None:
    answer = till.post("/api/notices", who.fin, LATE | body)
    assert (answer.status_code, fields(answer)) == (400, [field])


def test_rails_and_the_public_status_repeat_it_while_it_is_open(till: Till, who: Personas) -> None:
    def rail() -> dict[str, Any]:
        found, *_ = till.get("/api/rails", who.bo).get_json()["items"]
        assert isinstance(found, dict)
        return found

    def status() -> dict[str, Any]:
        found: dict[str, Any] = till.app.test_client().get("/api/status").get_json()
        return found

    usual = rail()
    assert usual["notice"] is None
    assert usual["eta"]["at"] is None
    assert status()["notices"] == []
    eta = clock.rfc3339(clock.after(3600))
    notice = say(till, who.sue, etaAt=eta)
    assert rail()["notice"] == LATE["text"]
    assert rail()["eta"] == {"text": LATE["text"], "at": eta}
    said = status()
    assert said["state"] == "degraded"
    assert said["rails"] == [
        {"rail": "card", "state": "degraded", "text": LATE["text"], "etaAt": eta}
    ]
    assert [row["noticeId"] for row in said["notices"]] == [notice["noticeId"]]
    assert "reason" not in said["notices"][0]
    till.post(f"/api/notices/{notice['noticeId']}/close", who.sue, {"reason": "over"})
    assert (rail(), status()["state"]) == (usual, "ok")


def test_open_payment_says_when_it_is_final(till: Till, who: Personas) -> None:
    payment = till.payment(who.bo)

    def shown() -> Any:
        return till.get(f"/api/payments/{payment['paymentId']}", who.bo).get_json()["eta"]

    assert "within seconds" in shown()["text"]
    say(till, who.sue)
    assert shown() == {"text": LATE["text"], "at": None}
    till.settle(payment)
    assert shown() is None

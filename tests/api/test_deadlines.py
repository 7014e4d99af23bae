"""Deposit deadlines through the API: one moved, many previewed and moved in one act, and such an act undone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.states import Role
from domain.database import transaction
from models.orders import Order
from tests.api.personas import Personas
from tests.api.till import Till, code, fields

BULK = "/api/deadline-extensions"
WHY = {"reason": "the bank is late"}


@pytest.fixture
def till(client: FlaskClient) -> Till:
    return Till.open(client.application)


def hence(hours: int) -> str:
    return str(clock.rfc3339(clock.now().replace(microsecond=0) + timedelta(hours=hours)))


def due(till: Till, who: Personas, hours: int = 3) -> dict[str, Any]:
    """Make an order with an open payment, due in some hours."""
    order = till.order(who.bo, depositDueAt=hence(hours))
    till.intent(who.bo, order["orderId"])
    return order


def shown(till: Till, who: Personas, order: dict[str, Any]) -> Any:
    return till.get(f"/api/orders/{order['orderId']}", who.bo).get_json()["depositDueAt"]


def later(moment: str, hours: int = 24) -> str:
    whole = moment.replace("Z", "+00:00")
    return str(clock.rfc3339(datetime.fromisoformat(whole) + timedelta(hours=hours)))


def test_only_support_finance_and_admins_move_deadlines(till: Till, who: Personas) -> None:
    order = due(till, who)
    bulk = WHY | {"orderIds": [order["orderId"]], "extendHours": 24, "preview": True}
    one = WHY | {"depositDueAt": hence(9)}
    for role in Role:
        may = role in (Role.SUPPORT, Role.FINANCE, Role.ADMIN)
        person = who.by_role(role)
        assert till.post(BULK, person, bulk).status_code == (200 if may else 403), role
        answer = till.post(f"/api/orders/{order['orderId']}/deadline", person, one)
        assert answer.status_code == (200 if may else 403), role
        answer = till.post(f"{BULK}/ext_none/undo", person, WHY)
        assert answer.status_code == (404 if may else 403), role
    assert till.post(BULK, who.mels_key, bulk).status_code == 403
    assert till.app.test_client().post(BULK, json=bulk).status_code == 401


def test_preview_then_apply_then_undo(till: Till, who: Personas) -> None:
    first, second = due(till, who, 3), due(till, who, 5)
    endless = till.order(who.bo)
    ids = [first["orderId"], second["orderId"], endless["orderId"]]
    body = WHY | {"orderIds": ids, "extendHours": 24}
    skipped = [{"orderId": endless["orderId"], "why": "It has no deadline."}]
    preview = till.post(BULK, who.sue, body | {"preview": True})
    assert (preview.status_code, preview.get_json()) == (
        200,
        {
            "orders": [
                {
                    "orderId": each["orderId"],
                    "from": each["depositDueAt"],
                    "to": later(each["depositDueAt"]),
                }
                for each in (first, second)
            ],
            "count": 2,
            "skipped": skipped,
        },
    )
    assert shown(till, who, first) == first["depositDueAt"]
    done = till.post(BULK, who.sue, body)
    said = done.get_json()
    assert (done.status_code, said["count"], said["skipped"]) == (201, 2, skipped)
    assert said["undoableUntil"] > hence(23)
    for each in (first, second):
        assert shown(till, who, each) == later(each["depositDueAt"])
    payment = till.get(f"/api/orders/{first['orderId']}", who.bo).get_json()["paymentIds"][0]
    expires = till.get(f"/api/payments/{payment}", who.bo).get_json()["expiresAt"]
    assert expires == later(first["depositDueAt"])
    path = f"{BULK}/{said['extensionId']}/undo"
    till.post(
        f"/api/orders/{second['orderId']}/deadline", who.fin, WHY | {"depositDueAt": hence(99)}
    )
    undone = till.post(path, who.fin, WHY)
    assert (undone.status_code, undone.get_json()) == (
        200,
        {
            "extensionId": said["extensionId"],
            "undone": 1,
            "skipped": [
                {"orderId": second["orderId"], "why": "Its deadline was moved again since."}
            ],
        },
    )
    assert shown(till, who, first) == first["depositDueAt"]
    # The order's story tells both parties when it was due, and staff also who moved it and why.
    story = f"/api/orders/{first['orderId']}/timeline"
    told = [row for row in till.get(story, who.bo).get_json()["items"] if row["kind"] == "deadline"]
    assert len(told) == 2
    assert all(row["text"].startswith("Deposit due ") and not row["reason"] for row in told)
    told = [
        row for row in till.get(story, who.sue).get_json()["items"] if row["kind"] == "deadline"
    ]
    assert [row["reason"] for row in told] == [WHY["reason"]] * 2
    again = till.post(path, who.fin, WHY)
    assert (again.status_code, code(again)) == (409, "CONFLICT")


def test_filter_and_reference_make_one_act_whoever_sends_it(till: Till, who: Personas) -> None:
    soon, _ = due(till, who, 3), due(till, who, 50)
    body = WHY | {
        "filter": {"rail": "card", "dueBefore": hence(10)},
        "extendHours": 24,
        "reference": "bank-late-2026-11-22",
    }
    first = till.post(BULK, who.sue, body)
    assert (first.status_code, first.get_json()["count"]) == (201, 1)
    # Without a header the reference is the key of the call; with another key it is still the same act.
    for person, key in ((who.sue, ""), (who.fin, "")):
        again = till.post(BULK, person, body, key=key)
        assert again.get_json()["extensionId"] == first.get_json()["extensionId"]
    assert shown(till, who, soon) == later(soon["depositDueAt"])
    other = till.post(BULK, who.sue, body | {"extendHours": 25})
    assert (other.status_code, code(other)) == (409, "CONFLICT")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "orderIds"),
        ({"orderIds": []}, "orderIds"),
        ({"orderIds": ["ord_1"], "extendHours": 0}, "extendHours"),
        ({"orderIds": ["ord_1"], "extendHours": 721}, "extendHours"),
        ({"orderIds": ["ord_1"], "reason": "x"}, "reason"),
        ({"filter": {"rail": "pigeon", "dueBefore": "2099-01-01T00:00:00Z"}}, "filter.rail"),
        ({"filter": {"rail": "card"}}, "filter.dueBefore"),
        ({"orderIds": ["ord_1"], "by": "usr_x"}, "by"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_field(
    till: Till, who: Personas, body: dict[str, Any], field: str
) -> None:
    answer = till.post(BULK, who.fin, {"extendHours": 24} | WHY | body)
    assert (answer.status_code, fields(answer)) == (400, [field])


def test_one_deadline_only_ever_moves_to_a_later_moment(till: Till, who: Personas) -> None:
    order = due(till, who, 3)
    path = f"/api/orders/{order['orderId']}/deadline"
    later_on = hence(9)
    moved = till.post(path, who.sue, WHY | {"depositDueAt": later_on})
    assert (moved.status_code, moved.get_json()["depositDueAt"]) == (200, later_on)
    for wrong in (order["depositDueAt"], "2020-01-01T00:00:00Z"):
        answer = till.post(path, who.sue, WHY | {"depositDueAt": wrong})
        assert (answer.status_code, fields(answer)) == (400, ["depositDueAt"])
    with transaction() as session:
        session.get_one(Order, order["orderId"]).status = "cancelled"
    answer = till.post(path, who.sue, WHY | {"depositDueAt": hence(20)})
    assert (answer.status_code, code(answer)) == (409, "INVALID_TRANSITION")

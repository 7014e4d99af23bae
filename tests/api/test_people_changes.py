"""Inviting and changing users over the API: who may, what waits for a second admin, what is written down."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.states import Role
from tests.api import personas
from tests.api.personas import Persona, Personas
from tests.api.till import code, fields

WHY = {"reason": "The team changed"}


def invite(client: FlaskClient, who: Persona, **body: object) -> TestResponse:
    named = {"email": "nina@people.test", "role": "buyer"} | body
    return client.post("/api/users", json=named, headers=who.headers)


def patch(client: FlaskClient, whom: Persona, who: Persona, **body: object) -> TestResponse:
    return client.patch(f"/api/users/{whom.id}", json=WHY | body, headers=who.headers)


def audited(client: FlaskClient, who: Personas, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(
        f"/api/audit?{query}", headers=who.ann.headers
    ).get_json()["items"]
    return found


def test_a_customer_is_invited_at_once(client: FlaskClient, who: Personas) -> None:
    answer = invite(client, personas.fresh(who.ada), name="Nina")
    assert answer.status_code == 201
    made = answer.get_json()
    assert answer.headers["Location"] == f"/api/users/{made['userId']}"
    assert (made["email"], made["name"], made["role"]) == ("nina@people.test", "Nina", "buyer")
    assert (made["kyc"], made["state"], made["secondFactor"]) == ("none", "active", False)
    assert "password" not in answer.text
    assert "set-password" not in answer.text
    again = invite(client, personas.fresh(who.ada), email="NINA@people.test")
    assert (again.status_code, code(again)) == (409, "USER_EXISTS")


@pytest.mark.parametrize("role", ["support", "finance", "admin", "engineer", "auditor"])
def test_staff_are_made_when_a_second_admin_agrees(
    client: FlaskClient, who: Personas, role: str
) -> None:
    answer = invite(client, personas.fresh(who.ada), role=role)
    assert answer.status_code == 202
    waits = answer.get_json()
    assert waits["status"] == "pending_approval"
    assert waits["approvalId"].startswith("apr_")
    listed = client.get("/api/users?q=nina@people.test", headers=who.ada.headers).get_json()
    assert listed["items"] == []


def test_rights_of_staff_are_only_asked_for(client: FlaskClient, who: Personas) -> None:
    ada = personas.fresh(who.ada)
    for whom, role in ((who.sue, "finance"), (who.ed, "buyer"), (who.bo, "auditor")):
        answer = patch(client, whom, ada, role=role)
        assert answer.status_code == 202, role
        said = answer.get_json()
        assert (said["userId"], said["status"]) == (whom.id, "pending_approval")
        kept = client.get(f"/api/users/{whom.id}", headers=who.ada.headers).get_json()
        assert kept["role"] == said["role"] != role


def test_a_customer_is_changed_at_once(client: FlaskClient, who: Personas) -> None:
    answer = patch(client, who.bo, personas.fresh(who.ada), role="seller", name="Bo Seller")
    assert answer.status_code == 200
    assert (answer.get_json()["role"], answer.get_json()["name"]) == ("seller", "Bo Seller")
    row = audited(client, who, "action=user.change")[0]
    assert (row["actor"], row["object"], row["reason"]) == (
        who.ada.id,
        {"kind": "user", "id": who.bo.id},
        WHY["reason"],
    )
    assert (row["before"]["role"], row["after"]["role"]) == ("buyer", "seller")
    assert "Bo Seller" not in str(audited(client, who, f"object={who.bo.id}"))


def test_a_disabled_persons_tokens_are_dead_at_once(client: FlaskClient, who: Personas) -> None:
    assert client.get("/api/me", headers=who.fin.headers).status_code == 200
    answer = patch(client, who.fin, personas.fresh(who.ada), state="disabled")
    assert (answer.status_code, answer.get_json()["state"]) == (200, "disabled")
    assert client.get("/api/me", headers=who.fin.headers).status_code == 401
    again = patch(client, who.fin, personas.fresh(who.ada), state="active")
    assert again.status_code == 202


def test_nobody_changes_their_own_role(client: FlaskClient, who: Personas) -> None:
    twin = personas.user("ada+2@people.test", role=Role.SUPPORT)
    for whom in (who.ada, twin):
        for body in ({"role": "finance"}, {"state": "disabled"}):
            answer = patch(client, whom, personas.fresh(who.ada), **body)
            assert (answer.status_code, code(answer)) == (409, "SAME_PERSON"), body
    answer = invite(client, personas.fresh(who.ada), email="ada+x@people.test", role="finance")
    assert (answer.status_code, code(answer)) == (409, "SAME_PERSON")


def test_admins_prove_themselves_first(client: FlaskClient, who: Personas) -> None:
    for answer in (
        invite(client, who.ada),
        patch(client, who.bo, who.ada, role="seller"),
        patch(client, who.bo, who.fin, kyc="approved"),
    ):
        assert (answer.status_code, code(answer)) == (403, "STEP_UP_REQUIRED")


def test_finance_sets_the_verification_only(client: FlaskClient, who: Personas) -> None:
    fin = personas.fresh(who.fin)
    assert patch(client, who.bo, fin, kyc="rejected").get_json()["kyc"] == "rejected"
    for body in ({"role": "seller"}, {"state": "disabled"}, {"name": "X"}):
        assert patch(client, who.bo, fin, **body).status_code == 403
    assert invite(client, fin).status_code == 403


@pytest.mark.parametrize("role", [each for each in Role if each != Role.ADMIN])
def test_who_is_no_admin_is_refused_and_that_is_written_down(
    client: FlaskClient, who: Personas, role: Role
) -> None:
    caller = personas.fresh(who.by_role(role))
    assert invite(client, caller).status_code == 403
    assert patch(client, who.sal, caller, role="admin").status_code == 403
    assert (
        client.get(f"/api/users/{who.sal.id}", headers=who.ada.headers).get_json()["role"]
        == "seller"
    )
    refused = audited(client, who, f"actor={caller.id}&refused=true")
    assert len(refused) == 2


def test_no_key_and_no_stranger_changes_anybody(client: FlaskClient, who: Personas) -> None:
    for path, method in (("/api/users", "POST"), (f"/api/users/{who.bo.id}", "PATCH")):
        body = WHY | {"email": "x@people.test", "role": "buyer"}
        for headers, status in ((who.mels_key.headers, 403), ({}, 401)):
            answer = client.open(path, method=method, json=body, headers=headers)
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"email": "no address"}, "email"),
        ({"email": "a@b\u202e.c"}, "email"),
        ({"name": "x" * 121}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"role": "merchant"}, "merchantId"),
        ({"role": "merchant", "merchantId": "mer_nothing"}, "merchantId"),
        ({"role": "admin", "merchantId": "mer_nothing"}, "merchantId"),
        ({"password": "given by somebody"}, "password"),
    ],
)
def test_what_cannot_be_invited_is_said_by_field(
    client: FlaskClient, who: Personas, body: dict[str, object], field: str
) -> None:
    answer = invite(client, personas.fresh(who.ada), **body)
    assert answer.status_code == 400
    assert fields(answer) == [field]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "locked"},
        {"kyc": "yes"},
        {"merchantId": "x"},
        {"reason": "", "role": "seller"},
    ],
)
def test_what_cannot_be_changed_is_refused(
    client: FlaskClient, who: Personas, body: dict[str, object]
) -> None:
    answer = patch(client, who.bo, personas.fresh(who.ada), **body)
    assert answer.status_code == 400
    assert (
        client.patch(
            f"/api/users/{who.bo.id}",
            json={"role": "seller"},
            headers=personas.fresh(who.ada).headers,
        ).status_code
        == 400
    )


def test_nobody_of_that_id_is_changed(client: FlaskClient, who: Personas) -> None:
    path = "/api/users/usr_nothing"
    answer = client.patch(
        path, json=WHY | {"role": "seller"}, headers=personas.fresh(who.ada).headers
    )
    assert answer.status_code == 404

"""Users and their sessions: who sees whom, and what ending a session does."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from core.states import Kyc, Role
from tests.api import personas
from tests.api.personas import Personas
from web import identity


def code(answer: Any) -> str:
    return str(answer.json["error"]["code"])


def test_me_tells_each_role_what_it_may_do(client: FlaskClient, who: Personas) -> None:
    for role in Role:
        me = client.get("/api/me", headers=who.by_role(role).headers).json
        assert (me["role"], me["kyc"], me["environment"]) == (role.value, "approved", "test")
    assert client.get("/api/me").status_code == 401


def test_who_may_list_users(client: FlaskClient, who: Personas) -> None:
    allowed = {Role.ADMIN, Role.AUDITOR, Role.SUPPORT, Role.FINANCE}
    for role in Role:
        answer = client.get("/api/users", headers=who.by_role(role).headers)
        assert answer.status_code == (200 if role in allowed else 403), role


def test_a_key_sees_no_users(client: FlaskClient, who: Personas) -> None:
    assert client.get("/api/users", headers=who.mels_key.headers).status_code == 403
    assert client.get(f"/api/users/{who.mel.id}", headers=who.mels_key.headers).status_code == 404


def test_users_are_found_by_address_id_and_name_and_listed_in_pages(
    client: FlaskClient, who: Personas
) -> None:
    everybody = [who.ada, who.bo, who.sal, who.mel, who.sue]
    personas.change(who.sal.id, state="disabled")

    def found(query: str) -> list[str]:
        answer = client.get(f"/api/users?{query}", headers=who.ada.headers)
        assert answer.status_code == 200
        return [row["userId"] for row in answer.json["items"]]

    assert found(f"q={who.bo.email}") == [who.bo.id]
    assert found(f"q={who.bo.id}") == [who.bo.id]
    assert found("q=MEL") == [who.mel.id]
    assert found("q=%25") == []
    assert found("role=buyer,seller") == [who.sal.id, who.bo.id]
    assert found("state=disabled") == [who.sal.id]
    assert found("kyc=rejected") == []
    seen, cursor = [], ""
    while True:
        answer = client.get(f"/api/users?limit=2{cursor}", headers=who.ada.headers).json
        seen += [row["userId"] for row in answer["items"]]
        if answer["nextCursor"] is None:
            break
        cursor = f"&cursor={answer['nextCursor']}"
    assert seen == [each.id for each in reversed(everybody)]


def test_a_cursor_of_no_list_is_refused(client: FlaskClient, who: Personas) -> None:
    for cursor in ("x", "!!!!", "bm90anNvbg", "WzEsMl0", "WyIyMDI2LTExLTIxIiwieCJd"):
        answer = client.get(f"/api/users?cursor={cursor}", headers=who.ada.headers)
        assert (answer.status_code, code(answer)) == (400, "VALIDATION_FAILED"), cursor


def test_others_are_seen_by_those_who_administer_people_only(
    client: FlaskClient, who: Personas
) -> None:
    path = f"/api/users/{who.bo.id}"
    for caller in (who.bo, who.ada, who.ann, who.sue, who.fin):
        assert client.get(path, headers=caller.headers).json["userId"] == who.bo.id
    missing = client.get("/api/users/usr_0", headers=who.sal.headers)
    for caller in (who.sal, who.mel, who.eve, who.ed):
        foreign = client.get(path, headers=caller.headers)
        assert foreign.status_code == missing.status_code == 404
        assert {**foreign.json["error"], "requestId": 0} == {
            **missing.json["error"],
            "requestId": 0,
        }


def test_sessions_are_shown_to_their_person_and_to_administrators(
    client: FlaskClient, who: Personas
) -> None:
    path = f"/api/users/{who.bo.id}/sessions"
    own = client.get(path, headers=who.bo.headers).json["items"]
    assert [(row["sessionId"], row["kind"], row["current"]) for row in own] == [
        (who.bo.jti, "jwt", True)
    ]
    assert client.get(path, headers=who.ada.headers).json["items"][0]["current"] is False
    assert client.get(path, headers=who.sue.headers).status_code == 403
    assert client.get(path, headers=who.sal.headers).status_code == 404
    assert client.delete(path, headers=who.sal.headers).status_code == 404
    assert client.delete(path, headers=who.fin.headers).status_code == 403


def test_ending_all_sessions_kills_every_token(client: FlaskClient, who: Personas) -> None:
    path = f"/api/users/{who.bo.id}/sessions"
    assert client.delete(path, headers=who.ada.headers).status_code == 204
    assert client.get("/api/me", headers=who.bo.headers).status_code == 401
    assert client.get(path, headers=who.ada.headers).json["items"] == []
    told = client.get("/api/audit?action=session.revoke", headers=who.ann.headers).json["items"]
    assert [(row["actor"], row["object"]["id"]) for row in told] == [(who.ada.id, who.bo.jti)]


def test_one_session_can_be_ended_and_only_ones_own(client: FlaskClient, who: Personas) -> None:
    path = f"/api/users/{who.bo.id}/sessions"
    assert (
        client.delete(f"{path}?sessionId={who.sal.jti}", headers=who.bo.headers).status_code == 404
    )
    assert client.get("/api/me", headers=who.sal.headers).status_code == 200
    assert (
        client.delete(f"{path}?sessionId={who.bo.jti}", headers=who.bo.headers).status_code == 204
    )
    assert client.get("/api/me", headers=who.bo.headers).status_code == 401


def test_people_without_kyc_may_still_read(client: FlaskClient, who: Personas) -> None:
    del who
    identity.forget_cached()
    kay = personas.user("kay@people.test", role=Role.BUYER, kyc=Kyc.NONE)
    assert client.get("/api/me", headers=kay.headers).json["kyc"] == "none"

"""Approvals over the API: asked for, read and taken back; given nowhere but on the desk."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.contract import ENDPOINTS
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.control import approvals
from domain.payments import marking
from domain.payments.marking import Wanted
from domain.people import sessions
from models.control import Approval
from models.payments import Payment
from models.people import User
from tests.api import personas
from tests.api.personas import KeyHolder, Persona, Personas
from tests.api.till import Till, code, fields

BODY = {"status": "completed", "note": "Seen at the bank", "providerReference": "BANK-1"}
FIELDS = {
    *("approvalId", "kind", "state", "text", "amount", "destination", "objectId", "contentHash"),
    *("requestedBy", "requestedAt", "expiresAt", "decidedBy", "decidedAt", "needs", "whyNotMe"),
}


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def asked(till: Till, who: Persona, payment: dict[str, Any], **more: object) -> dict[str, Any]:
    answer = till.post(f"/api/payments/{payment['paymentId']}/reconcile", who, BODY | more)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def by_key(payment: dict[str, Any], holder: KeyHolder) -> str:
    """Have a merchant's key wait for something; today's only act of theirs has a test of its own."""
    with database.transaction() as session:
        row = session.get_one(Payment, payment["paymentId"])
        content = marking.content(row, Wanted("completed", "BANK-2"))
        actor = Actor(holder.id, "key", Role.MERCHANT, "k", merchant_id=holder.merchant_id)
        return approvals.request(session, content, actor=actor, reason=None, source="test").id


def test_marking_is_asked_for_and_waits_for_the_desk(
    client: FlaskClient, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    said = asked(till, who.fin, payment)
    assert (said["status"], said["paymentId"]) == ("pending_approval", payment["paymentId"])
    found = client.get(f"/api/approvals/{said['approvalId']}", headers=who.flo.headers).get_json()
    assert set(found) == FIELDS
    assert (found["kind"], found["state"]) == ("mark_payment", "pending")
    assert found["amount"] == {"amount": "25.00", "currency": "EUR"}
    assert (found["requestedBy"], found["needs"]) == (who.fin.id, ["admin", "finance"])
    assert found["expiresAt"] == said["approvalExpiresAt"]
    assert found["whyNotMe"] is None
    read = client.get(f"/api/payments/{payment['paymentId']}", headers=who.fin.headers).get_json()
    assert read["status"] == "pending"
    with database.reading() as session:
        assert session.get_one(Approval, said["approvalId"]).requested_fresh is False


def test_each_reader_learns_why_not_they(client: FlaskClient, who: Personas, till: Till) -> None:
    approval = asked(till, who.fin, till.payment(who.bo))["approvalId"]
    expected = {
        who.fin: "You asked for it yourself; somebody else must agree.",
        who.sue: "Your role does not agree to this.",
        who.ann: "Your role does not agree to this.",
        who.ada: None,
    }
    for reader, words in expected.items():
        found = client.get(f"/api/approvals/{approval}", headers=reader.headers).get_json()
        assert found["whyNotMe"] == words


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "released"}, "status"),
        ({"status": "pending"}, "status"),
        ({"note": ""}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"providerReference": ""}, "providerReference"),
        ({"providerReference": "x" * 141}, "providerReference"),
        ({"evidence": "x" * 1001}, "evidence"),
        ({"amount": "1.00"}, "amount"),
    ],
)
def test_a_mark_says_what_it_needs(
    who: Personas, till: Till, body: dict[str, str], field: str
) -> None:
    payment = till.payment(who.bo)
    answer = till.post(f"/api/payments/{payment['paymentId']}/reconcile", who.fin, BODY | body)
    assert (answer.status_code, fields(answer)) == (400, [field])


def test_a_mark_needs_a_key_and_a_repeat_asks_once(who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    path = f"/api/payments/{payment['paymentId']}/reconcile"
    assert code(till.post(path, who.fin, BODY, key="")) == "IDEMPOTENCY_KEY_REQUIRED"
    first, again = (till.post(path, who.fin, BODY, key="mark-0001") for _ in range(2))
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert first.data == again.data
    other = till.post(path, who.flo, BODY)
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    assert other.get_json()["error"]["details"]["approvalId"] == first.get_json()["approvalId"]


def test_what_has_ended_or_belongs_elsewhere_is_not_marked(who: Personas, till: Till) -> None:
    paid, other = till.payment(who.bo), till.payment(who.bo)
    till.settle(paid)
    answer = till.post(f"/api/payments/{paid['paymentId']}/reconcile", who.fin, BODY)
    assert (answer.status_code, code(answer)) == (409, "INVALID_TRANSITION")
    stolen = BODY | {"providerReference": paid["providerReference"]}
    answer = till.post(f"/api/payments/{other['paymentId']}/reconcile", who.fin, stolen)
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert answer.get_json()["error"]["details"]["paymentId"] == paid["paymentId"]
    assert till.post("/api/payments/pay_none/reconcile", who.fin, BODY).status_code == 404


def test_only_finance_and_admins_ask_to_mark(who: Personas, till: Till) -> None:
    payment = till.payment(who.mel)
    path = f"/api/payments/{payment['paymentId']}/reconcile"
    for caller in (who.sue, who.ed, who.ann, who.mel, who.eve, who.bo, who.sal, who.mels_key):
        assert till.post(path, caller, BODY).status_code == 403
    assert till.post(path, who.ada, BODY).status_code == 202


def test_no_route_of_the_api_approves(client: FlaskClient, who: Personas, till: Till) -> None:
    approval = asked(till, who.fin, till.payment(who.bo))["approvalId"]
    routes = {each.path for each in ENDPOINTS.values() if "approvals" in each.path}
    assert routes == {
        "/api/approvals",
        "/api/approvals/{approvalId}",
        "/api/approvals/{approvalId}/cancel",
    }
    fresh = personas.fresh(who.ada)
    for verb in ("approve", "refuse", "agree", "execute"):
        answer = client.post(f"/api/approvals/{approval}/{verb}", headers=fresh.headers, json={})
        assert answer.status_code == 404
        # The desk's own form takes no token and no key either.
        answer = client.post(f"/approvals/{approval}/{verb}", headers=fresh.headers)
        assert answer.status_code in (401, 403, 404)


def test_a_list_is_narrowed_and_paged(client: FlaskClient, who: Personas, till: Till) -> None:
    made = [asked(till, who.fin, till.payment(who.bo), providerReference="A-1")["approvalId"]]
    made.append(asked(till, who.flo, till.payment(who.bo), providerReference="A-2")["approvalId"])
    made.append(asked(till, who.fin, till.payment(who.bo), providerReference="A-3")["approvalId"])

    def listed(query: str, reader: Persona = who.fin) -> list[str]:
        answer = client.get(f"/api/approvals?{query}", headers=reader.headers)
        assert answer.status_code == 200, answer.text
        return [each["approvalId"] for each in answer.get_json()["items"]]

    assert listed("") == made[::-1]
    assert listed("mine=true") == [made[2], made[0]]
    assert listed("state=pending&kind=mark_payment") == made[::-1]
    assert listed("state=executed,refused") == listed("kind=refund") == []
    first = client.get("/api/approvals?limit=2", headers=who.ann.headers).get_json()
    assert [each["approvalId"] for each in first["items"]] == made[:0:-1]
    assert listed(f"limit=2&cursor={first['nextCursor']}", who.ann) == [made[0]]
    for query in ("state=nonsense", "kind=nonsense", "mine=maybe", "colour=red"):
        answer = client.get(f"/api/approvals?{query}", headers=who.fin.headers)
        assert answer.status_code == 400, query


def test_outsiders_see_their_own_requests_only(
    client: FlaskClient, who: Personas, till: Till
) -> None:
    staffs = asked(till, who.fin, till.payment(who.mel))["approvalId"]
    own = by_key(till.payment(who.mel), who.mels_key)
    for reader, expected in (
        (who.mels_key, [own]),
        (who.mel, [own]),
        (who.eve, []),
        (who.sal, []),
        (who.sue, [own, staffs]),
    ):
        answer = client.get("/api/approvals", headers=reader.headers).get_json()
        assert [each["approvalId"] for each in answer["items"]] == expected
        for each in {own, staffs} - set(expected):
            for method, path in (("GET", ""), ("POST", "/cancel")):
                body = {"reason": "mine"} if method == "POST" else None
                found = client.open(
                    f"/api/approvals/{each}{path}",
                    method=method,
                    headers=reader.headers,
                    json=body,
                )
                assert (found.status_code, code(found)) == (404, "NOT_FOUND")
    assert client.get("/api/approvals", headers=who.bo.headers).status_code == 403


def test_an_outsider_learns_the_role_that_decided_not_the_person(
    client: FlaskClient, who: Personas, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = by_key(till.payment(who.mel), who.mels_key)
    flo = who.flo.id
    # A key asks for no mark, so the request would be void before anybody could refuse it.
    monkeypatch.setattr(approvals, "why_void", lambda *_: None)
    with database.transaction() as session:
        user = session.get_one(User, flo)
        opened = sessions.open_session(session, user, address=None, browser=None)
        actor = sessions.actor_of(user, session_id=opened.session_id, stepped_up_at=user.seen_at)
        approvals.refuse(session, own, actor=actor, reason="no such money")
    read = {
        reader: client.get(f"/api/approvals/{own}", headers=reader.headers).get_json()["decidedBy"]
        for reader in (who.mels_key, who.sue)
    }
    assert read == {who.mels_key: "finance", who.sue: who.flo.id}


def test_whoever_asked_takes_it_back_once(client: FlaskClient, who: Personas, till: Till) -> None:
    approval = asked(till, who.fin, till.payment(who.bo))["approvalId"]
    path = f"/api/approvals/{approval}/cancel"
    assert client.post(path, headers=who.flo.headers, json={"reason": "no"}).status_code == 403
    assert client.post(path, headers=who.fin.headers, json={}).status_code == 400
    assert client.post(path, headers=who.ann.headers, json={"reason": "no"}).status_code == 403
    answer = client.post(path, headers=who.fin.headers, json={"reason": "A mistake"})
    assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    again = client.post(path, headers=who.fin.headers, json={"reason": "A mistake"})
    assert (again.status_code, code(again)) == (409, "INVALID_TRANSITION")

"""Refunds over the API: always a request, by whoever may, for what is theirs, in the order of checks."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from core import clock
from core.states import Freeze as FreezeState
from core.states import Role
from domain.actors import Actor, system
from domain.control import approvals, freezes
from domain.database import transaction
from domain.jobs import refunding
from domain.transitions import Why
from models.control import Approval
from tests.api import personas
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    till.settle(payment)
    return payment


def path_of(payment: dict[str, Any]) -> str:
    return f"/api/payments/{payment['paymentId']}/refunds"


def agree(refund: dict[str, Any], person: Persona, role: Role = Role.FINANCE) -> None:
    desk = Actor(person.id, "user", role, "Flo", session_id="ses_flo", stepped_up_at=clock.now())
    with transaction() as session:
        row = session.get_one(Approval, refund["approvalId"])
        content_hash = row.content_hash
        approvals.agree(session, row.id, actor=desk, content_hash=content_hash, reason=None)


def freeze(scope: str = "all", scope_id: str = "") -> str:
    why = Why(system("test"), "test", "Look into it")
    with transaction() as session:
        wanted = freezes.Wanted(scope, scope_id, "Look into it")
        return freezes.engage(session, wanted, why=why)[0].id


def test_request_of_a_key_waits_whatever_its_amount_and_is_sent_once_agreed(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    body = {"amount": "5.00", "reason": "Scratched", "reference": "ticket-0815"}
    answer = till.post(path_of(paid), who.mels_key, body)
    assert answer.status_code == 202
    asked = answer.get_json()
    assert asked["status"] == "pending_approval"
    assert asked["amount"] == {"amount": "5.00", "currency": "EUR"}
    assert asked["approvalId"]
    assert asked["approvalExpiresAt"] > clock.rfc3339(clock.now())
    assert (asked["reason"], asked["reference"]) == ("Scratched", "ticket-0815")
    assert asked["requestedBy"] == who.mels_key.id
    agree(asked, who.flo)
    assert refunding.send_next()
    done = till.get(f"/api/refunds/{asked['refundId']}", who.mels_key).get_json()
    assert (done["status"], done["operationId"] is not None) == ("succeeded", True)
    payment = till.get(f"/api/payments/{paid['paymentId']}", who.mels_key).get_json()
    assert payment["amountRefunded"] == {"amount": "5.00", "currency": "EUR"}
    assert (payment["status"], payment["lifecycle"]) == ("completed", "Confirmed")


def test_amount_is_what_is_left_unless_said_and_everything_back_is_refunded(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    till.post(path_of(paid), who.fin, {"amount": "5.00", "reason": "Scratched"})
    rest = till.post(path_of(paid), who.fin, {"reason": "Returned"})
    assert rest.get_json()["amount"]["amount"] == "20.00"
    none = till.post(path_of(paid), who.fin, {"reason": "Returned"})
    assert (none.status_code, code(none)) == (409, "AMOUNT_EXCEEDED")
    refundable = (none.json or {})["error"]["details"]["refundable"]
    assert refundable == {"amount": "0.00", "currency": "EUR"}


def test_marked_money_is_refunded_once_the_provider_itself_says_it_has_it(
    till: Till, who: Personas
) -> None:
    marked = till.payment(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    till.mark(marked)
    for body in ({"reason": "Returned"}, {"amount": "0.01", "reason": "Returned"}):
        refused = till.post(path_of(marked), who.mels_key, body)
        assert (refused.status_code, code(refused)) == (409, "AMOUNT_EXCEEDED")
        error = (refused.json or {})["error"]
        assert error["details"]["refundable"] == {"amount": "0.00", "currency": "EUR"}
        assert "25.00 EUR of it was marked as received by hand" in error["message"]
    block = till.get(f"/api/payments/{marked['paymentId']}/support-block", who.sue).get_json()
    assert "marked as received by hand" in block["whatHappened"]
    till.settle(marked)
    asked = till.post(path_of(marked), who.mels_key, {"reason": "Returned"})
    assert asked.status_code == 202
    assert asked.get_json()["amount"]["amount"] == "25.00"


def test_everything_given_back_reads_refunded_everywhere(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    asked = till.post(path_of(paid), who.fin, {"reason": "Returned"}).get_json()
    agree(asked, who.flo)
    refunding.send_next()
    payment = till.get(f"/api/payments/{paid['paymentId']}", who.bo).get_json()
    found = (payment["status"], payment["lifecycle"], payment["escrowState"])
    assert found == ("refunded", "Refunded", "refunded")
    order = till.get(f"/api/orders/{paid['orderId']}", who.bo).get_json()
    assert (order["status"], order["requestStatus"]) == ("Refunded", "refunded")


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.MERCHANT, 202),
        (Role.FINANCE, 202),
        (Role.ADMIN, 202),
        (Role.SUPPORT, 403),
        (Role.ENGINEER, 403),
        (Role.AUDITOR, 403),
        (Role.BUYER, 403),
        (Role.SELLER, 403),
    ],
)
def test_who_may_ask(
    till: Till, who: Personas, paid: dict[str, Any], role: Role, status: int
) -> None:
    answer = till.post(path_of(paid), who.by_role(role), {"amount": "1.00", "reason": "x"})
    assert answer.status_code == status


def test_a_key_without_the_scope_may_not_ask(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    narrow = personas.key(who.merchant("Mel's"), name="narrow", scopes=("payments:read",))
    answer = till.post(path_of(paid), narrow, {"reason": "x"})
    assert answer.status_code == 403
    nobody = till.app.test_client().post(path_of(paid), json={"reason": "x"})
    assert nobody.status_code == 401


def test_another_merchant_neither_asks_nor_sees_nor_takes_back(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    asked = till.post(path_of(paid), who.mels_key, {"reason": "x"}).get_json()
    own = f"/api/refunds/{asked['refundId']}"
    for answer in (
        till.post(path_of(paid), who.eve, {"reason": "x"}),
        till.get(path_of(paid), who.eve),
        till.get(own, who.eve),
        till.post(f"{own}/cancel", who.eve, {"reason": "x"}),
        till.get("/api/refunds/ref_none", who.mel),
    ):
        assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert till.get("/api/refunds", who.eve).get_json()["items"] == []
    bob = personas.user("bob@people.test")
    assert till.get(own, bob).status_code == 404
    assert till.get(own, who.bo).status_code == 200
    assert till.get("/api/refunds", who.bo).status_code == 403


def test_whoever_asked_and_the_staffs_words_stay_inside(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    asked = till.post(path_of(paid), who.fin, {"reason": "Rude on the phone"}).get_json()
    assert asked["requestedBy"] == who.fin.id
    for outsider in (who.bo, who.mel, who.mels_key):
        seen = till.get(f"/api/refunds/{asked['refundId']}", outsider).get_json()
        assert (seen["reason"], seen["requestedBy"]) == (None, "staff")
        listed = till.get(path_of(paid), outsider).get_json()["items"]
        assert [each["reason"] for each in listed] == [None]


def test_freeze_is_said_before_the_state_and_after_the_object(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    freeze_id = freeze("order", paid["orderId"])
    too_much = {"amount": "999.00", "reason": "x"}
    held = till.post(path_of(paid), who.mels_key, too_much)
    assert (held.status_code, code(held)) == (423, "FROZEN")
    assert (held.json or {})["error"]["details"]["freezeId"] == freeze_id
    pending = till.payment(who.mels_key)
    freeze()
    assert code(till.post(path_of(pending), who.mels_key, {"reason": "x"})) == "FROZEN"
    missing = till.post("/api/payments/pay_none/refunds", who.mels_key, {"reason": "x"})
    assert missing.status_code == 404
    wrong = till.post(path_of(paid), who.mels_key, {"reason": ""})
    assert (wrong.status_code, fields(wrong)) == (400, ["reason"])
    with transaction() as session:
        row = freezes.lock(session, freeze_id)
        freezes.end(session, row, to=FreezeState.LIFTED, why=Why(system("test"), "test"))
    assert code(till.post(path_of(paid), who.mels_key, too_much)) == "FROZEN"


def test_what_cannot_be_refunded_is_refused_by_name(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    pending = till.payment(who.mels_key)
    assert code(till.post(path_of(pending), who.mels_key, {"reason": "x"})) == "INVALID_TRANSITION"
    other = {"amount": {"amount": "1.00", "currency": "USD"}, "reason": "x"}
    assert till.post(path_of(paid), who.mels_key, other).status_code == 400
    for amount in ("0", "-1.00", "1.001", "NaN"):
        answer = till.post(path_of(paid), who.mels_key, {"amount": amount, "reason": "x"})
        assert answer.status_code == 400, amount


def test_key_is_asked_for_and_the_reference_stands_for_one_refund(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    bare = till.post(path_of(paid), who.mels_key, {"reason": "x"}, key="")
    assert code(bare) == "IDEMPOTENCY_KEY_REQUIRED"
    body = {"amount": "2.00", "reason": "x", "reference": "ticket-0001"}
    first = till.post(path_of(paid), who.mels_key, body, key="")
    again = till.post(path_of(paid), who.mels_key, body)
    assert first.get_json()["refundId"] == again.get_json()["refundId"]
    other = till.post(path_of(paid), who.mels_key, body | {"amount": "3.00"})
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    assert len(till.get(path_of(paid), who.mel).get_json()["items"]) == 1


def test_list_is_filtered_and_paged(till: Till, who: Personas, paid: dict[str, Any]) -> None:
    made = [
        till.post(path_of(paid), who.mels_key, {"amount": "1.00", "reason": "x"}).get_json()
        for _ in range(3)
    ]
    names = [each["refundId"] for each in made][::-1]
    first = till.get("/api/refunds?limit=2", who.sue).get_json()
    rest = till.get(f"/api/refunds?limit=2&cursor={first['nextCursor']}", who.sue).get_json()
    assert [each["refundId"] for each in first["items"] + rest["items"]] == names
    assert rest["nextCursor"] is None
    for query, count in (
        (f"paymentId={paid['paymentId']}", 3),
        (f"orderId={paid['orderId']}&status=pending_approval,pending", 3),
        ("status=succeeded", 0),
        ("paymentId=pay_none", 0),
        ("to=2020-01-01T00:00:00Z", 0),
    ):
        assert len(till.get(f"/api/refunds?{query}", who.mel).get_json()["items"]) == count, query
    assert till.get("/api/refunds?status=gone", who.mel).status_code == 400


def test_request_is_taken_back_until_it_is_sent(
    till: Till, who: Personas, paid: dict[str, Any]
) -> None:
    asked = till.post(path_of(paid), who.mels_key, {"reason": "x"}).get_json()
    cancel = f"/api/refunds/{asked['refundId']}/cancel"
    other = till.post(cancel, who.mel, {"reason": "Not mine"})
    assert other.status_code == 403
    done = till.post(cancel, who.mels_key, {"reason": "By mistake"})
    assert (done.status_code, done.get_json()["status"]) == (200, "cancelled")
    assert till.post(cancel, who.mels_key, {"reason": "By mistake"}).status_code == 200
    again = till.post(path_of(paid), who.mels_key, {"reason": "x"}).get_json()
    agree(again, who.flo)
    refunding.send_next()
    late = till.post(f"/api/refunds/{again['refundId']}/cancel", who.fin, {"reason": "x"})
    assert (late.status_code, code(late)) == (409, "INVALID_TRANSITION")

"""Freezes through the API: who engages, who sees what, what a forecast counts, how one is lifted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, ids
from core.money import Money, asset
from core.money_out import RULES, Act
from core.states import Role
from domain.actors import system
from domain.books import verification
from domain.control import approvals, freezes, held
from domain.control.freezes import Wanted
from domain.control.warrants import Content
from domain.database import reading, transaction
from domain.people import sessions
from domain.transitions import Why
from models.audit import AuditRow
from models.control import Freeze
from models.operations import Operation
from models.payments import Payment
from models.people import DeskSession, User
from models.refunds import Refund
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields

EVERYTHING = {"scope": "all", "reason": "two releases of one order"}


@pytest.fixture
def till(client: FlaskClient) -> Till:
    return Till.open(client.application)


def freeze(till: Till, who: Persona, **more: Any) -> dict[str, Any]:
    answer = till.post("/api/freezes", who, EVERYTHING | more)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def agree(approval_id: str, who: Persona) -> None:
    """Agree as somebody who sits at the desk and has just proved themselves."""
    with transaction() as session:
        user = session.get_one(User, who.id)
        opened = sessions.open_session(session, user, address=None, browser=None)
        session.get_one(DeskSession, opened.session_id).stepped_up_at = clock.now()
    with transaction() as session:
        found = sessions.find_session(session, opened.token)
        assert found is not None
        shown = approvals.get(session, approval_id).content_hash
        approvals.agree(session, approval_id, actor=found.actor, content_hash=shown, reason=None)


def test_finance_admin_and_engineer_engage_at_once_and_without_a_second_factor(
    till: Till, who: Personas
) -> None:
    for role in Role:
        may = role in (Role.FINANCE, Role.ADMIN, Role.ENGINEER)
        answer = till.post("/api/freezes", who.by_role(role), EVERYTHING)
        assert (answer.status_code in (200, 201)) == may, role
        if not may:
            assert code(answer) == "FORBIDDEN"
    assert till.post("/api/freezes", who.mels_key, EVERYTHING).status_code == 403


def test_an_engaged_freeze_says_all_of_itself_and_what_it_holds(till: Till, who: Personas) -> None:
    until = clock.rfc3339(clock.now() + timedelta(hours=2))
    answer = till.post("/api/freezes", who.ed, EVERYTHING | {"until": until})
    assert answer.status_code == 201
    said = answer.get_json()
    assert answer.headers["Location"] == f"/api/freezes/{said['freezeId']}"
    assert said | {"freezeId": "", "engagedAt": ""} == {
        "freezeId": "",
        "scope": "all",
        "scopeId": None,
        "state": "active",
        "until": until,
        "reason": "two releases of one order",
        "engagedBy": who.ed.id,
        "engagedAt": "",
        "cause": "person",
        "liftedBy": [],
        "forecast": {
            "releases": 0,
            "payouts": 0,
            "refunds": 0,
            "withdrawals": 0,
            "amount": [],
            "inFlight": 0,
        },
    }
    again = till.post("/api/freezes", who.fin, EVERYTHING)
    assert (again.status_code, again.get_json()["freezeId"]) == (200, said["freezeId"])
    # The later of the two ends counts, and nobody asked for one now.
    assert again.get_json()["until"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "galaxy"}, "scope"),
        ({"scope": "rail"}, "scopeId"),
        ({"scope": "rail", "scopeId": "pigeon"}, "scopeId"),
        ({"scopeId": "card"}, "scopeId"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"reason": "  "}, "reason"),
        ({"state": "lifted"}, "state"),
        ({"cause": "invariant"}, "cause"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_held_is_refused_by_field(
    till: Till, who: Personas, body: dict[str, Any], field: str
) -> None:
    answer = till.post("/api/freezes", who.fin, EVERYTHING | body)
    assert (answer.status_code, fields(answer)) == (400, [field])
    asked = {"scope": "merchant", "scopeId": "mer_nobody", "reason": "look first"}
    assert till.post("/api/freezes", who.fin, asked).status_code == 404


def test_whoever_is_held_sees_what_and_until_when_only(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key)
    freeze(till, who.fin)
    freeze(till, who.fin, scope="merchant", scopeId=who.merchant("Mel's"))
    freeze(till, who.fin, scope="order", scopeId=order["orderId"])

    def seen(path: str, caller: Any) -> list[tuple[str, str | None]]:
        answer = till.get(path, caller)
        assert answer.status_code == 200, answer.text
        for row in answer.get_json()["items"]:
            if caller is not who.ann:
                assert set(row) == {"freezeId", "scope", "scopeId", "state", "until"}
        return sorted((row["scope"], row["scopeId"]) for row in answer.get_json()["items"])

    own = [
        ("all", None),
        ("merchant", who.merchant("Mel's")),
        ("order", order["orderId"]),
    ]
    assert seen("/api/freezes", who.mel) == seen("/api/freezes", who.mels_key) == own
    assert seen("/api/freezes", who.eve) == seen("/api/freezes", who.sal) == [("all", None)]
    assert seen("/api/freezes?scope=merchant,order", who.ann) == own[1:]
    assert seen("/api/freezes?state=lifted,expired", who.ann) == []
    assert till.get("/api/freezes", who.bo).status_code == 403
    assert till.get("/api/freezes?state=melted", who.ann).status_code == 400
    with reading() as session:
        one = session.scalars(select(Freeze).where(Freeze.scope == "all")).one()
    for caller, status in ((who.mel, 403), (who.mels_key, 403), (who.ann, 200), (who.sue, 200)):
        assert till.get(f"/api/freezes/{one.id}", caller).status_code == status
    assert till.get("/api/freezes/frz_nothing", who.ann).status_code == 404


def test_each_act_that_a_freeze_holds_is_counted_under_one_kind() -> None:
    assert (
        set(held.KIND_OF) == held.HELD_ACTS == {act for act in Act if RULES[act].is_held_by_freeze}
    )
    assert set(held.KIND_OF.values()) <= set(held.KINDS)


def refund(payment: dict[str, Any], *, state: str, amount: int, sent: bool | None = None) -> str:
    """Write a refund of a payment behind everybody's back. sent: None makes no operation."""
    with transaction() as session:
        operation_id = None
        if sent is not None:
            operation_id = ids.new("op")
            session.add(
                Operation(
                    id=operation_id,
                    kind="refund",
                    business_key=operation_id,
                    provider="stripe",
                    provider_key=operation_id,
                    epoch=1,
                    request={},
                    request_hash="x",
                    state="prepared",
                    attempts=0,
                    fence=0,
                    payment_id=payment["paymentId"],
                    actor="usr_x",
                    sent_at=clock.now() if sent else None,
                    created_at=clock.now(),
                    updated_at=clock.now(),
                )
            )
            session.flush()
        row = Refund(
            id=ids.new("ref"),
            payment_id=payment["paymentId"],
            order_id=payment["orderId"],
            merchant_id=payment["merchantId"],
            rail="card",
            amount_minor=amount,
            asset="EUR/2",
            state=state,
            reason="requested_by_customer",
            operation_id=operation_id,
            requested_by="usr_x",
            requested_kind="user",
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id


def waiting_approval(payment: dict[str, Any], amount: int, object_id: str) -> str:
    wanted = Content(
        Act.REFUND,
        "refund",
        object_id,
        "Refund",
        amount=Money(amount, asset("EUR")),
        rail="card",
        merchant_id=payment["merchantId"],
        order_id=payment["orderId"],
        payment_id=payment["paymentId"],
    )
    with transaction() as session:
        return approvals.request(
            session, wanted, actor=system("test"), reason=None, source="test"
        ).id


def test_the_forecast_counts_real_rows_once_and_by_place(till: Till, who: Personas) -> None:
    mels, eves = till.payment(who.mels_key), till.payment(who.eve)
    with reading() as session:
        for each in (mels, eves):
            each["merchantId"] = session.get_one(Payment, each["paymentId"]).merchant_id
    waits = refund(mels, state="pending_approval", amount=1_000)
    waiting_approval(mels, 1_000, waits)
    waiting_approval(eves, 300, "ref_of_no_row")
    unsent = refund(mels, state="pending", amount=200, sent=False)
    sent = refund(mels, state="pending", amount=50, sent=True)
    lost = refund(eves, state="unknown", amount=70, sent=True)
    for over in ("succeeded", "failed", "cancelled"):
        refund(mels, state=over, amount=9_999)

    def counted(query: str) -> tuple[int, list[str], int]:
        answer = till.get(f"/api/freezes/forecast?{query}", who.sue)
        assert answer.status_code == 200, answer.text
        said = answer.get_json()
        assert said["releases"] == said["payouts"] == said["withdrawals"] == 0
        sums = [f"{each['amount']} {each['currency']}" for each in said["amount"]]
        return said["refunds"], sums, said["inFlight"]

    assert counted("scope=all") == (3, ["15.00 EUR"], 2)
    assert counted("scope=rail&scopeId=card") == (3, ["15.00 EUR"], 2)
    assert counted(f"scope=merchant&scopeId={mels['merchantId']}") == (
        2,
        ["12.00 EUR"],
        1,
    )
    assert counted(f"scope=order&scopeId={eves['orderId']}") == (1, ["3.00 EUR"], 1)
    made = freeze(till, who.fin, scope="order", scopeId=mels["orderId"])
    assert made["forecast"]["refunds"] == 2
    shown = till.get(f"/api/freezes/{made['freezeId']}", who.sue).get_json()
    assert [row["id"] for row in shown["held"]] == [waits, unsent]
    assert shown["inFlight"] == [
        {"kind": "refund", "id": sent, "status": "pending", "transactionHash": None}
    ]
    assert lost not in str(shown)
    for role in Role:
        may = role in (Role.SUPPORT, Role.FINANCE, Role.ADMIN, Role.ENGINEER)
        answer = till.get("/api/freezes/forecast?scope=all", who.by_role(role))
        assert answer.status_code == (200 if may else 403), role


def test_two_people_lift_a_freeze(till: Till, who: Personas) -> None:
    made = freeze(till, who.ed)
    path = f"/api/freezes/{made['freezeId']}"
    for role in Role:
        if role not in (Role.FINANCE, Role.ADMIN):
            answer = till.post(f"{path}/lift", who.by_role(role), {"reason": "all is well"})
            assert answer.status_code == 403, role
    asked = till.post(f"{path}/lift", who.fin, {"reason": "all is well"})
    assert asked.status_code == 202
    said = asked.get_json()
    assert said["status"] == "pending_approval"
    again = till.post(f"{path}/lift", who.fin, {"reason": "really"})
    assert (again.status_code, code(again)) == (409, "SAME_PERSON")
    assert again.get_json()["error"]["details"]["approvalId"] == said["approvalId"]
    other = till.post(f"{path}/lift", who.flo, {"reason": "me too"})
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    assert till.get(path, who.ann).get_json()["state"] == "active"
    agree(said["approvalId"], who.flo)
    shown = till.get(path, who.ann).get_json()
    assert (shown["state"], shown["liftedBy"]) == ("lifted", [who.fin.id, who.flo.id])
    assert shown["held"] == []
    over = till.post(f"{path}/lift", who.fin, {"reason": "once more"})
    assert (over.status_code, code(over)) == (409, "INVALID_TRANSITION")
    missing = till.post("/api/freezes/frz_nothing/lift", who.fin, {"reason": "once more"})
    assert missing.status_code == 404


def test_a_freeze_made_longer_is_not_the_one_that_was_agreed_to_be_lifted(
    till: Till, who: Personas
) -> None:
    until = clock.rfc3339(clock.now() + timedelta(hours=1))
    made = freeze(till, who.ed, until=until)
    path = f"/api/freezes/{made['freezeId']}"
    asked = till.post(f"{path}/lift", who.fin, {"reason": "all is well"}).get_json()
    freeze(till, who.ed)
    agree(asked["approvalId"], who.flo)
    assert till.get(path, who.ann).get_json()["state"] == "active"
    with reading() as session:
        assert approvals.get(session, asked["approvalId"]).state == "cancelled"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_lifts_what_a_broken_rule_froze_before_a_proof_found_it_whole(
    till: Till, who: Personas
) -> None:
    verification.verify()
    with transaction() as session:
        wanted = Wanted("all", "", "the books are out", cause="invariant")
        why = Why(system("invariants"), "invariant:trial_balance")
        row, _ = freezes.engage(session, wanted, why=why)
    path = f"/api/freezes/{row.id}/lift"
    red = till.post(path, who.fin, {"reason": "all is well"})
    assert (red.status_code, code(red)) == (409, "INVARIANT_RED")
    verification.verify()
    assert till.post(path, who.fin, {"reason": "all is well"}).status_code == 202


def test_a_repeated_call_answers_the_same_and_holds_once(till: Till, who: Personas) -> None:
    first = till.post("/api/freezes", who.fin, EVERYTHING, key="freeze-once-1")
    again = till.post("/api/freezes", who.fin, EVERYTHING, key="freeze-once-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    with reading() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "freeze.engage")).all()
    assert len(rows) == 1

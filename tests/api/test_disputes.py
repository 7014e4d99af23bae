"""Disputes over the API: read by whose they are, answered once and in time, given up only with two people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from core import clock
from core.errors import ProviderUnavailable, ProviderUnknown
from core.states import Role
from core.strictjson import Json
from domain.actors import Actor
from domain.control import approvals
from domain.database import reading, transaction
from domain.jobs import janitor
from models.control import Approval
from models.disputes import Dispute
from models.operations import Operation
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields

TEXT = "The table was delivered and signed for."


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


@pytest.fixture
def disputed(till: Till, who: Personas) -> dict[str, Any]:
    """Give a dispute of Mel's as the API tells it."""
    payment = till.payment(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    till.settle(payment)
    till.dispute(payment)
    items = till.get("/api/disputes", who.fin).get_json()["items"]
    return dict(items[0])


def path_of(dispute: dict[str, Any], act: str = "") -> str:
    return f"/api/disputes/{dispute['disputeId']}{act}"


def test_dispute_is_read_by_staff_and_its_merchant_and_by_nobody_else(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    assert disputed["status"] == "needs_response"
    assert disputed["amount"] == {"amount": "25.00", "currency": "EUR"}
    assert disputed["releaseHold"] == "The payer's bank disputes 25.00 EUR."
    for person in (who.sue, who.ed, who.ann, who.mel, who.mels_key):
        seen = till.get(path_of(disputed), person).get_json()
        assert seen["paymentId"] == disputed["paymentId"]
        assert seen["timeline"][0]["kind"] == "opened"
    assert till.get(path_of(disputed), who.eve).status_code == 404
    assert till.get("/api/disputes", who.eve).get_json()["items"] == []
    assert till.get("/api/disputes", who.bo).status_code == 403
    refused = till.post(path_of(disputed, "/evidence"), who.eve, {"submit": False})
    assert refused.status_code == 404
    assert till.post(path_of(disputed, "/accept"), who.mel, {"reason": "x"}).status_code == 403


def test_list_is_narrowed_by_status_payment_order_and_deadline(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    due = disputed["evidenceDueAt"]
    for query, number in (
        ("status=needs_response,won", 1),
        ("status=lost", 0),
        (f"paymentId={disputed['paymentId']}&orderId={disputed['orderId']}", 1),
        ("paymentId=pay_other", 0),
        (f"dueBefore={due}", 0),
        ("dueBefore=2099-01-01T00:00:00Z", 1),
    ):
        items = till.get(f"/api/disputes?{query}", who.fin).get_json()["items"]
        assert len(items) == number, query
    wrong = till.get("/api/disputes?status=open", who.fin)
    assert (wrong.status_code, fields(wrong)) == (400, ["status"])


def test_draft_is_kept_field_by_field_and_nothing_is_sent(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    where = path_of(disputed, "/evidence")
    first = till.post(where, who.mels_key, {"uncategorizedText": TEXT, "submit": False})
    assert (first.status_code, first.get_json()["evidenceSubmittedAt"]) == (200, None)
    till.post(where, who.sue, {"serviceDate": "2026-11-01", "submit": False})
    kept = till.get(path_of(disputed), who.fin).get_json()["evidence"]
    assert (kept["uncategorizedText"], kept["serviceDate"]) == (TEXT, "2026-11-01")
    assert till.rail.handed_in == []
    with reading() as session:
        sealed = session.get_one(Dispute, disputed["disputeId"]).evidence_sealed
    assert sealed is not None and b"delivered" not in sealed


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"serviceDate": "last week"}, "serviceDate"),
        ({"fileIds": ["att_nobodys"]}, "fileIds"),
        ({"uncategorizedText": "x" * 20_001}, "uncategorizedText"),
    ],
)
def test_what_the_bank_cannot_take_is_refused_by_name(
    till: Till, who: Personas, disputed: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    answer = till.post(path_of(disputed, "/evidence"), who.fin, body | {"submit": True})
    assert answer.status_code == 400
    assert fields(answer)[0].startswith(field)
    assert till.rail.handed_in == []


def test_evidence_is_handed_in_once_and_an_empty_one_not_at_all(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    where = path_of(disputed, "/evidence")
    assert till.post(where, who.fin, {"submit": True}).status_code == 400
    body = {"uncategorizedText": TEXT, "submit": True}
    done = till.post(where, who.sue, body, key="hand-in-0001")
    assert (done.status_code, done.get_json()["status"]) == (200, "under_review")
    assert done.get_json()["evidenceSubmittedAt"] is not None
    again = till.post(where, who.sue, body, key="hand-in-0001")
    assert (again.get_json(), again.headers["Idempotent-Replayed"]) == (done.get_json(), "true")
    other = till.post(where, who.fin, body)
    assert (other.status_code, code(other)) == (409, "EVIDENCE_ALREADY_SUBMITTED")
    kept = till.post(where, who.fin, {"uncategorizedText": "more", "submit": False})
    assert code(kept) == "EVIDENCE_ALREADY_SUBMITTED"
    assert [each.uncategorized_text for each in till.rail.handed_in] == [TEXT]


def test_deadline_that_has_passed_ends_answering(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    with transaction() as session:
        row = session.get_one(Dispute, disputed["disputeId"])
        row.evidence_due_at = clock.now() - timedelta(seconds=1)
    body = {"uncategorizedText": TEXT, "submit": True}
    late = till.post(path_of(disputed, "/evidence"), who.fin, body)
    assert (late.status_code, code(late)) == (409, "EVIDENCE_DUE_PASSED")
    assert late.get_json()["error"]["details"]["evidenceDueAt"]
    assert till.rail.handed_in == []


def test_lost_answer_is_unknown_then_found_and_never_handed_in_twice(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    lost = ProviderUnknown()
    lost.after_effect = True  # type: ignore[attr-defined]
    till.rail.script = [lost]
    body = {"uncategorizedText": TEXT, "submit": True}
    answer = till.post(path_of(disputed, "/evidence"), who.fin, body)
    assert (answer.status_code, answer.get_json()["status"]) == (202, "unknown")
    payment = till.get(f"/api/payments/{disputed['paymentId']}", who.fin).get_json()
    assert payment["status"] == "completed"
    other = till.post(path_of(disputed, "/evidence"), who.sue, body | {"serviceDate": "2026-11-01"})
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    _make_due()
    assert janitor.finish_operation()
    shown = till.get(path_of(disputed), who.fin).get_json()
    assert (shown["status"], len(till.rail.handed_in)) == ("under_review", 1)
    operation = till.get(f"/api/operations/{answer.get_json()['operationId']}", who.fin)
    assert operation.get_json()["state"] == "succeeded"


@pytest.mark.parametrize("by_caller", [True, False])
def test_provider_that_did_nothing_is_asked_again_by_the_caller_or_the_janitor(
    till: Till, who: Personas, disputed: dict[str, Any], by_caller: bool
) -> None:
    till.rail.script = [ProviderUnavailable("Stripe cannot be reached.")]
    body = {"uncategorizedText": TEXT, "submit": True}
    down = till.post(path_of(disputed, "/evidence"), who.fin, body)
    assert (down.status_code, code(down)) == (503, "PROVIDER_UNAVAILABLE")
    if by_caller:
        # The same again takes the same call up.
        assert till.post(path_of(disputed, "/evidence"), who.fin, body).status_code == 200
    _make_due()
    assert janitor.finish_operation() is not by_caller
    assert till.get(path_of(disputed), who.fin).get_json()["status"] == "under_review"
    assert len(till.rail.handed_in) == 1


def _make_due() -> None:
    with transaction() as session:
        for row in session.query(Operation).filter(Operation.due_at.is_not(None)):
            row.due_at, row.lease_until = clock.now(), None


def _agree(approval_id: str, person: Persona) -> approvals.Decision:
    desk = Actor(
        person.id, "user", Role.FINANCE, "Flo", session_id="ses_flo", stepped_up_at=clock.now()
    )
    with transaction() as session:
        row = session.get_one(Approval, approval_id)
        content_hash = row.content_hash
        return approvals.agree(
            session, row.id, actor=desk, content_hash=content_hash, reason="Not worth it"
        )


def test_giving_up_waits_for_a_second_person_and_then_is_lost(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    answer = till.post(path_of(disputed, "/accept"), who.fin, {"reason": "Goods never sent"})
    assert answer.status_code == 202
    asked = answer.get_json()
    assert asked["status"] == "pending_approval" and asked["approvalExpiresAt"]
    twice = till.post(path_of(disputed, "/accept"), who.ada, {"reason": "Same"})
    assert (twice.status_code, code(twice)) == (409, "CONFLICT")
    _agree(asked["approvalId"], who.flo)
    assert janitor.finish_operation()
    shown = till.get(path_of(disputed), who.fin).get_json()
    assert (shown["status"], shown["releaseHold"]) == ("lost", None)
    assert shown["closedAt"] is not None
    over = till.post(path_of(disputed, "/accept"), who.fin, {"reason": "Again"})
    assert (over.status_code, code(over)) == (409, "INVALID_TRANSITION")
    late = till.post(
        path_of(disputed, "/evidence"), who.fin, {"uncategorizedText": TEXT, "submit": True}
    )
    assert code(late) == "INVALID_TRANSITION"


def test_evidence_that_was_handed_in_meanwhile_voids_giving_up(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    asked = till.post(path_of(disputed, "/accept"), who.fin, {"reason": "Goods never sent"})
    body = {"uncategorizedText": TEXT, "submit": True}
    till.post(path_of(disputed, "/evidence"), who.sue, body)
    assert _agree(asked.get_json()["approvalId"], who.flo).said is not None
    assert not janitor.finish_operation()
    assert till.get(path_of(disputed), who.fin).get_json()["status"] == "under_review"


def test_refund_of_a_disputed_payment_is_refused_and_of_a_lost_one_too(
    till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    where = f"/api/payments/{disputed['paymentId']}/refunds"
    open_one = till.post(where, who.fin, {"amount": "1.00", "reason": "x"})
    assert (open_one.status_code, code(open_one)) == (409, "INVALID_TRANSITION")
    taken: dict[str, Json] = {
        "id": "txn_1",
        "amount": -2_500,
        "currency": "eur",
        "created": clock.unix(),
        "fee": 1_500,
    }
    name = disputed["providerReference"]
    till.tell_dispute(name, "closed", status="lost", balance_transactions=[taken])
    lost = till.post(where, who.fin, {"amount": "1.00", "reason": "x"})
    assert (lost.status_code, code(lost)) == (409, "AMOUNT_EXCEEDED")
    shown = till.get(path_of(disputed), who.fin).get_json()
    assert shown["fundsWithdrawn"] == {"amount": "25.00", "currency": "EUR"}
    books = [item["text"] for item in shown["timeline"] if item["lane"] == "books"]
    assert sorted(books) == [
        "15.00 EUR fee of the dispute",
        "25.00 EUR booked as lost",
        "25.00 EUR taken back by the payer's bank",
    ]

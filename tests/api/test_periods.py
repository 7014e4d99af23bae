"""Months over the API: read by who may, closed and reopened only by asking, with the certificate byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.states import Role
from domain.control import approvals
from domain.database import reading, transaction
from domain.people import sessions
from domain.periods import certificates
from domain.periods.checklist import BY_NAME
from models.cases import ExceptionCase
from models.people import DeskSession, User
from tests.api.personas import Persona, Personas
from tests.api.till import Till, code, fields
from tests.domain.closing_months import OCTOBER, at, posted, prepared
from tests.domain.past import case

CLOSE, REOPEN = f"/api/periods/{OCTOBER}/close", f"/api/periods/{OCTOBER}/reopen"
NOTE = {"note": "all is in"}


@pytest.fixture
def till(client: FlaskClient) -> Iterator[Till]:
    """A till on the second of November, with an October in which something was posted."""
    till = Till.open(client.application)
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        prepared(OCTOBER)
        yield till


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


def asked(till: Till, who: Persona, path: str, **body: Any) -> str:
    answer = till.post(path, who, body)
    assert answer.status_code == 202, answer.text
    said = answer.get_json()
    assert (said["periodId"], said["status"]) == (OCTOBER, "pending_approval")
    return str(said["approvalId"])


def one(till: Till, who: Persona, month: str = OCTOBER) -> dict[str, Any]:
    answer = till.get(f"/api/periods/{month}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def printed(body: bytes = b"%PDF-1.7 certificate") -> bytes:
    """Print the certificate that waits, with a body in the place of the printer's."""
    with transaction() as session:
        leased = certificates.lease_due(session)
        assert leased is not None
        assert certificates.content(session, leased).period == OCTOBER
    with transaction() as session:
        assert certificates.keep(session, leased, body)
    return body


def test_months_are_listed_from_the_first_entry_to_the_running_one(
    till: Till, who: Personas
) -> None:
    answer = till.get("/api/periods", who.ann).get_json()
    assert [each["periodId"] for each in answer["items"]] == ["2026-11", OCTOBER]
    assert answer["items"][1] == {
        "periodId": OCTOBER,
        "from": "2026-10-01T00:00:00.000Z",
        "to": "2026-11-01T00:00:00.000Z",
        "fiscalYear": "2026",
        "fiscalQuarter": 4,
        "state": "open",
        "closedAt": None,
        "signers": [],
        "chainHead": None,
        "certificateSha256": None,
    }
    first = till.get("/api/periods?limit=1", who.fin).get_json()
    assert [each["periodId"] for each in first["items"]] == ["2026-11"]
    more = till.get(f"/api/periods?limit=1&cursor={first['nextCursor']}", who.fin).get_json()
    assert [each["periodId"] for each in more["items"]] == [OCTOBER]
    assert more["nextCursor"] is None
    for name in ("2026-09", "2026-12", "2026-13", "october", "2026-10%00"):
        assert till.get(f"/api/periods/{name}", who.fin).status_code == 404, name
        assert till.post(f"/api/periods/{name}/close", who.fin, NOTE).status_code == 404, name
    found = one(till, who.fin)
    assert [line["item"] for line in found["checklist"]] == list(BY_NAME)
    assert all(line["ok"] and line["count"] == 0 for line in found["checklist"])
    assert (found["closings"], found["lateFacts"]) == ([], [])


def test_each_role_reads_and_asks_what_the_table_says(till: Till, who: Personas) -> None:
    for role in Role:
        person = who.by_role(role)
        reads = role in (Role.FINANCE, Role.ADMIN, Role.AUDITOR)
        for path in ("/api/periods", f"/api/periods/{OCTOBER}"):
            assert till.get(path, person).status_code == (200 if reads else 403), (role, path)
        answer = till.get(f"/api/periods/{OCTOBER}/certificate.pdf", person)
        assert answer.status_code == (409 if reads else 403), role
        if role != Role.FINANCE:
            assert till.post(CLOSE, person, NOTE).status_code == 403, role
        if role not in (Role.FINANCE, Role.ADMIN):
            assert till.post(REOPEN, person, {"reason": "look again"}).status_code == 403, role
    assert till.post(CLOSE, who.mels_key, NOTE).status_code == 403
    assert till.post(CLOSE, who.fin, NOTE, key="").status_code == 400
    assert code(till.post(REOPEN, who.fin, {"reason": "look again"})) == "INVALID_TRANSITION"


def test_a_month_is_asked_for_closed_reopened_and_closed_again(till: Till, who: Personas) -> None:
    case_id = case(days_ago=5)
    answer = till.post(CLOSE, who.fin, NOTE)
    assert (answer.status_code, code(answer)) == (409, "CHECKLIST_RED")
    assert answer.get_json()["error"]["details"] == {"items": ["cases"]}
    carried = [{"caseId": case_id, "reason": "with the bank"}]
    key = "close-october-1"
    first = till.post(CLOSE, who.fin, NOTE | {"carryForward": carried}, key=key)
    assert first.status_code == 202, first.text
    again = till.post(CLOSE, who.fin, NOTE | {"carryForward": carried}, key=key)
    assert again.get_json() == first.get_json()
    assert one(till, who.fin)["state"] == "closing"
    assert code(till.post(CLOSE, who.flo, NOTE)) == "CHECKLIST_RED"
    twice = till.post(CLOSE, who.flo, NOTE | {"carryForward": carried})
    assert twice.get_json()["error"]["details"]["approvalId"] == first.get_json()["approvalId"]
    agree(first.get_json()["approvalId"], who.flo)

    found = one(till, who.ann)
    assert (found["state"], found["signers"]) == ("closed", [who.fin.id, who.flo.id])
    assert found["chainHead"] == found["closings"][0]["chainHead"]
    [line] = [line for line in found["checklist"] if line["item"] == "cases"]
    assert line["carriedForward"] == carried
    assert (line["ok"], line["count"]) == (True, 1)
    with reading() as session:
        assert session.get_one(ExceptionCase, case_id).state == "carried_forward"

    path = f"/api/periods/{OCTOBER}/certificate.pdf"
    assert till.get(path, who.ann).status_code == 409
    pdf = printed()
    answer = till.get(path, who.ann)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, pdf, "application/pdf")
    sha256 = one(till, who.ann)["certificateSha256"]
    assert hashlib.sha256(answer.data).hexdigest() == sha256
    late = posted(9, took_effect="2026-10-09")
    assert one(till, who.ann)["lateFacts"] == [late]
    assert code(till.post(CLOSE, who.fin, NOTE)) == "INVALID_TRANSITION"

    agree(asked(till, who.ada, REOPEN, reason="an invoice was forgotten"), who.fin)
    found = one(till, who.ann)
    assert (found["state"], found["closedAt"], found["signers"]) == ("reopened", None, [])
    assert found["closings"][0]["reopenedBy"] == [who.ada.id, who.fin.id]
    assert found["closings"][0]["reopenReason"] == "an invoice was forgotten"
    assert till.get(path, who.ann).status_code == 409
    printed(b"%PDF-1.7 reopened")
    agree(asked(till, who.flo, CLOSE, note="now it is", carryForward=carried), who.ada)
    found = one(till, who.ann)
    assert [each["no"] for each in found["closings"]] == [1, 2]
    assert found["state"] == "closed"


def test_what_cannot_be_carried_forward_is_named_by_its_field(till: Till, who: Personas) -> None:
    mine = case(days_ago=5)
    for carried, field in (
        ([{"caseId": "exc_none", "reason": "because"}], "carryForward.0.caseId"),
        ([{"item": "trial_balance", "reason": "because"}], "carryForward.0.item"),
        ([{"item": "nothing", "reason": "because"}], "carryForward.0.item"),
        ([{"reason": "because"}], "carryForward.0"),
        ([{"caseId": mine, "item": "cases", "reason": "because"}], "carryForward.0"),
        ([{"caseId": mine, "reason": "because"}] * 2, "carryForward.1"),
        ([{"caseId": mine, "reason": ""}], "carryForward.0.reason"),
        ([{"caseId": mine, "reason": "x" * 501}], "carryForward.0.reason"),
    ):
        answer = till.post(CLOSE, who.fin, NOTE | {"carryForward": carried})
        assert answer.status_code == 400, (carried, answer.text)
        assert fields(answer) == [field], carried
    assert till.post(CLOSE, who.fin, {"note": ""}).status_code == 400
    assert till.post(CLOSE, who.fin, NOTE | {"more": 1}).status_code == 400
    assert one(till, who.fin)["state"] == "open"

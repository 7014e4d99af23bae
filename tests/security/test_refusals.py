"""Who tried what is not theirs is in the audit log, whichever door they tried."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from domain import refusals
from domain.database import reading
from models.audit import AuditRow
from models.control import Freeze
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk


def refused(actor_id: str) -> list[tuple[str, str, str]]:
    """List what somebody was refused: action, path, code."""
    statement = select(AuditRow).where(AuditRow.actor == actor_id, AuditRow.refused)
    with reading() as session:
        rows = session.scalars(statement.order_by(AuditRow.at, AuditRow.id)).all()
    return [(row.action, row.object_id, str(row.after["code"])) for row in rows]


def test_a_refused_act_is_written_down_each_time(client: FlaskClient, who: Personas) -> None:
    for _ in range(2):
        assert client.post("/api/orders", headers=who.ann.headers, json={}).status_code == 403
    assert refused(who.ann.id) == [("POST /api/orders", "/api/orders", "FORBIDDEN")] * 2


def test_a_page_of_somebody_elses_is_written_down_once_a_minute(app: Flask, who: Personas) -> None:
    refusals._told.clear()
    browser = Desk(app).browser(who.bo)
    for _ in range(3):
        assert browser.get("/webhooks").status_code == 403
    assert refused(who.bo.id) == [("GET /webhooks", "/webhooks", "FORBIDDEN")]


def test_a_form_of_the_desk_that_is_not_ones_own_is_written_down(app: Flask, who: Personas) -> None:
    answer = Desk(app).browser(who.bo).post("/webhooks/inb_1/replay")
    assert answer.status_code == 403
    assert ("POST /webhooks/<inbound_id>/replay", "/webhooks/inb_1/replay", "FORBIDDEN") in refused(
        who.bo.id
    )


def test_a_form_that_is_shown_again_leaves_its_refusal_behind(app: Flask, who: Personas) -> None:
    till = Till.open(app)
    whole = {"amount": "9000.00", "currency": "EUR"}
    payment = till.payment(who.mel, total=whole, deposit="8000.00")
    till.settle(payment)
    payment_id = payment["paymentId"]
    sent = {"amount": "5000.00", "reason": "Broken leg"}
    answer = Desk(app).browser(who.sue, fresh=True).post(f"/payments/{payment_id}/refund", sent)
    assert answer.status_code == 422
    path, own = f"/payments/{payment_id}/refund", f"/users/{who.ada.id}/role"
    assert refused(who.sue.id) == [("POST /payments/<payment_id>/refund", path, "FORBIDDEN")]
    wanted = {"role": "auditor", "reason": "Of my own"}
    assert Desk(app).browser(who.ada, fresh=True).post(own, wanted).status_code == 422
    assert refused(who.ada.id) == [("POST /users/<user_id>/role", own, "SAME_PERSON")]
    fin = Desk(app).browser(who.fin, fresh=True)
    fin.post("/freezes", {"hold": "all", "reason": "Something is odd"})
    with reading() as session:
        (freeze_id,) = session.scalars(select(Freeze.id))
    lift = f"/freezes/{freeze_id}/lift"
    answers = [fin.post(lift, {"reason": "All is well"}).status_code for _ in range(2)]
    assert answers == [303, 422]
    assert refused(who.fin.id) == [("POST /freezes/<freeze_id>/lift", lift, "SAME_PERSON")]


def test_strangers_leave_no_row_and_get_their_answer(client: FlaskClient) -> None:
    assert client.post("/api/orders", json={}).status_code == 401
    with reading() as session:
        assert session.scalars(select(AuditRow).where(AuditRow.refused)).all() == []


def test_the_answer_stands_when_the_row_cannot_be_written(
    client: FlaskClient, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = who.ann.headers

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Exception("gone"))

    monkeypatch.setattr(refusals, "note", broken)
    answer = client.post("/api/orders", headers=headers, json={})
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "FORBIDDEN")

"""Invoices over the API: read within one's own tenancy, made, voided, issued anew, exported, never over-told."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from core.states import Kyc, Role
from domain.database import reading
from models.audit import AuditRow
from models.events import EventLog
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, code, fields

LINES: list[dict[str, object]] = [
    {"description": "Oak table", "quantity": "1", "unitAmount": "100.00", "taxRate": "19"},
    {"description": "Book of care", "quantity": 2, "unitAmount": "2.80", "taxRate": "7"},
]
GROSS = "124.99"
HOME = {"line1": "Hof 1", "city": "Wien", "postalCode": "1010", "country": "AT"}
BUYER = {"name": "Bo Buyer", "address": HOME, "vatId": "ATU12345678", "email": "bo@people.test"}


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def billed(till: Till, who: Personas, **more: object) -> dict[str, Any]:
    """Make an order of Mel's with its lines, sold by Sal to Bo."""
    order: dict[str, Any] = {
        "total": {"amount": GROSS, "currency": "EUR"},
        "deposit": None,
        "buyerId": who.bo.id,
        "sellerId": who.sal.id,
        "invoice": {"lines": LINES, "buyer": BUYER},
    }
    return till.order(who.mels_key, **(order | more))


def read(till: Till, who: Caller, name: str) -> dict[str, Any]:
    answer = till.get(f"/api/invoices/{name}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def listed(till: Till, who: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = till.get(f"/api/invoices?{query}", who)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def test_an_invoice_says_what_is_billed_to_whom_and_what_is_due(till: Till, who: Personas) -> None:
    order = billed(till, who)
    found = read(till, who.mels_key, order["invoiceId"])
    assert (found["number"][:4], found["purpose"], found["status"]) == ("INV-", "full", "open")
    assert found["total"] == {"amount": GROSS, "currency": "EUR"}
    assert found["tax"] == {"amount": "19.39", "currency": "EUR"}
    assert (found["paid"]["amount"], found["due"]["amount"]) == ("0.00", GROSS)
    assert [
        (each["description"], each["quantity"], each["amount"]["amount"]) for each in found["lines"]
    ] == [("Oak table", "1", "100.00"), ("Book of care", "2", "5.60")]
    assert found["buyer"] == BUYER | {"address": HOME | {"line2": None}}
    assert found["seller"]["name"] == "Mel's"
    assert found == read(till, who.bo, order["orderId"]), "an order's id names its current invoice"
    payment = till.intent(who.mels_key, order["orderId"])
    shown = till.get(f"/api/payments/{payment['paymentId']}", who.bo).get_json()
    assert shown["invoiceId"] == found["invoiceId"]
    assert read(till, who.bo, order["orderId"])["status"] == "pending_payment"
    till.settle(payment)
    paid = read(till, who.sal, order["orderId"])
    assert (paid["status"], paid["paid"]["amount"], paid["due"]["amount"]) == (
        "confirmed",
        GROSS,
        "0.00",
    )
    assert paid["paymentIds"] == [payment["paymentId"]]


def test_support_reads_how_an_invoice_stands_and_nobodys_name(till: Till, who: Personas) -> None:
    order = billed(till, who)
    found = read(till, who.sue, order["invoiceId"])
    assert (found["status"], found["number"][:4]) == ("open", "INV-")
    names = ("lines", "taxes", "deducted", "seller", "buyer", "note")
    assert [found[name] for name in names] == [None] * len(names)
    assert "Bo" not in till.get(f"/api/invoices/{order['invoiceId']}", who.sue).text
    for path in ("/api/invoices", "/api/credit-notes"):
        assert till.get(path, who.sue).status_code == 403
    for path in ("/api/invoices", f"/api/invoices/{order['invoiceId']}", "/api/credit-notes"):
        assert till.get(path, who.ed).status_code == 403


def test_each_lists_their_own_and_staff_all(till: Till, who: Personas) -> None:
    order = billed(till, who)
    other = personas.key(who.merchant("Eve's"))
    foreign = till.order(other)
    live = personas.key(who.merchant("Mel's"), livemode=True)
    own = order["invoiceId"]
    for caller in (who.mels_key, who.mel, who.bo, who.sal):
        assert [each["invoiceId"] for each in listed(till, caller)] == [own]
    assert listed(till, live) == []
    for caller in (who.fin, who.ada, who.ann):
        assert {each["invoiceId"] for each in listed(till, caller)} == {own, foreign["invoiceId"]}
    for stranger in (other, who.eve, personas.user("bob@people.test")):
        assert till.get(f"/api/invoices/{own}", stranger).status_code == 404
        assert till.get(f"/api/invoices/{order['orderId']}", stranger).status_code == 404
        assert own not in [each["invoiceId"] for each in listed(till, stranger)]


def test_filters_narrow_and_one_box_finds(till: Till, who: Personas) -> None:
    first = billed(till, who, reference="shop-4711")
    second = till.order(who.mels_key, buyerId=who.bo.id)
    payment = till.intent(who.mels_key, second["orderId"])
    found = read(till, who.mels_key, first["invoiceId"])
    for text in (
        found["number"],
        found["number"].lower(),
        first["invoiceId"],
        first["orderId"],
        "shop-4711",
        GROSS,
    ):
        assert [each["invoiceId"] for each in listed(till, who.mels_key, f"q={text}")] == [
            first["invoiceId"]
        ], text
    hits = listed(till, who.mels_key, f"q={payment['paymentId']}")
    assert [each["orderId"] for each in hits] == [second["orderId"]]
    assert len(listed(till, who.fin, "q=bo@people.test")) == 2
    assert listed(till, who.mels_key, "q=bo@people.test") == [], "only staff search by address"
    assert listed(till, who.eve, f"q={found['number']}") == []
    states = listed(till, who.mels_key, "status=pending_payment,paid")
    assert [each["orderId"] for each in states] == [second["orderId"]]
    by_order = listed(till, who.mels_key, f"orderId={first['orderId']}")
    assert [each["orderId"] for each in by_order] == [first["orderId"]]
    assert listed(till, who.mels_key, "from=2999-01-01T00:00:00Z") == []
    assert till.get("/api/invoices?status=unpaid", who.fin).status_code == 400
    page = till.get("/api/invoices?limit=1", who.mels_key).get_json()
    rest = till.get(f"/api/invoices?limit=1&cursor={page['nextCursor']}", who.mels_key).get_json()
    ids = [each["invoiceId"] for each in (*page["items"], *rest["items"])]
    assert (len(set(ids)), rest["nextCursor"]) == (2, None)


def test_lines_that_do_not_come_to_the_total_are_refused_with_a_stable_code(
    till: Till, who: Personas
) -> None:
    body = {
        "description": "Oak table",
        "total": {"amount": "125.00", "currency": "EUR"},
        "invoice": {"lines": LINES},
    }
    answer = till.post("/api/orders", who.mels_key, body)
    assert (answer.status_code, code(answer)) == (400, "VALIDATION_FAILED")
    (field,) = answer.get_json()["error"]["details"]["fields"]
    assert (field["field"], field["code"]) == ("invoice.lines", "lines_total_mismatch")
    wrong = body | {"invoice": {"taxTotal": "125.00"}}
    answer = till.post("/api/orders", who.mels_key, wrong)
    assert fields(answer) == ["invoice.taxTotal"]
    huge = [dict(LINES[0], quantity="999999999", unitAmount="90000000000.00")]
    answer = till.post("/api/orders", who.mels_key, body | {"invoice": {"lines": huge * 3}})
    assert answer.status_code == 400, answer.text


def test_an_invoice_is_made_by_hand_where_an_order_lacks_one(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, buyerId=who.bo.id)
    body = {"orderId": order["orderId"], "lines": [dict(LINES[0], taxRate="25")], "buyer": BUYER}
    answer = till.post("/api/invoices", who.mels_key, body | {"dueOn": "2099-12-31"})
    assert answer.status_code == 201, answer.text
    made = answer.get_json()
    assert (made["purpose"], made["total"]["amount"], made["dueOn"]) == (
        "balance",
        "125.00",
        "2099-12-31",
    )
    assert answer.headers["Location"] == f"/api/invoices/{made['invoiceId']}"
    again = till.post("/api/invoices", who.mels_key, body)
    assert (again.status_code, code(again)) == (409, "CONFLICT")
    assert again.get_json()["error"]["details"]["invoiceId"] == made["invoiceId"]
    over = till.order(who.mels_key, deposit=None)
    till.post(f"/api/invoices/{over['invoiceId']}/void", who.mels_key, {"reason": "Other lines"})
    much = {"orderId": over["orderId"], "lines": [dict(LINES[0], taxRate="25.01")]}
    assert code(till.post("/api/invoices", who.fin, much)) == "AMOUNT_EXCEEDED"
    other = {
        "orderId": over["orderId"],
        "lines": [dict(LINES[0], unitAmount={"amount": "1", "currency": "USD"})],
    }
    assert till.post("/api/invoices", who.fin, other).status_code == 400
    for caller, status in ((who.eve, 404), (who.bo, 403), (who.sue, 403)):
        assert till.post("/api/invoices", caller, body).status_code == status


def test_one_key_makes_one_invoice(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, deposit=None)
    path = f"/api/invoices/{order['invoiceId']}/reissue"
    first = till.post(path, who.mels_key, {"reason": "Wrong address"}, key="again-0001")
    second = till.post(path, who.mels_key, {"reason": "Wrong address"}, key="again-0001")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.get_json() == second.get_json()
    new = first.get_json()
    assert new["supersedes"] == order["invoiceId"]
    old = read(till, who.mels_key, order["invoiceId"])
    assert (old["status"], old["supersededBy"], old["due"]["amount"]) == (
        "void",
        new["invoiceId"],
        "0.00",
    )
    shown = till.get(f"/api/orders/{order['orderId']}", who.mels_key).get_json()
    assert shown["invoiceId"] == new["invoiceId"]
    refused = till.post(path, who.mels_key, {"reason": "Once more"})
    assert (refused.status_code, code(refused)) == (409, "CONFLICT")
    assert till.post(path, who.mels_key, {"reason": "No key"}, key="").status_code == 400


def test_what_was_paid_or_is_being_paid_is_not_voided(till: Till, who: Personas) -> None:
    order = till.order(who.mels_key, deposit=None)
    path = f"/api/invoices/{order['invoiceId']}/void"
    payment = till.intent(who.mels_key, order["orderId"])
    for _ in range(2):
        answer = till.post(path, who.fin, {"reason": "Mistake"})
        assert (answer.status_code, code(answer)) == (409, "INVALID_TRANSITION")
        till.settle(payment)
    assert read(till, who.fin, order["invoiceId"])["status"] == "confirmed"
    other = till.order(who.mels_key, deposit=None)
    path = f"/api/invoices/{other['invoiceId']}/void"
    for caller in (who.mels_key, who.fin):
        answer = till.post(path, caller, {"reason": "Mistake"})
        assert (answer.status_code, answer.get_json()["status"]) == (200, "void")
    with reading() as session:
        acts = session.scalars(select(AuditRow.action).where(AuditRow.object_kind == "invoice"))
        assert list(acts).count("invoice.void") == 1
    assert till.get(f"/api/invoices/{other['orderId']}", who.fin).status_code == 404


def test_whoever_is_not_known_moves_no_invoice(till: Till, who: Personas) -> None:
    merchant_id = personas.merchant("Unknown's", kyc=Kyc.NONE)
    mo = personas.user("mo@people.test", role=Role.MERCHANT, kyc=Kyc.NONE, merchant_id=merchant_id)
    order = till.order(who.fin)
    for path in ("/api/invoices", f"/api/invoices/{order['invoiceId']}/void"):
        answer = till.post(path, mo, {"reason": "x"})
        assert code(answer) == "KYC_REQUIRED"


def test_credit_notes_are_issued_by_finance_and_read_by_their_parties(
    till: Till, who: Personas
) -> None:
    order = billed(till, who)
    path = f"/api/invoices/{order['invoiceId']}/credit-notes"
    early = till.post(path, who.fin, {"amount": "1.00", "reason": "Goodwill"})
    assert (early.status_code, code(early)) == (409, "INVALID_TRANSITION")
    till.settle(till.intent(who.mels_key, order["orderId"]))
    answer = till.post(path, who.fin, {"amount": "24.99", "reason": "Scratched"})
    assert answer.status_code == 201, answer.text
    note = answer.get_json()
    assert (note["number"][:3], note["amount"]) == ("CN-", {"amount": "24.99", "currency": "EUR"})
    by_lines = {"lines": [dict(LINES[1], quantity="1")], "reason": "One book"}
    assert till.post(path, who.fin, by_lines).get_json()["amount"]["amount"] == "3.00"
    much = till.post(path, who.fin, {"amount": "97.01", "reason": "All"})
    assert (much.status_code, code(much)) == (409, "AMOUNT_EXCEEDED")
    assert much.get_json()["error"]["details"]["creditable"]["amount"] == "97.00"
    both = {"amount": "1.00", "lines": LINES, "reason": "Both"}
    assert fields(till.post(path, who.fin, both)) == ["lines"]
    assert fields(till.post(path, who.fin, {"reason": "Nothing"})) == ["amount"]
    for caller in (who.mels_key, who.bo, who.sue, who.ann):
        assert till.post(path, caller, {"amount": "1.00", "reason": "x"}).status_code == 403
    found = till.get(f"/api/credit-notes?invoiceId={order['invoiceId']}", who.bo).get_json()
    assert [each["amount"]["amount"] for each in found["items"]] == ["3.00", "24.99"]
    assert till.get("/api/credit-notes", who.eve).get_json()["items"] == []
    shown = read(till, who.bo, order["invoiceId"])
    assert shown["credited"]["amount"] == "27.99"
    assert shown["creditNoteIds"][0] == note["creditNoteId"]


def test_an_export_holds_every_invoice_of_ones_own(till: Till, who: Personas) -> None:
    for _ in range(3):
        billed(till, who, description="=cmd|' /C calc'!A0")
    order = till.order(who.mels_key, deposit=None)
    invoice = read(till, who.fin, order["invoiceId"])
    answer = till.get("/api/invoices?format=csv", who.fin)
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 4
    # What people wrote stays out of it.
    assert "calc" not in answer.text
    (own,) = [row for row in rows if row["invoiceId"] == invoice["invoiceId"]]
    assert (own["number"], own["total"], own["due"]) == (invoice["number"], "125.00", "125.00")
    document = till.get("/api/invoices?format=json", who.mels_key).get_json()
    assert len(document["items"]) == len(rows)
    assert till.get("/api/invoices?format=csv", who.eve).text.count("\n") == 1


def test_hostile_names_come_back_as_they_went_in_and_reach_no_log_and_no_event(
    till: Till, who: Personas, caplog: pytest.LogCaptureFixture
) -> None:
    name = "Robert'); DROP TABLE invoices;-- <img src=x onerror=1>"
    lines = [{"description": name, "quantity": "1", "unitAmount": GROSS, "taxRate": "0"}]
    invoice = {"lines": lines, "buyer": BUYER | {"name": name}, "note": name}
    order = billed(till, who, invoice=invoice)
    found = read(till, who.bo, order["invoiceId"])
    assert (found["buyer"]["name"], found["note"]) == (name, name)
    assert found["lines"][0]["description"] == name
    with reading() as session:
        told = [str(each) for each in session.scalars(select(EventLog.body))]
        audited = [str(each) for each in session.scalars(select(AuditRow.after))]
    for text in (*told, *audited, caplog.text):
        assert "DROP TABLE" not in text
    for bad in ("1e5", "-1", "0", "1.1234567", "٣"):
        answer = till.post(
            "/api/invoices",
            who.fin,
            {"orderId": order["orderId"], "lines": [dict(LINES[0], quantity=bad)]},
        )
        assert answer.status_code == 400, bad

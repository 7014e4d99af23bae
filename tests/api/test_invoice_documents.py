"""Documents over the API: to the order's parties, finance, admins and auditors; whole, hashed, each view noted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from api.contract import registry
from api.invoice_documents import ViewOut
from core.money import Money, asset
from domain import database
from domain.actors import system
from domain.invoices import credit_notes
from domain.jobs import effects, printing
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.audit import AuditRow
from models.events import EventLog
from models.invoices import Document, Invoice
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till, code
from tests.domain import papers
from tests.domain.papers import FakePress
from tests.printing import en16931

ADDRESS = {"line1": "12 Quay Street", "city": "Dublin", "postalCode": "D02 X285", "country": "IE"}
INVOICE: dict[str, Any] = {
    "seller": {"name": "Mel's", "address": ADDRESS, "vatId": "IE1234567FA"},
    "buyer": {"name": "Bo Buyer", "address": ADDRESS, "email": "bo@buyer.example"},
    "lines": [
        {"description": "Oak table", "quantity": "1", "unitAmount": "100.00", "taxRate": "19"},
        {"description": "Book of care", "quantity": "2", "unitAmount": "2.80", "taxRate": "7"},
    ],
}
TOTAL = {"total": {"amount": "124.99", "currency": "EUR"}, "deposit": None}


@pytest.fixture
def till(app: Any) -> Till:
    return Till.open(app)


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePress]:
    with papers.faked(monkeypatch) as made:
        yield made


def order(till: Till, who: Personas) -> dict[str, Any]:
    """Make an order of Mel's shop, bought by Bo from Sal, whose invoice says all that is needed."""
    body = {key: value for key, value in TOTAL.items() if value is not None}
    answer = till.post(
        "/api/orders",
        who.mels_key,
        {"description": "Oak", "buyerId": who.bo.id, "sellerId": who.sal.id, "invoice": INVOICE}
        | body,
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def test_a_real_invoice_is_handed_over_whole_with_its_hash(till: Till, who: Personas) -> None:
    made = order(till, who)
    try:
        papers.print_all()
    finally:
        printing.close()
    path = f"/api/invoices/{made['orderId']}"
    answer = till.get(f"{path}.pdf", who.bo)
    assert answer.status_code == 200 and answer.content_type == "application/pdf"
    digest = hashlib.sha256(answer.data).hexdigest()
    assert answer.headers["X-Content-SHA256"] == digest
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=invoice-INV-2026-000001.pdf"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (page,) = PdfReader(BytesIO(answer.data)).pages
    text = page.extract_text()
    for said in ("INV-2026-000001", "Bo Buyer", "Oak table", "€124.99", "VAT 19%", "Mel's"):
        assert said in text
    xml = till.get(f"{path}.xml", who.bo)
    assert xml.status_code == 200 and xml.content_type == "application/xml"
    assert PdfReader(BytesIO(answer.data)).attachments["factur-x.xml"] == [xml.data]
    assert en16931.broken(xml.data) == []
    by_id = till.get(f"/api/invoices/{made['invoiceId']}.pdf", who.bo)
    assert by_id.data == answer.data == till.get(f"{path}.pdf", who.fin).data


def test_who_may_read_a_document(till: Till, who: Personas, press: FakePress) -> None:
    made = order(till, who)
    papers.print_all()
    lesser = personas.key(who.merchant("Mel's"), scopes=("payments:read",), name="lesser")
    strangers = (who.eve, personas.key(who.merchant("Eve's")), personas.user("bob@people.test"))
    unseen = ("/api/invoices/inv_none.pdf", "/api/invoices/ord_none.xml")
    for name in (made["orderId"], made["invoiceId"]):
        for end in (".pdf", ".xml"):
            path = f"/api/invoices/{name}{end}"
            for reader in (who.bo, who.sal, who.mel, who.mels_key, who.fin, who.ada, who.ann):
                assert till.get(path, reader).status_code == 200, path
            for refused in (who.sue, who.ed):
                assert (code(till.get(path, refused)), till.get(path, refused).status_code) == (
                    "FORBIDDEN",
                    403,
                )
            assert till.get(path, lesser).status_code == 403
            for stranger in strangers:
                answer = till.get(path, stranger)
                assert answer.status_code == 404 and code(answer) == "NOT_FOUND"
            assert till.app.test_client().get(path).status_code == 401
    for path in unseen:
        assert till.get(path, who.bo).status_code == 404
    assert till.post(f"/api/invoices/{made['orderId']}.pdf", who.bo).status_code == 405


def test_live_and_test_keys_see_their_own_mode(till: Till, who: Personas, press: FakePress) -> None:
    made = order(till, who)
    papers.print_all()
    live = personas.key(who.merchant("Mel's"), livemode=True)
    assert till.get(f"/api/invoices/{made['orderId']}.pdf", live).status_code == 404


def test_until_it_is_printed_the_answer_is_never_a_document(
    till: Till, who: Personas, press: FakePress
) -> None:
    made = order(till, who)
    path = f"/api/invoices/{made['orderId']}"
    for end in (".pdf", ".xml"):
        answer = till.get(path + end, who.bo)
        assert (answer.status_code, code(answer)) == (409, "INVOICE_NOT_READY")
        assert answer.headers["Retry-After"] == "2" and answer.is_json
    assert till.get(f"{path}/views", who.fin).get_json()["items"] == []
    papers.print_all()
    assert till.get(f"{path}.pdf", who.bo).status_code == 200


def test_an_invoice_without_an_xml_says_what_it_lacks(
    till: Till, who: Personas, press: FakePress
) -> None:
    made = till.order(who.bo)
    papers.print_all()
    with database.transaction() as session:
        session.scalars(select(Document)).one().sealed_xml = None
    answer = till.get(f"/api/invoices/{made['orderId']}.xml", who.bo)
    assert (answer.status_code, code(answer)) == (409, "INVOICE_HAS_NO_XML")
    error = answer.get_json()["error"]
    assert "country" in error["message"] and "invoice.seller.address.country" in error["message"]
    said = {each["code"]: each["field"] for each in error["details"]["missing"]}
    assert said["seller_country_missing"] == "seller.address.country"
    assert "Retry-After" not in answer.headers


def test_each_view_is_noted_with_who_in_which_role_and_what(
    till: Till, who: Personas, press: FakePress
) -> None:
    made = order(till, who)
    papers.print_all()
    path = f"/api/invoices/{made['orderId']}"
    for reader, end in ((who.bo, "pdf"), (who.mels_key, "xml"), (who.ann, "pdf")):
        till.get(f"{path}.{end}", reader)
    till.get(f"{path}.pdf", who.eve)
    till.get(f"{path}.pdf", who.sue)
    answer = till.get(f"{path}/views", who.fin)
    items = answer.get_json()["items"]
    assert [(each["actor"], each["role"], each["kind"]) for each in items] == [
        (who.ann.id, "auditor", "pdf"),
        (who.mels_key.id, "merchant", "xml"),
        (who.bo.id, "buyer", "pdf"),
    ]
    assert [ViewOut.model_validate(each) for each in items]
    by_id = till.get(f"/api/invoices/{made['invoiceId']}/views?limit=2", who.ada).get_json()
    rest = till.get(f"{path}/views?limit=2&cursor={by_id['nextCursor']}", who.ann).get_json()
    assert by_id["items"] + rest["items"] == items and rest["nextCursor"] is None
    for refused in (who.bo, who.mel, who.mels_key, who.sue, who.ed):
        assert till.get(f"{path}/views", refused).status_code == 403
    assert till.get("/api/invoices/ord_none/views", who.fin).status_code == 404
    with database.reading() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "invoice.view")).all()
        told = session.scalars(select(EventLog).where(EventLog.type == "invoice.viewed")).all()
    assert len(rows) == len(told) == 3
    for said in (*(json.dumps(row.after) for row in rows), *(json.dumps(row.body) for row in told)):
        assert "Buyer" not in said and "@" not in said and "Quay" not in said


def test_an_order_gives_its_newest_invoice_that_stands(
    till: Till, who: Personas, press: FakePress
) -> None:
    made = till.order(who.mels_key, buyerId=who.bo.id)
    first = made["invoiceId"]
    till.settle(till.intent(who.mels_key, made["orderId"]))
    while effects.retry_next():
        pass
    papers.print_all()
    newest = till.get(f"/api/orders/{made['orderId']}", who.bo).get_json()["invoiceId"]
    assert newest != first
    path = f"/api/invoices/{made['orderId']}.pdf"
    assert till.get(path, who.bo).data == till.get(f"/api/invoices/{newest}.pdf", who.bo).data
    assert till.get(path, who.bo).data != till.get(f"/api/invoices/{first}.pdf", who.bo).data
    with database.transaction() as session:
        session.get_one(Invoice, newest).status = "void"
    assert till.get(path, who.bo).data == till.get(f"/api/invoices/{first}.pdf", who.bo).data
    with database.transaction() as session:
        session.get_one(Invoice, first).status = "void"
    assert till.get(path, who.bo).status_code == 404
    assert till.get(f"/api/invoices/{first}.pdf", who.bo).status_code == 200


def test_a_credit_note_is_read_like_its_invoice(
    till: Till, who: Personas, press: FakePress
) -> None:
    made = order(till, who)
    payment = till.intent(who.mels_key, made["orderId"])
    till.settle(payment)
    note_id = credited(made["invoiceId"])
    papers.print_all()
    path = f"/api/credit-notes/{note_id}.pdf"
    answer = till.get(path, who.bo)
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.data).hexdigest() == answer.headers["X-Content-SHA256"]
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=credit-note-")
    assert till.get(path, who.sal).status_code == till.get(path, who.mels_key).status_code == 200
    for stranger in (who.eve, personas.user("bob@people.test")):
        assert till.get(path, stranger).status_code == 404
    assert till.get(path, who.sue).status_code == 403
    assert till.get("/api/credit-notes/cn_none.pdf", who.bo).status_code == 404


def credited(invoice_id: str) -> str:
    """Take a part of a paid invoice back. Gives the credit note's id."""
    actor = system("test")
    with database.transaction() as session:
        invoice = session.get_one(Invoice, invoice_id)
        order = lock_order(session, invoice.order_id)
        wanted = credit_notes.Wanted("Returned", Money(1_000, asset("EUR")))
        made = credit_notes.issue(
            session, order, invoice, wanted, actor=actor, why=Why(actor, "test")
        )
        return made.id


def test_the_surface_names_these_routes() -> None:
    named = {
        "GET /api/invoices/{orderId}.pdf",
        "GET /api/invoices/{invoiceId}.xml",
        "GET /api/invoices/{invoiceId}/views",
        "GET /api/credit-notes/{creditNoteId}.pdf",
    }
    assert named <= set(registry.ENDPOINTS)
    assert all(registry.ENDPOINTS[name].tag == "invoice_documents" for name in named)

"""Invoices on the desk: what is billed, paid and due; the paper, its document, and who may read how much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.states import Role
from domain import calendar
from domain.database import reading, transaction
from domain.invoices import credit_notes
from models.invoices import Document, Invoice
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text

BUYER = {
    "name": "Bruno <b>Buyer</b>",
    "address": {"line1": "Elm Street 1", "city": "Berlin", "postalCode": "10115", "country": "DE"},
    "vatId": "DE123456789",
    "email": "bruno@buyers.test",
}


def order(till: Till, who: Personas, **more: object) -> dict[str, Any]:
    body = {"buyerId": who.bo.id, "sellerId": who.sal.id, "invoice": {"buyer": BUYER}} | more
    return till.order(who.mels_key, **body)


@pytest.fixture
def billed(till: Till, who: Personas) -> dict[str, Any]:
    """An order of 125.00 EUR whose deposit of 25.00 is billed."""
    return order(till, who)


@pytest.fixture
def paid(till: Till, who: Personas, billed: dict[str, Any]) -> dict[str, Any]:
    """The same with its deposit paid. Gives the payment."""
    payment = till.intent(who.mels_key, billed["orderId"])
    till.settle(payment)
    return payment


def first(browser: Browser, path: str = "/invoices") -> str:
    return ids_of(browser.page(path), "invoice")[-1]


def print_documents(invoice_id: str) -> None:
    """Say that a document is printed, as the printer does."""
    with transaction() as session:
        own = Document.object_id == invoice_id
        session.execute(
            update(Document)
            .where(own)
            .values(state="printed", pdf_sha256="a" * 64, pdf_bytes=70_000, due_at=None)
        )


def test_list_tells_what_is_billed_paid_and_due(
    desk: Desk, who: Personas, paid: dict[str, Any], till: Till
) -> None:
    order(till, who, total={"amount": "900", "currency": "JPY"}, deposit=None)
    fin = desk.browser(who.fin)
    listed = rows(fin.page("/invoices"))
    yen, deposit = listed[0], listed[-1]
    assert "Open" in yen
    assert "900 JPY" in yen
    for words in ("Paid", "Deposit", "25.00 EUR", who.bo.email):
        assert words in deposit, words
    assert len(rows(fin.page("/invoices?state=open"))) == len(listed) - 1
    assert "No invoice stands so" in text(fin.page("/invoices?state=void"))
    number = deposit.split()[1]
    for asked in (number, paid["orderId"], paid["paymentId"]):
        assert number in text(fin.page(f"/invoices?q={asked}")), asked
    assert "Nothing matches" in text(fin.page("/invoices?q=INV-1999-000001"))
    assert "/api/invoices?status=open&amp;format=csv" in fin.page("/invoices?state=open")


def test_what_should_have_been_paid_by_now_is_said_since_when(
    desk: Desk, who: Personas, billed: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    [invoice] = ids_of(fin.page("/invoices"), "invoice")
    assert rows(fin.page("/invoices?due=overdue")) == []
    with transaction() as session:
        session.get_one(Invoice, invoice).due_on = calendar.today() - timedelta(days=3)
    [row] = rows(fin.page("/invoices?due=overdue"))
    assert "3 days overdue" in row
    assert "3 days overdue" in text(fin.page(f"/invoices/{invoice}"))
    assert rows(fin.page("/invoices?due=later")) == []
    assert "Choose any day for “Due” first" in text(fin.page("/invoices?due=overdue"))
    assert "Overdue invoices 1" in text(fin.page("/"))
    assert "Overdue invoices" not in text(desk.browser(who.sue).page("/"))


def test_page_is_the_paper_with_its_payments_and_keeps_addresses_to_the_document(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    page = fin.page(f"/invoices/{invoice}")
    said = text(page)
    for words in (
        *("Deposit invoice", "25.00 EUR", "Bruno <b>Buyer</b>", "Still due 0.00 EUR"),
        *(
            "paid, final 25.00 EUR",
            "Being printed",
            "Addresses and tax numbers stand in the document",
        ),
        *("Nobody yet", "Nothing of it was credited"),
    ):
        assert words in said, words
    assert "<b>Buyer" not in page
    for personal in ("Elm Street", "DE123456789", "bruno@buyers.test"):
        assert personal not in page, personal
    assert f'href="/payments/{paid["paymentId"]}"' in page
    assert f'href="/journal?invoice={invoice}"' in page
    own = text(desk.browser(who.bo).page(f"/invoices/{invoice}"))
    for words in ("Elm Street 1", "10115 Berlin", "DE123456789"):
        assert words in own, words
    assert "Who has read" not in own


def test_document_turns_up_by_itself(desk: Desk, who: Personas, billed: dict[str, Any]) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    waiting = fin.part(f"/invoices/{invoice}/body")
    assert "every 2s" in waiting
    assert f"/api/invoices/{invoice}.pdf" not in waiting
    print_documents(invoice)
    printed = fin.part(f"/invoices/{invoice}/body")
    assert "every 2s" not in printed
    assert f'href="/api/invoices/{invoice}.pdf"' in printed
    assert "Open PDF, 69 KiB" in text(printed)


def test_document_of_before_documents_is_printed_when_asked_for(
    desk: Desk, who: Personas, billed: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    with transaction() as session:
        for row in session.query(Document).filter_by(object_id=invoice):
            session.delete(row)
    assert "Have it printed" in text(fin.page(f"/invoices/{invoice}"))
    for _ in range(2):
        assert fin.post(f"/invoices/{invoice}/print").status_code == 303
    assert "Being printed" in text(fin.page(f"/invoices/{invoice}"))


def test_support_reads_number_and_state_only(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue)
    listed = sue.page("/invoices")
    [*_, row] = rows(listed)
    assert "INV-" in row
    assert "Paid" in row
    shown = sue.page(f"/invoices/{first(sue)}")
    for page in (listed, shown):
        for hidden_word in ("EUR", "Bruno", "Elm Street", who.bo.email, ".pdf", "Export"):
            assert hidden_word not in page, hidden_word
    assert "Your role reads their numbers and how they stand" in text(shown)
    assert sue.post(f"/invoices/{first(sue)}/print").status_code == 403


def test_void_says_what_will_happen_and_asks_why(
    desk: Desk, who: Personas, billed: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    path = f"/invoices/{invoice}/void"
    assert f'href="{path}"' in fin.page(f"/invoices/{invoice}")
    assert "Its number stays in the series" in text(fin.page(path))
    assert fin.post(path, reason="").status_code == 422
    assert fin.post(path, reason="Wrong <i>customer</i>").status_code == 303
    page = fin.page(f"/invoices/{invoice}")
    assert "Void: Wrong <i>customer</i>" in text(page)
    assert "<i>customer" not in page
    assert "It is void already." in page
    assert fin.get(path).status_code == 303


def test_issuing_anew_leads_from_the_old_to_the_new(
    desk: Desk, who: Personas, billed: dict[str, Any]
) -> None:
    mel = desk.browser(who.mel)
    invoice = first(mel)
    path = f"/invoices/{invoice}/reissue"
    assert mel.get(path).status_code == 200
    for wrong, said in (("x", "Use a day such as"), ("2020-01-01", "1 Jan 2020 is over.")):
        answer = mel.post(path, reason="A new day", due_on=wrong)
        assert answer.status_code == 422
        assert said in text(answer.text)
        assert "A new day" in answer.text
    later = (calendar.today() + timedelta(days=9)).isoformat()
    assert mel.post(path, reason="A new day", due_on=later).status_code == 303
    old = mel.page(f"/invoices/{invoice}")
    assert "Issued anew as" in text(old)
    new = next(each for each in ids_of(mel.page("/invoices"), "invoice") if each != invoice)
    assert f'href="/invoices/{new}"' in old
    assert "Issued anew for" in text(mel.page(f"/invoices/{new}"))
    assert mel.post(path, reason="Again").status_code == 422


def test_credit_note_is_written_once_however_often_the_form_is_sent(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    path = f"/invoices/{invoice}/credit"
    page = fin.page(path)
    assert "No money moves" in text(page)
    for amount, said in (
        ("25.01", "At most 25.00 EUR can still be credited."),
        ("0", "Credit more than nothing."),
        ("five", "Write an amount such as 25.00"),
    ):
        answer = fin.post(path, amount=amount, reason="Came late")
        assert answer.status_code == 422
        assert said in text(answer.text)
    sent = {"amount": "5.00", "reason": "Came late", "once": hidden(page, "once")}
    for _ in range(3):
        assert fin.post(path, sent).status_code == 303
    with reading() as session:
        assert len(credit_notes.of_invoice(session, invoice)) == 1
    [row] = rows(fin.page("/credit-notes"))
    for words in ("CN-", "5.00 EUR", "Came late", "Being printed"):
        assert words in row, words
    assert "CN-" in text(fin.page(f"/invoices/{invoice}"))
    assert "Up to 20.00 EUR" in text(fin.page(path))
    support = text(desk.browser(who.sue).page("/credit-notes"))
    assert "CN-" in support
    assert "5.00" not in support
    assert "Came late" not in support


def test_everybody_sees_their_own_and_only_finance_credits(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    invoice = first(desk.browser(who.fin))
    path = f"/invoices/{invoice}"
    for person in (who.mel, who.bo, who.sal, who.ann):
        assert desk.browser(person).get(path).status_code == 200, person.email
    eve = desk.browser(who.eve)
    assert eve.get(path).status_code == 404
    assert eve.get(f"{path}/void").status_code == 404
    assert ids_of(eve.page("/invoices"), "invoice") == []
    assert desk.browser(who.ed).get(path).status_code == 403
    for person in (who.mel, who.ann, who.bo):
        assert desk.browser(person).get(f"{path}/credit").status_code == 403, person.email
    assert "Finance and admins void invoices." in desk.browser(who.ann).page(path)


@pytest.mark.parametrize("role", [Role.ENGINEER])
def test_engineers_read_no_invoice(
    desk: Desk, who: Personas, paid: dict[str, Any], role: Role
) -> None:
    browser = desk.browser(who.by_role(role))
    for path in ("/invoices", "/invoices/rows", "/credit-notes", "/credit-notes/rows"):
        assert browser.get(path).status_code == 403, path
    assert 'href="/invoices' not in browser.page("/")


def test_order_payment_and_search_lead_to_the_invoice(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    invoice = first(fin)
    number = rows(fin.page("/invoices"))[-1].split()[1]
    for path in (f"/orders/{paid['orderId']}", f"/payments/{paid['paymentId']}"):
        page = fin.page(path)
        assert f'href="/invoices/{invoice}"' in page, path
        assert number in page, path
    for asked in (number, number.lower(), invoice):
        assert fin.get(f"/search?q={asked}").location == f"/invoices/{invoice}", asked
    assert desk.browser(who.eve).get(f"/search?q={number}").status_code == 200
    support = desk.browser(who.sue).page(f"/orders/{paid['orderId']}")
    assert number in support
    assert "still due" not in support
    assert f"Invoice {number} opened" in text(support)
    assert f"Invoice {number} over 25.00 EUR opened" in text(fin.page(f"/orders/{paid['orderId']}"))
    engineer = desk.browser(who.ed).page(f"/orders/{paid['orderId']}")
    assert number not in engineer

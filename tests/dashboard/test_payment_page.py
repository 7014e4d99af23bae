"""The page of one payment: what each reader sees, its parts, and what people do with it."""

from __future__ import annotations

import re

import pytest

from core.errors import ProviderUnavailable, ProviderUnknown
from domain import database
from domain.cases import case_queries
from models.payments import Payment, PaymentNote
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, hidden, text

CARD = "4242 4242 4242 4242"


def status_of(payment_id: str) -> str:
    with database.reading() as session:
        return session.get_one(Payment, payment_id).status


def notes() -> list[str]:
    with database.reading() as session:
        return [row.note for row in session.query(PaymentNote).order_by(PaymentNote.at)]


def test_page_tells_the_whole_story_to_staff(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo, reference="ACME-7")
    till.settle(payment)
    said = text(desk.browser(who.sue).page(f"/payments/{payment['paymentId']}"))
    for words in (
        *("25.00 EUR Confirmed", "Deposit for “Oak table”", "The payment is confirmed and booked."),
        *("Tell the customer", "We have received your payment."),
        *("Provider says", "We say", "Books say", "Succeeded", "payment_intent.succeeded"),
        *("Payment pending → confirmed", "Deposit received", "all three agree"),
        *("Stripe clearing ← Buyer's funds", " ← Escrow hold, ord_", "mapping v1"),
        *(who.bo.email, "ACME-7", "Escrow funded", "Add a note"),
    ):
        assert words in said, words


def test_buyer_reads_their_own_payment_without_the_desks_words(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    page = desk.browser(who.bo).page(f"/payments/{payment['paymentId']}")
    said = text(page)
    assert "Confirmed" in said
    assert "Buyer You" in said
    for hidden_words in ("For support", "Add a note", "payment_intent.succeeded", "inb_"):
        assert hidden_words not in said
    assert "/webhooks/" not in page


@pytest.mark.parametrize("name", ["", "/header", "/timeline", "/facts", "/cases", "/cancel"])
def test_foreign_payment_is_as_good_as_none(
    desk: Desk, who: Personas, till: Till, name: str
) -> None:
    payment = till.payment(who.bo)["paymentId"]
    for stranger in (who.eve, who.sal):
        browser = desk.browser(stranger)
        if name == "/cancel" and stranger is who.sal:
            continue
        found = browser.get(f"/payments/{payment}{name}", htmx=bool(name))
        missing = browser.get(f"/payments/pay_nothing{name}", htmx=bool(name))
        assert (found.status_code, missing.status_code) == (404, 404)


def test_missing_payment_has_a_page_that_helps(desk: Desk, who: Personas) -> None:
    answer = desk.browser(who.fin).get("/payments/pay_nothing")
    assert answer.status_code == 404
    said = text(answer.text)
    assert "There is nothing here" in said
    assert answer.headers["X-Request-Id"] in said


def test_each_part_comes_alone_to_htmx_and_leads_home_without(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser = desk.browser(who.fin)
    for part, mark in (
        ("header", 'id="payment-header"'),
        ("cases", 'id="payment-cases"'),
        ("support", 'id="payment-support"'),
        ("timeline", 'id="payment-timeline"'),
        ("facts", 'id="payment-facts"'),
    ):
        said = browser.part(f"/payments/{payment}/{part}")
        assert mark in said
        assert f'hx-get="/payments/{payment}/{part}"' in said
        assert f"sse:payment-{payment}" in said
        answer = browser.get(f"/payments/{payment}/{part}")
        assert (answer.status_code, answer.location) == (303, f"/payments/{payment}")
    assert desk.browser(who.bo).get(f"/payments/{payment}/support").status_code == 403


def test_note_is_written_with_htmx_and_without(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser, path = desk.browser(who.sue), f"/payments/{payment}/notes"
    answer = browser.post(path, note="Called the buyer.")
    assert (answer.status_code, answer.location) == (303, f"/payments/{payment}#notes")
    answer = browser.post(path, htmx=True, note="They pay tomorrow.")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "Called the buyer." in answer.text
    assert "They pay tomorrow." in answer.text
    assert notes() == ["Called the buyer.", "They pay tomorrow."]
    browser.post(path, note="Called the buyer.")
    assert len(notes()) == 2
    said = text(browser.page(f"/payments/{payment}"))
    assert said.count("Called the buyer.") == 2  # in the timeline and among the notes


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("", "Write something first."),
        (f"card {CARD}", "card number"),
        ("x" * 2001, "at most 2,000"),
    ],
)
def test_bad_note_comes_back_with_what_is_wrong(
    desk: Desk, who: Personas, till: Till, note: str, words: str
) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser, path = desk.browser(who.sue), f"/payments/{payment}/notes"
    for htmx in (False, True):
        answer = browser.post(path, htmx=htmx, note=note)
        assert answer.status_code == 422
        assert words in text(answer.text)
        assert ("<html" in answer.text) is not htmx
    assert notes() == []


def test_who_only_reads_may_not_act(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser = desk.browser(who.ann)
    page = browser.page(f"/payments/{payment}")
    assert "Your role reads payments only." in text(page)
    assert 'name="note"' not in page
    for act in ("sync", "notes", "cancel"):
        answer = browser.post(f"/payments/{payment}/{act}", note="x", reason="because")
        assert answer.status_code == 403, act
    assert status_of(payment) == "pending"


def test_asking_the_provider_brings_what_no_webhook_told(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    till.rail.intents[payment["providerReference"]] |= {
        "status": "succeeded",
        "amount_received": 2500,
    }
    browser, path = desk.browser(who.sue), f"/payments/{payment['paymentId']}"
    answer = browser.post(f"{path}/sync")
    assert (answer.status_code, answer.location) == (303, path)
    said = text(browser.page(path))
    assert "Stripe was asked, and something changed" in said
    assert "25.00 EUR Confirmed" in said
    assert "Stripe was asked" not in text(browser.page(path))
    answer = browser.post(f"{path}/sync", htmx=True)
    assert answer.status_code == 200
    assert 'id="payment-header"' in answer.text
    assert "less than a minute ago" in text(answer.text)


def test_provider_that_does_not_answer_is_said_so(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    till.rail.script.append(ProviderUnavailable())
    browser = desk.browser(who.sue)
    browser.post(f"/payments/{payment}/sync")
    assert "Stripe could not be asked" in text(browser.page(f"/payments/{payment}"))
    assert status_of(payment) == "pending"


def test_cancel_shows_first_and_asks_why(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser, path = desk.browser(who.fin), f"/payments/{payment}/cancel"
    said = text(browser.page(path))
    assert "Stripe is asked to end" in said
    assert "Nobody can pay with this attempt any more" in said
    assert status_of(payment) == "pending"
    answer = browser.post(path, reason=" ")
    assert answer.status_code == 422
    assert "Say why in a few words." in answer.text
    answer = browser.post(path, reason="", htmx=True)
    assert answer.status_code == 422
    assert "<html" not in answer.text
    assert status_of(payment) == "pending"
    answer = browser.post(path, reason="The buyer changed their mind")
    assert (answer.status_code, answer.location) == (303, f"/payments/{payment}")
    assert status_of(payment) == "cancelled"
    page = browser.page(f"/payments/{payment}")
    assert "The payment is cancelled" in text(page)
    answer = browser.get(path)
    assert answer.status_code == 303
    assert "It is cancelled already." in text(browser.page(f"/payments/{payment}"))


def test_cancel_sent_by_htmx_moves_the_whole_page(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    answer = desk.browser(who.fin).post(
        f"/payments/{payment}/cancel", htmx=True, reason="No longer wanted"
    )
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, f"/payments/{payment}")


def test_confirmed_payment_is_not_cancelled(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    browser, path = desk.browser(who.fin), f"/payments/{payment['paymentId']}"
    assert "refunded, not cancelled" in text(browser.page(path))
    answer = browser.post(f"{path}/cancel", reason="Too late")
    assert answer.status_code == 422
    assert "The payment was not cancelled" in answer.text
    assert status_of(payment["paymentId"]) == "completed"


def test_lost_answer_is_no_failure(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    till.rail.script.append(ProviderUnknown())
    browser = desk.browser(who.fin)
    browser.post(f"/payments/{payment}/cancel", reason="No longer wanted")
    page = text(browser.page(f"/payments/{payment}"))
    assert "The provider&#39;s answer was lost" in page or "The provider's answer was lost" in page
    assert "Outcome unknown" in page
    assert status_of(payment) == "pending"


def test_unverified_buyer_looks_but_does_not_act(desk: Desk, who: Personas, till: Till) -> None:
    from tests.api import personas

    payment = till.payment(who.bo)["paymentId"]
    personas.change(who.bo.id, kyc="pending")
    browser = desk.browser(who.bo)
    assert "not verified yet" in text(browser.page(f"/payments/{payment}"))
    answer = browser.post(f"/payments/{payment}/cancel", reason="Changed my mind")
    assert answer.status_code == 403
    assert status_of(payment) == "pending"


def test_open_case_stands_above_everything(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    body = till.event("payment_intent.succeeded", payment, status="succeeded", amount_received=2400)
    till.deliver(body)
    till.work()
    page = desk.browser(who.fin).page(f"/payments/{payment['paymentId']}")
    said = text(page)
    assert "Underpaid" in said
    assert "Paid 24.00 of 25.00 EUR" in said
    case = re.search(r'href="(/exceptions/exc_\w+)"', page)
    assert case
    shown = text(desk.browser(who.fin).page(case[1]))
    assert "Expected 25.00" in shown
    assert "Nobody yet" in shown
    assert case_queries.UNRESOLVED


def test_flash_is_said_once_and_escaped(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    till.rail.script.append(ProviderUnavailable("<b>no</b>"))
    browser = desk.browser(who.sue)
    browser.post(f"/payments/{payment}/sync")
    page = browser.page(f"/payments/{payment}")
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no</b>" not in page
    assert hidden(page, "csrf_token")

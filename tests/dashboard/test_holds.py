"""Holds on the desk: captured from the payment's page, what was let go is said, and what ends soon is shown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from core import clock
from core.errors import AppError, PaymentDeclined, ProviderUnavailable, ProviderUnknown
from domain import database
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.test_captures import held, hold
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def row_of(payment: dict[str, Any]) -> Payment:
    with database.reading() as session:
        return session.get_one(Payment, payment["paymentId"])


def change(payment: dict[str, Any], **values: object) -> None:
    with database.transaction() as session:
        row = session.get_one(Payment, payment["paymentId"])
        for name, value in values.items():
            setattr(row, name, value)


def typed(form: str) -> str:
    """Give what stands in the form's amount."""
    found = re.search(r'<input[^>]*name="amount"[^>]*value="([^"]*)"', form)
    assert found, form
    return found[1]


def test_part_of_a_hold_is_captured_and_the_page_says_who_let_the_rest_go(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = held(till, who)
    page = f"/payments/{payment['paymentId']}"
    browser = desk.browser(who.fin)
    before = text(browser.page(page))
    for words in ("Held, not captured", "Held on the card 25.00 EUR", "Hold ends", "Capture"):
        assert words in before, words
    form = browser.page(f"{page}/capture")
    assert typed(form) == "25.00"
    assert "What you do not capture is let go at once" in text(form)
    answer = browser.post(f"{page}/capture", amount="20.00", reason="One chair is missing")
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    after = text(browser.page(page))
    for words in (
        "20.00 EUR was captured",
        "Captured 20.00 of 25.00 EUR: 5.00 EUR let go by Fin.",
        "Received 20.00 EUR",
        "Let go 5.00 EUR",
        "by Fin: One chair is missing",
    ):
        assert words in after, words
    assert "Underpaid" not in after
    own = text(desk.browser(who.bo).page(page))
    assert "5.00 EUR let go by finance." in own
    assert "One chair is missing" not in own
    again = browser.post(f"{page}/capture", amount="5.00", reason="The rest as well")
    assert (again.status_code, till.rail.asked.count("capture")) == (303, 1)
    assert "Nothing is held any more" in text(browser.page(page))
    paid = desk.anonymous().get(f"/pay/{row_of(payment).public_id}")
    assert "20.00 EUR of the 25.00 EUR held on your card was charged" in text(paid.text)


def test_wrong_input_is_shown_again_with_what_was_typed(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = held(till, who)
    path = f"/payments/{payment['paymentId']}/capture"
    browser = desk.browser(who.ada)
    for amount, said in (
        ("25.01", "At most 25.00 EUR is held."),
        ("0", "Capture more than nothing."),
        ("twelve", "Write an amount such as 25.00"),
        ("", "Write an amount such as 25.00"),
    ):
        for htmx in (False, True):
            answer = browser.post(path, amount=amount, reason="Because it is so", htmx=htmx)
            assert answer.status_code == 422
            assert said in text(answer.text)
            assert "Because it is so" in answer.text
    answer = browser.post(path, amount="25.00", reason="")
    assert (answer.status_code, "Say why in a few words." in text(answer.text)) == (422, True)
    assert "capture" not in till.rail.asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PaymentDeclined("The card has expired. Try another card."), "The card has expired."),
        (ProviderUnavailable("Stripe cannot be reached. Nothing was done."), "Nothing was done."),
    ],
)
def test_refused_capture_is_told_above_the_form(
    desk: Desk, who: Personas, till: Till, answer: AppError, said: str
) -> None:
    payment = held(till, who)
    till.rail.script = [answer]
    path = f"/payments/{payment['paymentId']}/capture"
    shown = desk.browser(who.fin).post(path, amount="25.00", reason="Goods were sent")
    assert shown.status_code == 422
    assert "Nothing was captured" in text(shown.text)
    assert said in text(shown.text)
    assert row_of(payment).sub_state == "requires_capture"


def test_lost_answer_is_shown_and_keeps_others_from_ending_the_hold(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = held(till, who)
    page = f"/payments/{payment['paymentId']}"
    till.rail.script = [ProviderUnknown()]
    browser = desk.browser(who.fin)
    assert (
        browser.post(f"{page}/capture", amount="20.00", reason="Goods were sent").status_code == 303
    )
    said = text(browser.page(page))
    assert "It is being captured, and Stripe's answer is missing" in said
    assert "It is being captured or ended, and the outcome is not known yet." in said
    assert typed(browser.page(f"{page}/capture")) == "20.00"


def test_only_who_may_capture_is_offered_it(desk: Desk, who: Personas, till: Till) -> None:
    payment = held(till, who)
    page = f"/payments/{payment['paymentId']}"
    for person in (who.sue, who.ed, who.ann, who.bo):
        said = text(desk.browser(person).page(page))
        assert "Finance, admins and the merchant capture; your role does not." in said
        assert desk.browser(person).get(f"{page}/capture").status_code == 403
        assert (
            desk.browser(person).post(f"{page}/capture", amount="1", reason="No no no").status_code
            == 403
        )
    assert desk.browser(who.eve).get(f"{page}/capture").status_code == 404
    answer = desk.browser(who.mel).post(f"{page}/capture", amount="25.00", reason="Goods were sent")
    assert answer.status_code == 303
    assert row_of(payment).status == "completed"
    assert "Capture" not in text(desk.browser(who.mel).page(page)).split("What you can do")[0]


def test_hold_that_ends_within_a_day_stands_on_home_and_above_its_page(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = held(till, who)
    browser = desk.browser(who.fin)
    assert "Capture or cancel it before the hold ends" not in text(browser.page("/"))
    change(payment, hold_ends_at=clock.now() + timedelta(hours=5, minutes=2))
    home = text(browser.page("/"))
    assert "Hold ends in 5 h Capture or cancel it before the hold ends" in home
    page = text(browser.page(f"/payments/{payment['paymentId']}"))
    assert "The hold ends in 5 h" in page
    assert "after it the payer would have to pay anew" in page
    browser.post(f"/payments/{payment['paymentId']}/capture", amount="25", reason="In time")
    assert "Capture or cancel it before the hold ends" not in text(browser.page("/"))


def test_payer_reads_that_the_amount_is_held_and_not_charged_yet(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    public = row_of(payment).public_id
    hold(till, payment)
    answer = desk.anonymous().get(f"/pay/{public}")
    assert answer.status_code == 200
    said = text(answer.text)
    assert "The amount is reserved" in said
    assert "25.00 EUR is held on your card, until" in said
    assert "and not charged yet" in said
    till.deliver(
        till.event(
            "payment_intent.canceled", payment, status="canceled", cancellation_reason="automatic"
        )
    )
    till.work()
    over = desk.anonymous().get(f"/pay/{public}")
    assert over.status_code == 410
    assert "The reservation has ended Your card holds nothing any more." in text(over.text)

"""Payment links: copied, sent to the buyer once in ten minutes, refused once nobody can pay; and starting again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from core import clock
from domain import database
from domain.mail import mails
from models.audit import AuditRow
from models.payments import Payment
from models.proofs import Mail
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


@pytest.fixture(autouse=True)
def posts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have letters leave, as on an installation with a mail server."""
    monkeypatch.setattr(mails, "outlet", lambda: mails.Outlet.SMTP)


def letters() -> list[mails.Addressed]:
    with database.reading() as session:
        return [mails.opened(row) for row in session.query(Mail).order_by(Mail.created_at)]


def change(payment_id: str, **values: object) -> str:
    with database.transaction() as session:
        row = session.get_one(Payment, payment_id)
        for name, value in values.items():
            setattr(row, name, value)
        return row.public_id


def mels(till: Till, who: Personas) -> dict[str, Any]:
    order = till.order(who.mels_key, buyerId=who.bo.id)
    return till.intent(who.mels_key, order["orderId"])


def test_buyer_gets_one_letter_with_the_link_and_the_senders_words(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = mels(till, who)
    page, public = f"/payments/{payment['paymentId']}", change(payment["paymentId"])
    browser = desk.browser(who.sue)
    for shown in (browser.page(page), browser.page(f"/orders/{payment['orderId']}")):
        assert f"/pay/{public}" in shown
        assert f'href="{page}/link"' in shown
    form = browser.page(f"{page}/link")
    assert "Bo, b…@people.test" in text(form)
    assert who.bo.email not in form
    sent = browser.post(f"{page}/link", note="As you asked on the phone.\nYours, Sue")
    assert (sent.status_code, sent.headers["Location"]) == (303, page)
    assert "The payment link is on its way To Bo, b…@people.test." in text(browser.page(page))
    (letter,) = letters()
    assert letter.to == who.bo.email
    assert letter.subject == "Mel's asks you to pay 25.00 EUR"
    for words in (f"http://localhost:8000/pay/{public}", "As you asked on the phone.", "Oak table"):
        assert words in letter.body
    again = browser.post(f"{page}/link", note="And again")
    assert again.status_code == 422
    assert "less than ten minutes ago" in text(again.text)
    assert "And again" in again.text
    with time_machine.travel(clock.now() + timedelta(minutes=11), tick=True):
        assert desk.browser(who.mel).post(f"{page}/link").status_code == 303
    assert len(letters()) == 2
    with database.reading() as session:
        rows = session.query(AuditRow).filter_by(action="payment.send_link").order_by(AuditRow.at)
        assert [row.actor for row in rows] == [who.sue.id, who.mel.id]
        assert "phone" not in str([row.after for row in rows])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"status": "completed"}, "It is paid; nobody needs to pay it again."),
        ({"status": "processing"}, "wait until it is final"),
        (
            {"status": "processing", "sub_state": "requires_capture"},
            "The amount is held on the card already.",
        ),
        (
            {"status": "failed", "failure_reason": "expired"},
            "It has expired. Start again, and send the link of the new payment.",
        ),
        ({"status": "cancelled"}, "It was cancelled."),
        ({"provider_reference": None}, "The provider has not answered for it yet."),
        ({"buyer_id": None}, "Nobody is named as the buyer. Copy the link instead."),
    ],
)
def test_link_that_nobody_can_pay_with_is_not_sent_and_says_what_to_do(
    desk: Desk, who: Personas, till: Till, values: dict[str, object], said: str
) -> None:
    payment = mels(till, who)
    page = f"/payments/{payment['paymentId']}"
    change(payment["paymentId"], **values)
    browser = desk.browser(who.fin)
    assert browser.get(f"{page}/link").headers["Location"] == page
    assert said in text(browser.page(page))
    answer = browser.post(f"{page}/link")
    assert answer.status_code in (303, 422)
    assert letters() == []


def test_card_numbers_and_endless_notes_are_not_sent(desk: Desk, who: Personas, till: Till) -> None:
    payment = mels(till, who)
    browser = desk.browser(who.fin)
    for note, said in (
        ("Use 4242 4242 4242 4242", "Card numbers never travel by mail."),
        ("x" * 1001, "A note has at most 1,000 characters."),
    ):
        answer = browser.post(f"/payments/{payment['paymentId']}/link", note=note)
        assert (answer.status_code, said in text(answer.text)) == (422, True)
    assert letters() == []


def test_only_who_may_send_is_offered_it_and_foreign_links_are_as_good_as_none(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = mels(till, who)
    page = f"/payments/{payment['paymentId']}"
    for person in (who.ed, who.ann, who.bo):
        browser = desk.browser(person)
        assert "send links; your role does not" in text(browser.page(page))
        assert browser.get(f"{page}/link").status_code == 403
        assert browser.post(f"{page}/link").status_code == 403
    assert desk.browser(who.eve).get(f"{page}/link").status_code == 404
    assert desk.browser(who.eve).post(f"{page}/link").status_code == 404
    assert letters() == []


def test_expired_payment_is_started_again_and_its_pay_page_leads_to_the_new_one(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = mels(till, who)
    page = f"/payments/{payment['paymentId']}"
    public = change(payment["paymentId"], status="failed", failure_reason="expired", open_key=None)
    closed = desk.anonymous().get(f"/pay/{public}")
    assert closed.status_code == 410
    assert "Ask Mel's for a new link if you still want to pay." in text(closed.text)
    browser = desk.browser(who.sue)
    assert "Start again" in text(browser.page(page))
    assert "This one stays ended" in text(browser.page(f"{page}/reattempt"))
    made = browser.post(f"{page}/reattempt")
    assert made.status_code == 303
    new = made.headers["Location"]
    assert new not in (page, f"{page}/reattempt")
    assert "A new attempt was started" in text(browser.page(new))
    again = browser.post(f"{page}/reattempt")
    assert again.headers["Location"] == new
    assert browser.get(f"{page}/reattempt").headers["Location"] == new
    assert f'href="{new}"' in browser.page(page)
    led = desk.anonymous().get(f"/pay/{public}")
    later = change(new.removeprefix("/payments/"))
    assert led.status_code == 410
    assert f'href="/pay/{later}"' in led.text
    assert "A new payment took its place." in text(led.text)


def test_money_that_came_after_the_end_is_never_denied_to_the_payer(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = mels(till, who)
    public = change(payment["paymentId"], status="failed", failure_reason="expired", open_key=None)
    till.settle(payment)
    said = text(desk.anonymous().get(f"/pay/{public}").text)
    assert "25.00 EUR arrived for it afterwards." in said
    assert "Please do not pay again" in said
    assert "Nothing was charged" not in said
    page = text(desk.browser(who.sue).page(f"/payments/{payment['paymentId']}"))
    assert "25.00 EUR arrived for it after its end and is still here." in page


def test_roles_that_do_not_start_payments_are_told_so(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = mels(till, who)
    page = f"/payments/{payment['paymentId']}"
    change(payment["paymentId"], status="failed", failure_reason="declined", open_key=None)
    for person in (who.fin, who.ed, who.ann):
        browser = desk.browser(person)
        said = "Support, the buyer and the merchant start payments again; your role does not."
        assert said in text(browser.page(page))
        assert browser.post(f"{page}/reattempt").status_code == 403
    assert desk.browser(who.eve).post(f"{page}/reattempt").status_code == 404
    assert desk.browser(who.bo).post(f"{page}/reattempt").status_code == 303

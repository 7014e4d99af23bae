"""The hosted pay page in every state, for anybody who has its address."""

from __future__ import annotations

import pytest

from domain import database
from domain.payments import payments
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def public_id(payment_id: str, **changes: object) -> str:
    """Give the public id of a payment, and change its row first where asked."""
    with database.transaction() as session:
        row = session.get_one(Payment, payment_id)
        for name, value in changes.items():
            setattr(row, name, value)
        return row.public_id


def test_open_payment_shows_the_card_form(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo, reference="ACME-1042")
    public = public_id(payment["paymentId"])
    answer = desk.anonymous().get(f"/pay/{public}")
    assert answer.status_code == 200
    said = text(answer.text)
    for words in ("25.00 EUR", "Deposit for “Oak table”", "ACME-1042", "125.00 EUR", "4242 4242"):
        assert words in said, words
    assert 'data-publishable-key="pk_test_world"' in answer.text
    assert "_secret_x" in answer.text
    assert f'data-state-url="/pay/{public}/state"' in answer.text
    assert who.bo.email not in answer.text


def test_only_pay_pages_may_load_the_providers_script(
    desk: Desk, who: Personas, till: Till
) -> None:
    public = public_id(till.payment(who.bo)["paymentId"])
    browser = desk.anonymous()
    policy = browser.get(f"/pay/{public}").headers["Content-Security-Policy"]
    assert "script-src 'self' https://js.stripe.com" in policy
    assert "frame-src https://js.stripe.com https://hooks.stripe.com" in policy
    assert "unsafe" not in policy
    assert "stripe" not in browser.get("/login").headers["Content-Security-Policy"]
    assert "hx-boost" not in browser.get(f"/pay/{public}").text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"provider_code": "card_declined"}, (200, "The last card was declined")),
        ({"status": "processing"}, (200, "Your bank is confirming")),
        (
            {"status": "processing", "sub_state": "requires_capture"},
            (200, "The amount is reserved"),
        ),
        ({"sub_state": "unknown_outcome"}, (200, "One moment, please")),
        ({"client_secret_sealed": None}, (200, "One moment, please")),
        ({"status": "completed"}, (200, "Paid, thank you")),
        ({"status": "refunded"}, (200, "This payment was refunded")),
        ({"status": "cancelled"}, (410, "This payment was cancelled")),
        (
            {"status": "failed", "failure_reason": "declined"},
            (410, "This payment did not go through"),
        ),
        ({"status": "failed", "failure_reason": "expired"}, (410, "This payment page has expired")),
    ],
)
def test_page_says_where_the_payment_stands(
    desk: Desk, who: Personas, till: Till, changes: dict[str, object], expected: tuple[int, str]
) -> None:
    status, title = expected
    public = public_id(till.payment(who.bo)["paymentId"], **changes)
    browser = desk.anonymous()
    answer = browser.get(f"/pay/{public}")
    assert answer.status_code == status
    assert title in answer.text
    assert title in browser.get(f"/pay/{public}/state").text
    shows_form = 'id="card-mount"' in answer.text
    assert shows_form == (title == "The last card was declined")
    assert ("_secret_x" in answer.text) == shows_form
    if status == 410:
        assert "for a new link" in answer.text
        assert "Nothing was charged" in answer.text


def test_state_alone_is_no_page(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    public = public_id(payment["paymentId"])
    part = desk.anonymous().get(f"/pay/{public}/state")
    assert part.status_code == 200
    assert "<html" not in part.text
    assert 'data-state="form"' in part.text
    assert "data-final" not in part.text
    till.settle(payment)
    part = desk.anonymous().get(f"/pay/{public}/state")
    assert 'data-state="paid"' in part.text
    assert "data-final" in part.text


def test_what_the_address_says_on_return_is_never_believed(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)["paymentId"]
    public = public_id(payment)
    said = "payment_intent=pi_1&payment_intent_client_secret=x&redirect_status=succeeded"
    answer = desk.anonymous().get(f"/pay/{public}/return?{said}")
    assert answer.status_code == 200
    assert "Waiting for your bank" in answer.text
    assert "usually takes a few seconds" in answer.text
    assert f'href="/pay/{public}"' in answer.text
    assert "pi_1" not in answer.text
    with database.reading() as session:
        assert session.get_one(Payment, payment).status == "pending"


def test_form_without_a_script_leads_back(desk: Desk, who: Personas, till: Till) -> None:
    import re

    public = public_id(till.payment(who.bo)["paymentId"])
    browser = desk.anonymous()
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(f"/pay/{public}").text)
    assert found
    form = {"csrf_token": found[1], "name": "Bo"}
    answer = browser.client.post(f"/pay/{public}/return", data=form)
    assert (answer.status_code, answer.location) == (303, f"/pay/{public}")
    assert browser.client.post(f"/pay/{public}/return", data={"name": "Bo"}).status_code == 403


@pytest.mark.parametrize("path", ["", "/state", "/return"])
def test_unknown_address_is_not_found(desk: Desk, path: str) -> None:
    assert desk.anonymous().get(f"/pay/pp_nothing{path}").status_code == 404


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("https://checkout.stripe.com/c/pay/cs_1", True),
        ("https://js.stripe.com/c/pay/cs_1", True),
        ("https://evil.test/c/pay", False),
        ("https://stripe.com.evil.test/", False),
        ("http://checkout.stripe.com/", False),
        ("javascript:alert(1)", False),
        (None, False),
    ],
)
def test_checkout_payment_links_to_the_providers_own_page_only(
    desk: Desk, who: Personas, till: Till, url: str | None, links: bool
) -> None:
    payment = till.payment(who.bo)["paymentId"]
    public = public_id(payment, method="checkout", hosted_url=url)
    page = desk.anonymous().get(f"/pay/{public}").text
    assert ("Pay on Stripe</a>" in page) == links
    if url:
        assert (f'href="{url}"' in page) == links


def test_public_id_names_nothing_else(who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    assert public_id(payment) != payment
    with database.reading() as session:
        assert payments.get_by_public_id(session, public_id(payment)).id == payment

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.rig.browser import Watch
from tests.sandbox.receiver import Receiver
from tests.sandbox.shop import Shop
from tests.sandbox.standin import Client, StandIn

pytestmark = pytest.mark.browser
FRAMES = "iframe[name^=__stripeFrame]"
BANK = "iframe[name=stripe-challenge-frame]"


@pytest.fixture
def shop(standin: StandIn) -> Iterator[Shop]:
    running = Shop(standin.url)
    yield running
    running.close()


def new_intent(client: Client) -> Any:
    return client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})


def enter(
    page: Page, shop: Shop, secret: str, number: str, *, kind: str = "card", more: str = ""
) -> None:
    page.goto(f"{shop.url}/?kind={kind}&secret={secret}{more}")
    fields = page.frame_locator(FRAMES)
    fields.get_by_label(re.compile("Card number")).press_sequentially(number)
    # The caret moves on by itself once a field is complete.
    page.keyboard.type("1234")
    page.keyboard.type("123")
    expect(page.locator("body")).to_have_attribute("data-complete", "true")


@pytest.mark.parametrize("kind", ["card", "payment"])
def test_card_entered_in_the_frame_pays_and_never_touches_the_shops_page(
    client: Client, shop: Shop, page: Page, kind: str
) -> None:
    intent = new_intent(client)
    enter(page, shop, intent.client_secret, "4242424242424242", kind=kind)
    assert page.evaluate("document.documentElement.outerHTML.includes('4242')") is False
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status")).to_have_text("paid: succeeded")
    paid = client.v1.payment_intents.retrieve(intent.id, {"expand": ["payment_method"]})
    assert (paid.status, paid.payment_method.card.last4) == ("succeeded", "4242")


def test_3ds_is_passed_in_a_dialog(client: Client, shop: Shop, page: Page) -> None:
    intent = new_intent(client)
    enter(page, shop, intent.client_secret, "4000000000003220")
    page.get_by_role("button", name="Pay").click()
    page.frame_locator(BANK).get_by_role("button", name="Complete authentication").click()
    expect(page.get_by_role("status")).to_have_text("paid: succeeded")
    assert page.locator(BANK).count() == 0


@pytest.mark.parametrize("way", ["fail", "cancel"])
def test_failed_or_abandoned_3ds_is_an_error_and_no_charge(
    client: Client, receiver: Receiver, shop: Shop, page: Page, way: str
) -> None:
    intent = new_intent(client)
    enter(page, shop, intent.client_secret, "4000002500003155", kind="payment")
    page.get_by_role("button", name="Pay").click()
    bank = page.frame_locator(BANK).get_by_role("button", name="Fail authentication")
    expect(bank).to_be_visible()
    if way == "fail":
        bank.click()
    else:
        page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("refused: We are unable to authenticate")
    receiver.wait_for("payment_intent.payment_failed")
    assert client.v1.charges.list({"payment_intent": intent.id}).data == []


def test_declined_card_can_be_replaced_on_the_same_page(
    client: Client, shop: Shop, page: Page, watch: Watch
) -> None:
    watch.expect("status of 402")
    intent = new_intent(client)
    enter(page, shop, intent.client_secret, "4000000000009995")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status")).to_have_text("refused: Your card has insufficient funds.")
    enter(page, shop, intent.client_secret, "4242424242424242")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("status")).to_have_text("paid: succeeded")


def test_wrong_or_missing_entries_are_said_before_anything_is_sent(
    client: Client, standin: StandIn, shop: Shop, page: Page
) -> None:
    intent = new_intent(client)
    page.goto(f"{shop.url}/?kind=payment&secret={intent.client_secret}")
    fields = page.frame_locator(FRAMES)
    number = fields.get_by_label(re.compile("Card number"))
    number.press_sequentially("4242424242424241")
    expect(page.get_by_role("status")).to_have_text("Your card number is invalid.")
    number.fill("")
    number.press_sequentially("42424242")
    page.get_by_role("button", name="Pay").click()
    expect(fields.get_by_text("Your card number is incomplete.")).to_be_visible()
    ops = [request["op"] for request in standin.control("GET", "requests")["data"]]
    assert "payment_intents.confirm" not in ops


def test_payment_can_return_to_the_shop_by_redirect(client: Client, shop: Shop, page: Page) -> None:
    intent = new_intent(client)
    more = "&redirect=always"
    enter(page, shop, intent.client_secret, "5555555555554444", kind="payment", more=more)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/back\?payment_intent=pi_.*redirect_status=succeeded"))


def test_card_is_saved_through_a_setup_intent_with_3ds(
    client: Client, shop: Shop, page: Page
) -> None:
    customer = client.v1.customers.create({"email": "bo@example.com"})
    intent = client.v1.setup_intents.create({"customer": customer.id})
    enter(page, shop, intent.client_secret, "4000002500003155", more="&setup=1")
    page.get_by_role("button", name="Pay").click()
    page.frame_locator(BANK).get_by_role("button", name="Complete authentication").click()
    expect(page.get_by_role("status")).to_have_text("paid: succeeded")
    (saved,) = client.v1.customers.payment_methods.list(customer.id).data
    off_session = client.v1.payment_intents.create(
        {"amount": 700, "currency": "usd", "customer": customer.id, "payment_method": saved.id,
         "payment_method_types": ["card"], "confirm": True, "off_session": True}
    )  # fmt: skip
    assert off_session.status == "succeeded"


def test_hosted_checkout_is_paid_with_3ds_in_the_browser(
    client: Client, shop: Shop, page: Page
) -> None:
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment", "success_url": f"{shop.url}/back?session={{CHECKOUT_SESSION_ID}}",
            "line_items": [{"amount": 2500, "currency": "usd", "name": "Deposit"}],
        }
    )  # fmt: skip
    page.goto(session.url)
    page.get_by_label("Email").fill("bo@example.com")
    page.get_by_label("Card number").press_sequentially("4000000000003220")
    page.get_by_label("Expiration, month and year").press_sequentially("1234")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name="Pay 25.00 USD").click()
    page.get_by_role("button", name="Complete authentication").click()
    page.wait_for_url(f"{shop.url}/back?session={session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"

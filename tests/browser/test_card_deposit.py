"""A buyer pays by card and the desk sees it happen: the whole slice, in a real browser, on both databases."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import (
    ASKS_3DS,
    BANK,
    DECLINED,
    GOOD,
    Shop,
    enter_card,
    sign_in,
    wait_live,
)
from tests.rig.browser import Watch

pytestmark = pytest.mark.browser


def pay(page: Page, number: str) -> None:
    enter_card(page, number)
    page.get_by_role("button", name="Pay 25.00 EUR").click()


def test_buyer_pays_and_desk_changes_without_reload(page: Page, payer: Page, shop: Shop) -> None:
    payment = shop.payment()
    payment_id, order_id = payment["paymentId"], payment["orderId"]
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments")
    wait_live(page)
    row = page.locator(f"#payment-{payment_id}")
    expect(row).to_contain_text("Pending")
    detail = page.context.new_page()
    detail.goto(f"{shop.url}/payments/{payment_id}")
    wait_live(detail)
    expect(detail.locator("#payment-header")).to_contain_text("Pending")
    for each in (page, detail):
        each.evaluate("window.neverReloaded = true")

    payer.goto(payment["payUrl"])
    expect(payer.get_by_role("heading", level=1)).to_have_text("Deposit for “Oak table”")
    pay(payer, GOOD)
    expect(payer.locator("#pay-state")).to_contain_text("Paid, thank you")
    assert "4242424242424242" not in payer.content()

    expect(row).to_contain_text("Confirmed")
    expect(detail.locator("#payment-header")).to_contain_text("Confirmed")
    expect(detail.locator("#payment-timeline")).to_contain_text("Deposit received")
    expect(detail.locator("#payment-timeline")).to_contain_text("all three agree")
    for each in (page, detail):
        assert each.evaluate("window.neverReloaded") is True
    order = shop.read(f"/api/orders/{order_id}")
    assert order["status"] == "DepositPaid"
    assert shop.stack.truth()
    replay_changes_nothing(detail, shop, payment_id)


def replay_changes_nothing(page: Page, shop: Shop, payment_id: str) -> None:
    """Preview the event from the payment's page, replay it, and find no second effect."""
    page.get_by_role("link", name="Preview").click()
    expect(page.locator(".verdict")).to_contain_text("This replay would change nothing")
    expect(page.locator(".verdict")).to_contain_text("Already applied by")
    page.get_by_label("Reason").fill("Checking for a second effect")
    page.get_by_role("button", name="Replay with no effect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Replayed, nothing changed")
    expect(page.get_by_text("Checking for a second effect")).to_be_visible()
    page.get_by_role("link", name="Back to the event").click()
    expect(page.locator("#webhook-story")).to_contain_text("“Checking for a second effect”")
    page.goto(f"{shop.url}/payments/{payment_id}")
    expect(page.locator(".lane-card[data-kind=posting]")).to_have_count(1)


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_declined_card_says_why_and_another_one_pays(
    page: Page, payer: Page, shop: Shop, watch: Watch
) -> None:
    # The browser itself notes the stand-in's 402 in the console.
    watch.expect("status of 402")
    payment = shop.payment()
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments/{payment['paymentId']}")
    wait_live(page)
    payer.goto(payment["payUrl"])
    pay(payer, DECLINED)
    expect(payer.locator("#pay-problem")).to_contain_text("not enough money")
    expect(page.locator("#payment-support")).to_contain_text("The card lacks the funds")
    expect(page.locator("#payment-timeline")).to_contain_text("Card declined")
    pay(payer, GOOD)
    expect(payer.locator("#pay-state")).to_contain_text("Paid, thank you")
    expect(page.locator("#payment-header")).to_contain_text("Confirmed")


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_3ds_is_passed_in_the_banks_window(payer: Page, shop: Shop) -> None:
    payment = shop.payment()
    payer.goto(payment["payUrl"])
    pay(payer, ASKS_3DS)
    bank = payer.frame_locator(BANK)
    bank.get_by_role("button", name="Complete authentication").click()
    expect(payer.locator("#pay-state")).to_contain_text("Paid, thank you")
    assert shop.read(f"/api/orders/{payment['orderId']}")["status"] == "DepositPaid"
    payer.reload()
    expect(payer.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    expect(payer.locator("#card-mount")).to_have_count(0)


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_failed_3ds_charges_nothing_and_can_be_tried_again(
    payer: Page, shop: Shop, watch: Watch
) -> None:
    watch.expect("status of 402")
    payment = shop.payment()
    payer.goto(payment["payUrl"])
    pay(payer, ASKS_3DS)
    bank = payer.frame_locator(BANK)
    bank.get_by_role("button", name="Fail authentication").click()
    expect(payer.locator("#pay-problem")).to_contain_text("could not confirm that it is you")
    assert shop.read(f"/api/orders/{payment['orderId']}")["status"] == "AwaitingDeposit"
    pay(payer, GOOD)
    expect(payer.locator("#pay-state")).to_contain_text("Paid, thank you")


def test_new_payment_appears_in_the_list_by_itself(page: Page, shop: Shop) -> None:
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/payments")
    wait_live(page)
    payment_id = shop.payment()["paymentId"]
    # Marked as new for a moment, then like any other.
    expect(page.locator(f"#payment-{payment_id}[data-fresh]")).to_contain_text("Oak table")
    expect(page.locator(f"#payment-{payment_id}")).to_contain_text("Pending")

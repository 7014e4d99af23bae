"""An amount held on a card, from the payer's page to the capture on the desk; every open page follows by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import GOOD, Shop, call, enter_card, sign_in, wait_live

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


def held(shop: Shop) -> dict[str, str]:
    """Start a payment whose amount is only held at first."""
    body = {"orderId": shop.order()["orderId"], "captureMethod": "manual"}
    status, made = call("POST", f"{shop.url}/api/payments/intents", body, **shop.headers())
    assert status == 201, made
    found: dict[str, str] = made
    return found


def test_payer_reserves_and_finance_captures_a_part_live(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment = held(shop)
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/payments/{payment['paymentId']}")
    wait_live(page)
    watching = page.context.new_page()
    watching.goto(f"{shop.url}/payments/{payment['paymentId']}")
    wait_live(watching)
    for each in (page, watching):
        each.evaluate("window.neverReloaded = true")

    payer.goto(payment["payUrl"])
    expect(payer.locator("#pay-form")).to_contain_text("Held on your card and not charged yet.")
    enter_card(payer, GOOD)
    payer.get_by_role("button", name="Reserve 25.00 EUR").click()
    expect(payer.locator("#pay-state")).to_contain_text("The amount is reserved")
    expect(payer.locator("#pay-state")).to_contain_text("and not charged yet")

    expect(page.locator("#payment-header")).to_contain_text("Held, not captured")
    expect(page.locator("#payment-facts")).to_contain_text("Hold ends")
    assert page.evaluate("window.neverReloaded") is True
    page.get_by_role("link", name="Capture").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Capture this payment")
    amount = page.get_by_label("Amount in EUR")
    expect(amount).to_have_value("25.00")
    amount.fill("20.00")
    page.get_by_label("Reason").fill("One chair is missing")
    page.get_by_role("button", name="Capture").click()
    expect(page.locator("#payment-header")).to_contain_text("5.00 EUR let go by Fin")

    expect(watching.locator("#payment-header")).to_contain_text("Confirmed")
    expect(watching.locator("#payment-timeline")).to_contain_text("and to let 5.00 go")
    assert watching.evaluate("window.neverReloaded") is True
    expect(payer.locator("#pay-state")).to_contain_text("20.00 EUR of the 25.00 EUR")
    (truth,) = [
        each
        for each in shop.stack.truth().values()
        if each["metadata"].get("payment_id") == payment["paymentId"]
    ]
    assert (truth["amount_received"], truth["amount_capturable"]) == (2_000, 0)
    assert shop.read(f"/api/payments/{payment['paymentId']}")["exceptions"] == []

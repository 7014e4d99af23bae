"""Bank payouts in a real browser: one turns up by itself, is read down to its payments and matched, all by keys."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from domain.database import transaction
from domain.reconciliation import booking_turns
from domain.reconciliation.books import Book
from tests.browser.shop import Shop, call, sign_in, wait_live
from tests.browser.test_books import fits, paid

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


def test_payout_turns_up_is_explained_and_matched_by_keys(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment = paid(payer, shop)
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/ledger")
    wait_live(page)
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page).to_have_url(f"{shop.url}/reconciliation/payouts")
    wait_live(page)
    before = page.locator("#payout-rows .row").count()
    page.evaluate("window.neverReloaded = true")
    status, made = call("POST", f"{shop.stack.stripe.url}/_sandbox/pay_out", {"pending": True})
    assert status == 200 and made["data"], made
    with transaction() as session:
        booking_turns.ask_for(session, Book("stripe", livemode=False))
    expect(page.locator("#payout-rows .row")).to_have_count(
        before + len(made["data"]), timeout=60_000
    )
    assert page.evaluate("window.neverReloaded") is True
    page.keyboard.press("/")
    page.keyboard.type(made["data"][0])
    page.keyboard.press("Enter")
    # What was found is there, and not merely the same one row as before.
    expect(page.get_by_role("link", name="Clear all")).to_be_visible()
    expect(page.locator("#payout-rows .row")).to_have_count(1)
    wait_live(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/reconciliation/payouts/ppo_"))
    expect(page.locator("#made-of")).to_contain_text("Adds up", timeout=60_000)
    expect(page.locator("#made-of")).to_contain_text(payment["paymentId"][-4:])
    fits(page, page.url)
    fits(page, f"{shop.url}/reconciliation/payouts")

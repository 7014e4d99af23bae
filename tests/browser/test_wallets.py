"""A top-up in real browsers: what its payer's bank confirms reaches the open pages of the desk by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from core.states import Role
from domain import database
from models.payments import Payment
from tests.api import personas
from tests.browser.shop import GOOD, Shop, call, enter_card, sign_in, wait_live
from tests.domain.wallets import keep_at
from tests.reliability.clients import Provider
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["postgresql"], indirect=True),
]


@pytest.fixture
def other(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A second page of the desk."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


def test_a_confirmed_top_up_reaches_the_payment_and_the_wallet_without_a_reload(
    page: Page, other: Page, payer: Page, shop: Shop
) -> None:
    bo = personas.user(f"bo-{clock.unix()}@people.test", role=Role.BUYER)
    provider = Provider(shop.stack.stripe.url, shop.url)
    card = keep_at(provider, bo.id, "threeDSecure2Required")
    body = {"paymentMethodId": card, "amount": 48.5, "currency": "EUR"}
    confirm = f"{shop.url}/v1/stripe/transactions/confirm"
    status, said = call("POST", confirm, body, **bo.headers)
    assert (status, said.get("requires3DS")) == (202, True), said
    with database.reading() as session:
        public_id = session.get_one(Payment, said["transactionId"]).public_id
    sue = shop.person("sue", "support")
    for desk, path in ((page, f"/payments/{said['transactionId']}"), (other, f"/wallets/{bo.id}")):
        sign_in(desk, shop, sue)
        desk.goto(f"{shop.url}{path}")
        wait_live(desk)
        desk.evaluate("window.neverReloaded = true")
    expect(page.locator("#payment-header")).to_contain_text("Waiting for 3D Secure")
    expect(other.locator("#wallet-eur")).to_contain_text(re.compile(r"Balance\s*0\.00 EUR"))
    expect(other.locator("#wallet-eur")).to_contain_text(re.compile(r"Pending\s*48\.50 EUR"))
    payer.goto(f"{shop.url}/pay/{public_id}")
    enter_card(payer, GOOD)
    payer.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.locator("#payment-header")).to_contain_text("Confirmed")
    expect(page.locator("#payment-header")).to_contain_text("the wallet is credited")
    expect(other.locator("#wallet-eur")).to_contain_text(re.compile(r"Balance\s*48\.50 EUR"))
    expect(other.locator("#wallet-eur")).to_contain_text(re.compile(r"Pending\s*0\.00 EUR"))
    expect(other.locator("#wallet-body tbody tr")).to_have_count(1)
    for desk in (page, other):
        assert desk.evaluate("window.neverReloaded") is True
    other.locator("#wallet-body .row-link").click()
    expect(other.locator("#payment-header")).to_contain_text("48.50")

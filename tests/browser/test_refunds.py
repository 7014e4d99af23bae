"""Refunds in real browsers: one person for little, two for much, each proved; the payment's page follows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from domain.database import reading
from models.people import User
from tests.browser.shop import GOOD, Shop, enter_card, sign_in, wait_live
from tests.dashboard.proofs import give_codes
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["postgresql"], indirect=True),
]


@pytest.fixture
def other(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of a second person of the desk."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


def paid(payer: Page, shop: Shop, **more: object) -> str:
    """Pay a deposit by card; gives the payment's id."""
    payment = shop.payment(**more)
    payer.goto(payment["payUrl"])
    enter_card(payer, GOOD)
    payer.get_by_role("button", name=re.compile("^Pay")).click()
    expect(payer.get_by_text(re.compile("paid|received", re.IGNORECASE)).first).to_be_visible()
    return str(payment["paymentId"])


def codes_of(email: str) -> pyotp.TOTP:
    name = email.partition("@")[0].capitalize()
    with reading() as session:
        user_id = session.query(User).filter_by(name=name).one().id
    return give_codes(user_id)


def prove(page: Page, codes: pyotp.TOTP) -> None:
    expect(page).to_have_url(re.compile("/account/step-up"))
    page.get_by_label("Code", exact=True).fill(codes.now())
    page.get_by_role("button", name="Prove it with this code").click()


def test_support_refunds_a_little_after_proving_themselves(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment_id = paid(payer, shop)
    sue = shop.person("sue", "support")
    sign_in(page, shop, sue)
    codes = codes_of(sue)
    page.goto(f"{shop.url}/payments/{payment_id}")
    expect(page.locator("#payment-header")).to_contain_text("Confirmed")
    page.get_by_role("link", name="Refund", exact=True).click()
    prove(page, codes)
    expect(page.get_by_role("heading", name="Refund this payment")).to_be_visible()
    expect(page.get_by_label("Amount in EUR")).to_have_value("25.00")
    page.get_by_label("Amount in EUR").fill("20.00")
    page.get_by_label("Reason").fill("Broken leg")
    page.get_by_role("button", name="Refund").click()
    expect(page.locator(".flash-list")).to_contain_text("20.00 EUR is on its way back")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#payment-refunds")).to_contain_text("Refunded")
    expect(page.locator("#payment-facts")).to_contain_text("20.00 EUR")
    expect(page.locator("#payment-timeline")).to_contain_text("Refund pending → succeeded")
    assert page.evaluate("window.neverReloaded") is True
    page.locator("#payment-refunds .row-link").click()
    expect(page.locator("#refund-body")).to_contain_text("The provider has given it back")


def test_finance_refunds_much_with_a_second_person_and_the_page_turns(
    page: Page, other: Page, payer: Page, shop: Shop
) -> None:
    big = {"total": {"amount": "1800.00", "currency": "EUR"}, "deposit": "900.00"}
    payment_id = paid(payer, shop, **big)
    fin, flo = shop.person("fin", "finance"), shop.person("flo", "finance")
    sign_in(page, shop, fin)
    sign_in(other, shop, flo)
    fins, flos = codes_of(fin), codes_of(flo)
    page.goto(f"{shop.url}/payments/{payment_id}/refund")
    prove(page, fins)
    page.get_by_label("Reason").fill("The whole order was cancelled")
    page.get_by_role("button", name="Refund").click()
    expect(page.locator(".flash-list")).to_contain_text("a second person must agree")
    expect(page.locator("#payment-refunds")).to_contain_text("Waits for approval")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    other.goto(f"{shop.url}/approvals")
    other.locator("#approval-rows .row-link").filter(has_text="Refund 900.00 EUR").click()
    other.get_by_role("link", name="Prove it is you").click()
    prove(other, flos)
    other.get_by_role("button", name="Approve").click()
    expect(other.get_by_text("Approved and carried out")).to_be_visible()
    expect(page.locator("#payment-header")).to_contain_text("Refunded")
    expect(page.locator("#payment-timeline")).to_contain_text("Payment confirmed → refunded")
    assert page.evaluate("window.neverReloaded") is True

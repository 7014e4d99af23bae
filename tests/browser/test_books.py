"""The books in real browsers: a journal that grows by itself, statements, an entry by hand from form to reversal."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from domain.database import transaction
from models.people import DeskSession, User
from tests.browser.shop import GOOD, Shop, enter_card, sign_in, wait_live
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]
WIDTHS = (360, 768, 1440)


@pytest.fixture
def other(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of a second person of finance."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


@pytest.fixture
def plain(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A browser that runs no scripts."""
    del shop
    with chromium.context(browser, watch, java_script_enabled=False) as opened:
        yield opened.new_page()


def prove(name: str) -> None:
    """Have all sessions of a person show a second factor now."""
    with transaction() as session:
        person = session.query(User).filter_by(name=name).one().id
        for row in session.query(DeskSession).filter_by(user_id=person):
            row.stepped_up_at = clock.now()


def paid(payer: Page, shop: Shop) -> dict[str, str]:
    """Pay a deposit of 25.00 EUR by card; gives the payment as it stands once it is confirmed."""
    payment = shop.payment()
    payer.goto(payment["payUrl"])
    enter_card(payer, GOOD)
    payer.get_by_role("button", name=re.compile("^Pay")).click()
    expect(payer.get_by_text(re.compile("paid|received", re.IGNORECASE)).first).to_be_visible()
    found: dict[str, str] = shop.read(f"/api/payments/{payment['paymentId']}")
    return found


def fits(page: Page, href: str) -> None:
    """Check that a page scrolls sideways at no width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(href)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (href, width, wide)
    page.set_viewport_size({"width": 1280, "height": 844})


def test_journal_and_statement_grow_by_themselves_and_are_walked_by_keys(
    page: Page, other: Page, payer: Page, shop: Shop
) -> None:
    paid(payer, shop)
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/journal?kind=deposit")
    wait_live(page)
    before = page.locator("#entry-rows .row").count()
    assert before > 0
    sign_in(other, shop, shop.person("ann", "auditor"))
    other.goto(f"{shop.url}/ledger/accounts/provider:stripe:clearing?currency=EUR")
    wait_live(other)
    expect(other.locator(".statement-ends")).to_contain_text("Balance so far")
    for tab in (page, other):
        tab.evaluate("window.neverReloaded = true")
    payment = paid(payer, shop)
    expect(page.locator("#entry-rows .row")).to_have_count(before + 1)
    deposits = other.locator("#account-body .row", has_text="Deposit received")
    expect(deposits).to_have_count(before + 1)
    for tab in (page, other):
        assert tab.evaluate("window.neverReloaded") is True
    other.get_by_role("button", name="Print as PDF").click()
    # It turns up by itself once it is printed.
    document = other.get_by_role("link", name=re.compile("^Download PDF"))
    expect(document).to_be_visible(timeout=30_000)
    with other.expect_download() as handed:
        document.click()
    assert handed.value.path().read_bytes().startswith(b"%PDF-1.7")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/journal/jrn_"))
    wait_live(page)
    # The chain reaches a new entry within seconds, and its page says so by itself.
    expect(page.locator("#entry-body")).to_contain_text("Hash of the link", timeout=20_000)
    expect(page.locator("#entry-body")).to_contain_text(payment["providerReference"][-4:])
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page).to_have_url(f"{shop.url}/ledger")
    wait_live(page)
    expect(page.locator(".balance-table")).to_contain_text("Balanced")
    paid(payer, shop)
    expect(page.locator("#ledger-news")).to_contain_text("posted since")
    page.get_by_role("link", name="Read again").click()
    expect(page.locator("#ledger-news")).to_be_empty()
    wait_live(page)
    page.keyboard.press("/")
    page.keyboard.type("escrow")
    page.keyboard.press("Enter")
    expect(page.locator("#account-rows .row")).to_have_count(before + 2)
    entry = page.locator("#account-rows .row-link").first.get_attribute("href")
    for path in ("/ledger", "/ledger?q=escrow", "/journal", entry, "/journal?state=manual"):
        fits(page, f"{shop.url}{path}")


def test_entry_by_hand_goes_from_the_form_to_its_reversal(
    page: Page, other: Page, payer: Page, shop: Shop
) -> None:
    payment = paid(payer, shop)
    order = shop.read(f"/api/orders/{payment['orderId']}")
    sign_in(page, shop, shop.person("fin", "finance"))
    prove("Fin")
    page.goto(f"{shop.url}/journal/new")
    page.evaluate("window.neverReloaded = true")
    page.get_by_label("Order", exact=True).fill(payment["orderId"])
    page.get_by_label("Provider reference").fill(payment["providerReference"])
    page.get_by_label("Invoice", exact=True).fill(order["invoiceId"])
    expect(page.locator("#offered-accounts")).to_contain_text("Escrow hold")
    page.get_by_label("Line 1: account").fill("fees:stripe")
    page.get_by_label("Line 1: debit").fill("1.25")
    expect(page.locator("#entry-balance")).to_contain_text("Out of balance")
    page.get_by_role("button", name="Add lines").click()
    expect(page.get_by_label("Line 8: account")).to_be_visible()
    expect(page.get_by_label("Line 1: debit")).to_have_value("1.25")
    page.get_by_label("Line 8: account").fill("provider:stripe:clearing")
    page.get_by_label("Line 8: credit").fill("1.25")
    expect(page.locator("#entry-balance")).to_contain_text("Balanced")
    assert page.evaluate("window.neverReloaded") is True
    page.get_by_label("Note").fill("A fee the provider is late with")
    page.get_by_role("button", name="Ask a second person").click()
    expect(page.locator(".flash-list")).to_contain_text("a second person must agree")
    wait_live(page)

    sign_in(other, shop, shop.person("flo", "finance"))
    prove("Flo")
    other.goto(f"{shop.url}/approvals")
    other.get_by_role("link", name=re.compile("by hand of 1.25 EUR")).click()
    wait_live(other)
    expect(other.locator(".lines")).to_contain_text("Fees, Stripe")
    fits(other, other.url)
    other.goto(other.url)
    wait_live(other)
    other.get_by_role("button", name="Approve").click()
    expect(other.get_by_text("Approved and carried out")).to_be_visible()
    row = page.locator("#entry-rows .row", has_text="A fee the provider is late with")
    expect(row).to_contain_text("To be reversed by")
    row.locator(".row-link").click()
    wait_live(page)
    entry = page.url

    other.goto(entry)
    other.get_by_role("link", name="Reverse").click()
    expect(other.get_by_text("What would be posted")).to_be_visible()
    fits(other, other.url)
    other.get_by_label("Reason").fill("The provider told us")
    other.get_by_role("button", name="Ask a second person").click()
    other.get_by_role("link", name="Open the approval").click()
    approval = other.url
    page.goto(approval)
    wait_live(page)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved and carried out")).to_be_visible()
    other.goto(entry)
    expect(other.locator("#entry-body")).to_contain_text("Reversed by")


def test_entry_is_written_without_scripts(plain: Page, payer: Page, shop: Shop) -> None:
    payment = paid(payer, shop)
    order = shop.read(f"/api/orders/{payment['orderId']}")
    sign_in(plain, shop, shop.person("fin", "finance"))
    prove("Fin")
    plain.goto(f"{shop.url}/journal/new")
    plain.get_by_role("button", name="Add lines").click()
    plain.get_by_label("Line 1: account").fill("fees:stripe")
    plain.get_by_label("Line 1: debit").fill("2.00")
    plain.get_by_label("Line 5: account").fill("provider:stripe:clearing")
    plain.get_by_label("Line 5: credit").fill("2.00")
    plain.get_by_label("Line 5: currency").fill("EUR")
    plain.get_by_role("button", name="Check the balance").click()
    expect(plain.locator("#entry-balance")).to_contain_text("Balanced")
    plain.get_by_label("Order", exact=True).fill(payment["orderId"])
    plain.get_by_label("Invoice", exact=True).fill(order["invoiceId"])
    plain.get_by_label("Provider reference").fill(payment["providerReference"])
    plain.get_by_label("Note").fill("Without scripts")
    plain.get_by_role("button", name="Ask a second person").click()
    expect(plain.locator(".flash-list")).to_contain_text("a second person must agree")

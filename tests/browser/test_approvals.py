"""Two people in two browsers: one asks, the other sees it come, proves themselves and agrees; both see it done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from domain.database import transaction
from models.people import DeskSession, User
from tests.browser.shop import Shop, sign_in, wait_live
from tests.rig import browser as chromium

pytestmark = pytest.mark.browser


@pytest.fixture
def other(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of a second person of the desk."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


def prove(email: str) -> None:
    """Have all sessions of a person show a second factor now."""
    name = email.partition("@")[0].capitalize()
    with transaction() as session:
        user = session.query(User).filter_by(name=name).one()
        for row in session.query(DeskSession).filter_by(user_id=user.id):
            row.stepped_up_at = clock.now()


def ask(page: Page, shop: Shop, payment_id: str, reference: str) -> None:
    """Settle a payment by hand from its page, as far as one person can."""
    page.goto(f"{shop.url}/payments/{payment_id}")
    page.get_by_role("link", name="Settle", exact=True).click()
    page.get_by_label("Mark as").select_option("completed")
    page.get_by_label("Provider reference").fill(reference)
    page.get_by_label("Reason").fill("Seen at the bank")
    page.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_text("Asked for; a second person must agree")).to_be_visible()


def test_one_asks_the_other_sees_it_come_and_agrees(page: Page, other: Page, shop: Shop) -> None:
    fin, flo = shop.person("fin", "finance"), shop.person("flo", "finance")
    payment_id = shop.payment()["paymentId"]
    sign_in(page, shop, fin)
    prove(fin)
    sign_in(other, shop, flo)
    other.goto(f"{shop.url}/approvals")
    wait_live(other)
    expect(other.get_by_text("Nothing waits for you")).to_be_visible()
    other.evaluate("window.neverReloaded = true")

    ask(page, shop, payment_id, f"BANK-{payment_id[-8:]}")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")

    row = other.locator("#approval-rows .row-link")
    expect(row).to_have_text("Mark the payment of 25.00 EUR as completed")
    expect(other.locator("#list-tabs")).to_contain_text("Needs you 1")
    expect(other.locator("#approvals-badge")).to_have_text("1")
    assert other.evaluate("window.neverReloaded") is True
    other.keyboard.press("j")
    expect(row).to_be_focused()
    other.keyboard.press("Enter")
    expect(other.get_by_role("link", name="Prove it is you")).to_be_visible()
    prove(flo)
    other.get_by_role("link", name="Prove it is you").click()
    wait_live(other)
    second = other.context.new_page()
    second.goto(other.url)
    wait_live(second)

    other.get_by_label("Note").fill("Checked the statement")
    other.keyboard.press("Escape")
    other.keyboard.press("a")
    expect(other.get_by_role("button", name="Approve")).to_be_focused()
    other.keyboard.press("Enter")
    expect(other.get_by_text("Approved and carried out")).to_be_visible()
    expect(second.locator("#approvals-badge")).to_be_empty()
    expect(second.locator("#approval-body")).to_contain_text("Carried out")
    expect(second.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("#payment-header")).to_contain_text("Confirmed")
    expect(page.locator("#payment-timeline")).to_contain_text("Marked completed by hand")
    expect(page.locator("#payment-cases")).to_contain_text("Marked by hand")
    assert page.evaluate("window.neverReloaded") is True


def test_what_is_typed_survives_others_changes_and_a_wrong_reason(
    page: Page, other: Page, shop: Shop, watch: chromium.Watch
) -> None:
    # The browser itself notes the refused form in the console.
    watch.expect("status of 422")
    gil, hal = shop.person("gil", "finance"), shop.person("hal", "finance")
    sign_in(page, shop, gil)
    sign_in(other, shop, hal)
    prove(gil)
    prove(hal)
    first, then = shop.payment()["paymentId"], shop.payment()["paymentId"]
    ask(page, shop, first, f"BANK-{first[-8:]}")
    other.goto(f"{shop.url}/approvals?state=waiting")
    other.locator("#approval-rows .row-link").first.click()
    wait_live(other)
    other.get_by_label("Reason").fill("No")
    ask(page, shop, then, f"BANK-{then[-8:]}")
    other.get_by_role("button", name="Refuse").click()
    expect(other.get_by_text("Say why in a few words.")).to_be_visible()
    expect(other.get_by_label("Reason")).to_have_value("No")
    other.get_by_label("Reason").fill("Not on the statement")
    other.get_by_role("button", name="Refuse").click()
    expect(other.get_by_text("Refused; nothing was done")).to_be_visible()
    page.goto(f"{shop.url}/payments/{first}")
    expect(page.locator("#payment-header")).to_contain_text("Pending")
    expect(page.get_by_role("link", name="Settle", exact=True)).to_be_visible()
    take_back(page, shop, then)


def take_back(page: Page, shop: Shop, payment_id: str) -> None:
    """Take a request back that still waits, from its payment's page."""
    page.goto(f"{shop.url}/payments/{payment_id}")
    page.get_by_role("link", name="Open", exact=True).click()
    page.get_by_role("link", name="Take it back").click()
    page.get_by_label("Reason").fill("A mistake")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("Taken back; nobody can agree to it any more")).to_be_visible()

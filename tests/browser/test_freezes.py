"""A freeze in a real browser: others see it at once on the page they have open, and it is let go by two."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from domain.actors import system
from domain.control import controls
from domain.database import transaction
from domain.transitions import Why
from tests.browser.shop import Shop, sign_in, wait_live
from tests.rig import browser as chromium

pytestmark = [pytest.mark.browser]
WHY = Why(system("operator"), "operator", "the file is late")


def freeze(page: Page, shop: Shop, target: str) -> None:
    page.goto(f"{shop.url}/freezes")
    page.get_by_role("link", name="Freeze money out").click()
    page.get_by_label("What to hold").select_option("order")
    expect(page.locator("#forecast")).to_contain_text("Name the order to hold.")
    page.get_by_label("Which merchant or order").fill(target)
    expect(page.locator("#forecast")).to_contain_text("No money waits to go out.")
    page.get_by_label("For how long").select_option("2h")
    page.get_by_label("Reason").fill("Two releases of one order")
    page.get_by_role("button", name="Freeze now").click()


def test_a_banner_appears_on_a_page_that_somebody_else_has_open_and_leaves_again(
    page: Page, shop: Shop, browser: Browser, watch: chromium.Watch
) -> None:
    order = shop.order()["orderId"]
    with chromium.context(browser, watch) as other:
        sue = other.new_page()
        sign_in(sue, shop, shop.person("sue", "support"))
        sue.goto(f"{shop.url}/payments")
        wait_live(sue)
        sue.evaluate("window.neverReloaded = true")
        expect(sue.locator("#banners")).not_to_contain_text("frozen")
        sign_in(page, shop, shop.person("ed", "engineer"))
        freeze(page, shop, order)
        expect(page.locator(".flash-list")).to_contain_text("Frozen: Order")
        expect(sue.locator("#banners")).to_contain_text(
            f"Money out is frozen: order ord_…{order[-4:]}"
        )
        expect(sue.locator("#banners")).to_contain_text("Two releases of one order.")
        sue.locator("#banners").get_by_role("link", name="What it holds").click()
        expect(sue.locator("h1")).to_contain_text("Holding")
        wait_live(sue)
        with transaction() as session:
            controls.put(session, controls.SETTLEMENT_PAUSE, {"on": True}, until=None, why=WHY)
        expect(sue.locator("#banners")).to_contain_text("Automatic settlement is paused")
        with transaction() as session:
            controls.put(session, controls.SETTLEMENT_PAUSE, {"on": False}, until=None, why=WHY)
        expect(sue.locator("#banners")).not_to_contain_text("settlement is paused")


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_the_audit_log_is_walked_and_opened_by_keys(page: Page, shop: Shop) -> None:
    shop.payment()
    sign_in(page, shop, shop.person("ann", "auditor"))
    page.goto(f"{shop.url}/audit")
    for no in range(2):
        page.keyboard.press("j")
        expect(page.locator("summary.audit-line").nth(no)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".audit-entry").nth(1).locator(".audit-body")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search the audit log")).to_be_focused()

"""The watch in a real browser: a page that is open turns red within seconds of a tampering, and green once it is mended."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from domain import database
from tests.browser.shop import Shop, sign_in, wait_live
from tests.domain.tampering import change

pytestmark = [pytest.mark.browser]
MORE = "update orders set paid_minor = paid_minor + :by where id = :id"


def test_a_rule_that_breaks_shows_on_the_page_somebody_has_open_and_holds_again_once_mended(
    page: Page, shop: Shop
) -> None:
    order = shop.order()["orderId"]
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/watch")
    wait_live(page)
    row = page.locator("#rule-orders_paid")
    expect(row).to_contain_text("Holds", timeout=60_000)
    page.evaluate("window.neverReloaded = true")
    change(database.engine(), MORE, id=order, by=100)
    expect(row).to_contain_text("Broken", timeout=60_000)
    expect(row).to_contain_text(f"{order} counts 1.00 EUR as paid")
    expect(row.get_by_role("link", name="Open")).to_have_attribute("href", f"/orders/{order}")
    expect(page.locator("#banners")).to_contain_text(
        f"Money out is frozen: order ord_…{order[-4:]}"
    )
    change(database.engine(), MORE, id=order, by=-100)
    page.get_by_role("button", name="Ask the rules now").click()
    expect(page.locator(".flash-list")).to_contain_text("The rules are asked")
    expect(row).to_contain_text("Holds", timeout=60_000)
    # What it froze stays until two people lift it.
    expect(page.locator("#banners")).to_contain_text(
        f"Money out is frozen: order ord_…{order[-4:]}"
    )


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_it_is_read_and_asked_by_keyboard_and_on_a_phone(page: Page, shop: Shop) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(page, shop, shop.person("ada", "admin"))
    page.goto(f"{shop.url}/watch")
    wait_live(page)
    glance, rules = page.locator("#glance-title"), page.locator("#rules-title")
    above, below = glance.bounding_box(), rules.bounding_box()
    assert above is not None and below is not None and above["y"] < below["y"]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    button = page.get_by_role("button", name="Ask the rules now")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".flash-list")).to_contain_text("The rules are asked")

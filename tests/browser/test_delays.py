"""A late rail in a real browser: buyers read it where they pay, deadlines move after a look, and go back."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Browser, Page, expect

from core import clock
from tests.browser.shop import Shop, sign_in, wait_live
from tests.rig import browser as chromium

LATE = "Card payments are confirmed late today."


def ahead(hours: int) -> str:
    """Give a moment as a form takes it, in UTC."""
    return f"{clock.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def close_notices(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/providers")
    page.get_by_role("link", name="Card payments are late").first.click()
    page.get_by_role("link", name="It is over").click()
    page.get_by_label("Reason").fill("They caught up")
    page.get_by_role("button", name="It is over").click()


def test_notice_reaches_who_pays_and_every_open_desk_until_it_is_over(
    page: Page, payer: Page, shop: Shop, browser: Browser, watch: chromium.Watch
) -> None:
    pay_url = shop.payment()["payUrl"]
    with chromium.context(browser, watch) as other:
        fin = other.new_page()
        sign_in(fin, shop, shop.person("fin", "finance"))
        fin.goto(f"{shop.url}/providers")
        wait_live(fin)
        expect(fin.locator("#provider-rows")).to_contain_text("Nothing is late")
        sign_in(page, shop, shop.person("sue", "support"))
        page.goto(f"{shop.url}/providers")
        page.get_by_role("link", name="Say that a rail is late").click()
        page.get_by_label("What everybody reads").fill(LATE)
        page.get_by_label("Expected to be over by").fill(ahead(5))
        page.get_by_label("Reason").fill("Their status page says so")
        page.get_by_role("button", name="Say so").click()
        expect(page.locator("h1")).to_contain_text("Card payments are late")
        # Whoever has the list open sees it without loading anything.
        expect(fin.locator("#provider-rows")).to_contain_text(LATE)
        expect(fin.locator("#banners")).to_contain_text(LATE)
        payer.goto(pay_url)
        expect(payer.locator("#pay-state")).to_contain_text(LATE)
        payer.goto(f"{pay_url}/return")
        expect(payer.locator("#pay-state")).to_contain_text(LATE)
        expect(payer.locator("#pay-state")).to_contain_text("Expected by")
        # The page has asked again by now, and still speaks to somebody who waits.
        expect(payer.locator("#pay-state")).to_have_attribute("data-state", "waiting")
        close_notices(page, shop)
        expect(fin.locator("#provider-rows")).to_contain_text("Nothing is late")
        expect(fin.locator("#banners")).not_to_contain_text(LATE)
    payer.goto(pay_url)
    expect(payer.locator("#card-mount")).to_be_visible()
    expect(payer.locator("#pay-state")).not_to_contain_text(LATE)


def test_deadlines_move_after_a_look_and_are_put_back(page: Page, shop: Shop) -> None:
    due = clock.now().replace(microsecond=0) + timedelta(hours=3)
    orders = [shop.order(depositDueAt=clock.rfc3339(due), reference=f"LATE-{no}") for no in (1, 2)]
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/providers")
    page.get_by_role("link", name="Extend deadlines").click()
    expect(page.locator("#preview")).to_have_count(0)
    page.get_by_label("Or these orders").fill("\n".join(each["orderId"] for each in orders))
    page.get_by_label("Later by").select_option("24")
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.locator("#preview")).to_contain_text("2 orders would be due later.")
    expect(page.locator("#preview")).to_contain_text("LATE-1")
    page.get_by_label("Reason").fill("The bank is late")
    page.get_by_role("button", name="Move the deadlines").click()
    expect(page.locator("h1")).to_contain_text("2 orders later by 24 hours")
    expect(page.locator(".deadline-table")).to_contain_text("Later")
    wait_live(page)
    page.get_by_role("link", name="Undo").click()
    page.get_by_label("Reason").fill("It came after all")
    page.get_by_role("button", name="Put them back").click()
    expect(page.locator("h1")).to_contain_text("Undone")
    expect(page.locator(".deadline-table")).to_contain_text("Put back")
    expect(page.locator(".flash-list")).to_contain_text("2 deadlines put back")

"""The desk in a real browser: keys, themes, every page without a complaint, and all of it without scripts."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from tests.api.till import signature
from tests.browser.shop import PASSWORD, Shop, sign_in, wait_live
from tests.rig import browser as chromium
from tests.rig import product

# These tests look at pages; what the pages read is tried on both databases elsewhere.
pytestmark = [pytest.mark.browser, pytest.mark.parametrize("shop", ["sqlite"], indirect=True)]
PAGES = ("/", "/payments", "/orders", "/webhooks", "/exceptions", "/account", "/search?q=Oak")
ROLES = ("support", "finance", "admin", "engineer", "auditor", "buyer")
HOSTILE = (
    "<script>document.title='hit'</script>",
    '"><img src=x onerror="document.title=\'hit\'">',
    "'><svg/onload=document.title='hit'>",
    "javascript:document.title='hit'",
    'x" hx-get="/logout" hx-trigger="load',
)


@pytest.fixture
def plain(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A browser that runs no scripts."""
    del shop
    with chromium.context(browser, watch, java_script_enabled=False) as opened:
        yield opened.new_page()


def test_keys_move_through_the_desk(page: Page, shop: Shop) -> None:
    made = [shop.payment()["paymentId"] for _ in range(3)]
    sign_in(page, shop, shop.person("sue", "support"))
    wait_live(page)
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page).to_have_url(f"{shop.url}/payments")
    wait_live(page)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search payments", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    for key, place in (("j", 2), ("j", 1), ("j", 0), ("k", 1)):
        page.keyboard.press(key)
        expect(page.locator(f"#open-{made[place]}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shop.url}/payments/{made[1]}")
    wait_live(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_response("**/account/theme"):
        page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_every_page_opens_for_every_role_without_a_complaint(page: Page, shop: Shop) -> None:
    payment = shop.payment()
    for role, width in [*((role, 390) for role in ROLES), ("finance", 1440)]:
        page.set_viewport_size({"width": width, "height": 844})
        sign_in(page, shop, shop.person(role, role))
        links = page.locator(".nav-link").evaluate_all("all => all.map(one => one.href)")
        pages = [*links, *(f"{shop.url}{path}" for path in ("/account", "/search?q=25.00"))]
        if role != "buyer":
            pages += [f"{shop.url}/payments/{payment['paymentId']}"]
            pages += [f"{shop.url}/orders/{payment['orderId']}"]
        for href in pages:
            answer = page.goto(href)
            assert answer is not None
            assert answer.status == 200, (role, href)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (role, href, width, wide)
        page.context.clear_cookies()


def test_desk_works_without_scripts(plain: Page, shop: Shop, watch: chromium.Watch) -> None:
    # The browser itself notes in its console that a closed pay page answers 410.
    watch.expect("status of 410")
    payment = shop.payment()
    email = shop.person("fin", "finance")
    plain.goto(f"{shop.url}/payments/{payment['paymentId']}")
    plain.get_by_label("E-mail").fill(email)
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    expect(plain).to_have_url(f"{shop.url}/payments/{payment['paymentId']}")
    plain.get_by_label("Add a note").fill("The buyer called.")
    plain.get_by_role("button", name="Add note").click()
    expect(plain.locator("#notes")).to_contain_text("The buyer called.")
    plain.get_by_role("button", name="Ask Stripe now").click()
    expect(plain.locator(".flash-list")).to_contain_text("Stripe was asked")
    plain.get_by_role("link", name="Cancel").click()
    expect(plain.get_by_text("What will happen")).to_be_visible()
    plain.get_by_label("Reason").fill("No longer wanted")
    plain.get_by_role("button", name="Cancel payment").click()
    expect(plain.locator(".flash-list")).to_contain_text("The payment is cancelled")
    plain.goto(f"{shop.url}/payments?state=cancelled")
    expect(plain.locator(f"#payment-{payment['paymentId']}")).to_be_visible()
    plain.goto(payment["payUrl"])
    expect(plain.get_by_text("This payment was cancelled")).to_be_visible()
    plain.goto(f"{shop.url}/account")
    plain.locator(".menu-opener").click()
    plain.get_by_role("button", name="Dark").click()
    expect(plain.locator("html")).to_have_attribute("data-theme", "dark")


def test_note_is_added_in_place(page: Page, shop: Shop, watch: chromium.Watch) -> None:
    watch.expect("status of 422")
    payment = shop.payment()["paymentId"]
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments/{payment}")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    page.get_by_label("Add a note").fill("4242 4242 4242 4242")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#notes")).to_contain_text("This looks like a card number")
    page.get_by_label("Add a note").fill("The buyer called.")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".note-text")).to_have_text("The buyer called.")
    expect(page.locator("#payment-timeline")).to_contain_text("The buyer called.")
    assert page.evaluate("window.neverReloaded") is True


def deliver(shop: Shop, payment: dict[str, str], probe: str) -> None:
    """Send the desk an event full of somebody's words, signed."""
    error = {"code": "card_declined", "decline_code": probe[:40], "message": probe}
    subject = {
        "id": payment["clientSecret"].partition("_secret")[0],
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": 2500,
        "currency": "eur",
        "description": probe,
        "metadata": {"payment_id": payment["paymentId"], probe: probe},
        "last_payment_error": error,
    }
    event = {
        "id": f"evt_{abs(hash(probe))}",
        "object": "event",
        "type": "payment_intent.payment_failed",
        "created": clock.unix(),
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": subject},
    }
    body = json.dumps(event).encode()
    request = urllib.request.Request(f"{shop.url}{product.STRIPE_WEBHOOK_PATH}", data=body)
    stamp = signature(body, secret=product.STRIPE_WEBHOOK_SECRET)
    request.add_header("Stripe-Signature", stamp)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_hostile_words_never_run(page: Page, shop: Shop, watch: chromium.Watch) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    payments = []
    for probe in HOSTILE:
        payment = shop.payment(description=probe, reference=probe[:60])
        deliver(shop, payment, probe)
        payments.append(payment)
    sign_in(page, shop, shop.person("sue", "support"))
    for payment, probe in zip(payments, HOSTILE, strict=True):
        page.goto(f"{shop.url}/payments/{payment['paymentId']}")
        expect(page.locator("#payment-support")).to_contain_text("declined the card")
        page.get_by_label("Add a note").fill(probe)
        page.get_by_role("button", name="Add note").click()
        expect(page.locator(".note-text")).to_have_text(probe)
        page.goto(f"{shop.url}/orders/{payment['orderId']}")
        expect(page.locator(".record-lead")).to_have_text(probe)
        page.goto(payment["payUrl"])
        expect(page.locator(".pay-title")).to_contain_text(probe)
    for path in PAGES:
        page.goto(f"{shop.url}{path}")
    for href in page.context.pages[0].locator("a").evaluate_all("all => all.map(one => one.href)"):
        assert not re.match(r"javascript:", href)
    page.goto(f"{shop.url}/webhooks")
    expect(page.locator("h1")).to_have_text("Webhooks")
    hrefs = page.locator(".row-link").evaluate_all("all => all.map(one => one.href)")
    for href in hrefs[:6]:
        page.goto(href)
        assert page.title() != "hit"
    assert dialogs == []
    assert watch.complaints == []

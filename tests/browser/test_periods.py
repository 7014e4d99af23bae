"""A month closed in real browsers: one asks with a reason, another agrees, a third sees it close and gets the certificate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.sync_api import Browser, Page, expect

from core import clock
from domain import calendar
from tests.browser.shop import Shop, sign_in, wait_live
from tests.browser.test_approvals import prove
from tests.domain.closing_months import posted, prepared
from tests.domain.past import case
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


@pytest.fixture
def flo(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of the second person."""
    with chromium.context(browser, watch) as opened:
        page = opened.new_page()
        sign_in(page, shop, shop.person("flo", "finance"))
        yield page


@pytest.fixture
def ann(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of the auditor, on a narrow screen."""
    with chromium.context(browser, watch) as opened:
        page = opened.new_page()
        page.set_viewport_size({"width": 390, "height": 800})
        sign_in(page, shop, shop.person("ann", "auditor"))
        yield page


def a_month_ago() -> str:
    """Put an entry and an open case into last month; gives its name."""
    month = calendar.preceding(calendar.month_of(clock.now()))
    with time_machine.travel(calendar.bounds(month)[0] + timedelta(days=3)):
        posted(500)
        case(days_ago=0)
    prepared(month)
    return month


def test_a_month_closes_before_the_eyes_of_whoever_has_it_open(
    page: Page, flo: Page, ann: Page, shop: Shop, watch: chromium.Watch
) -> None:
    watch.expect("status of 422")
    month = a_month_ago()
    title = calendar.name_of(month)
    ann.goto(f"{shop.url}/periods")
    wait_live(ann)
    ann.keyboard.press("j")
    ann.keyboard.press("j")
    expect(ann.locator(f"#open-{month}")).to_be_focused()
    ann.keyboard.press("Enter")
    expect(ann.get_by_role("heading", name=title)).to_be_visible()
    wait_live(ann)
    ann.evaluate("window.neverReloaded = true")
    assert ann.evaluate("document.documentElement.scrollWidth <= innerWidth")

    fin = shop.person("fin", "finance")
    sign_in(page, shop, fin)
    prove(fin)
    page.goto(f"{shop.url}/periods/{month}")
    page.get_by_role("link", name="Ask to close").click()
    page.get_by_role("textbox", name="Note").fill("Treasury agrees")
    page.get_by_role("button", name="Ask to close").click()
    expect(page.get_by_role("alert")).to_contain_text("open cases with money at risk (1)")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Treasury agrees")
    page.get_by_role("textbox", name="Why it may stay open").fill("The bank looks for it")
    page.get_by_role("button", name="Ask to close").click()
    expect(page.get_by_text("Asked for; a second person must agree")).to_be_visible()
    expect(ann.locator("h1")).to_contain_text("Waits for a signature")

    prove("flo@people.test")
    flo.goto(f"{shop.url}/approvals")
    flo.get_by_role("link", name=f"Close {title}").click()
    expect(flo.get_by_role("heading", name="The checklist that is signed")).to_be_visible()
    expect(flo.get_by_text("“The bank looks for it”")).to_be_visible()
    flo.get_by_role("button", name="Approve").click()
    expect(flo.get_by_text("Approved and carried out")).to_be_visible()

    expect(ann.locator("h1")).to_contain_text("Closed")
    certificate = ann.get_by_role("link", name="Certificate")
    expect(certificate).to_be_visible(timeout=60_000)
    assert ann.evaluate("window.neverReloaded") is True
    with ann.expect_download() as download:
        certificate.click()
    name = download.value.suggested_filename
    assert re.fullmatch(rf"close-{month}-1\.pdf", name)
    assert download.value.path().read_bytes().startswith(b"%PDF-")

"""Parts of a page that change by themselves, when the answer to one refresh is slower than the next change."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.shop import Shop, sign_in, wait_live

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_change_during_a_slow_refresh_is_shown_too(page: Page, shop: Shop) -> None:
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments")
    wait_live(page)
    held: list[tuple[Route, APIResponse]] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/payments/rows*", hold_first)
    first = shop.payment()["paymentId"]
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    answered, answer = held[0]
    assert first in answer.text()

    second = shop.payment()["paymentId"]
    # One name is passed on at most each 400 ms: by now the page has heard of the second as well.
    page.wait_for_timeout(1500)
    assert second not in answer.text()
    expect(page.locator(f"#payment-{second}")).to_have_count(0)
    answered.fulfill(response=answer)
    expect(page.locator(f"#payment-{second}")).to_be_visible()

"""The running product and two browsers: one of the desk, one of whoever pays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.shop import Shop
from tests.rig import browser as chromium
from tests.rig import product


@pytest.fixture
def shop(processes: product.Processes, database_url: str) -> Shop:
    """Web, worker and stand-in on a fresh database, with a shop that sells."""
    return Shop(processes.stack(database_url), processes, database_url)


# Browsers close before the processes end, or their open streams would complain.
@pytest.fixture
def page(shop: Shop, page: Page) -> Page:
    """An empty page of a fresh browser, on the running product."""
    del shop
    return page


@pytest.fixture
def payer(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A browser of somebody who pays; never signed in."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()

"""Rotating a webhook secret in a real browser while deliveries go on: shown once, drawn live, none refused."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Error, Page, expect
from sqlalchemy import update

from core import clock
from domain.database import transaction
from models.people import DeskSession
from tests.browser.shop import Shop, sign_in, wait_live
from tests.reliability.clients import until
from tests.reliability.rotating import ask_once, assert_refused_by_all
from tests.reliability.test_rotation import delivery
from tests.rig import product

pytestmark = [pytest.mark.browser]
OLD = product.STRIPE_WEBHOOK_SECRET


@dataclass
class Sender:
    """A provider that delivers all the time, signing with each of its secrets in turn."""

    url: str
    secrets: list[str]
    statuses: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.wait(0.1):
                return
            secret = self.secrets[number % len(self.secrets)]
            self.statuses.append(ask_once(self.url, delivery, secret))


@pytest.fixture
def sender(shop: Shop) -> Iterator[Sender]:
    """Deliveries that go on during a test."""
    made = Sender(shop.url, [OLD])
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.stop.set()
    thread.join()


def prove(page: Page, shop: Shop, email: str) -> None:
    """Sign in as somebody who has just shown a second factor."""
    sign_in(page, shop, email)
    with transaction() as session:
        session.execute(update(DeskSession).values(stepped_up_at=clock.now()))


def _back_twice(page: Page) -> None:
    for _ in range(2):
        page.go_back()


def open_webhook_secret(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/secrets")
    page.get_by_role("link", name="Stripe: webhook signing secret").click()
    wait_live(page)


def test_a_webhook_secret_rotates_while_deliveries_go_on(
    page: Page, shop: Shop, sender: Sender
) -> None:
    prove(page, shop, shop.person("ada", "admin"))
    open_webhook_secret(page, shop)
    expect(page.locator(".hits-name")).to_contain_text("v1")
    here = page.url
    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("Reason").fill("Quarterly rotation")
    page.get_by_role("button", name="Rotate").click()
    value = page.locator("#once-value").inner_text()
    assert value.startswith("whsec_") and value not in page.url
    # The web has heard of it before a provider can have been given it.
    until(lambda: ask_once(shop.url, delivery, value) == 200, what="the new version to verify")
    sender.secrets.append(value)
    page.get_by_role("link", name="I have copied it").click()
    expect(page).to_have_url(here)
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#version-2")).to_contain_text("In use")
    expect(page.locator("#version-1")).to_contain_text("Retiring")
    # The counts come by themselves, and with them the bars and the verdict.
    new = page.locator('.hits-name[data-series="new"] strong')
    expect(new).not_to_have_text("0", timeout=30_000)
    expect(page.locator("#version-1")).to_contain_text("wait 72 h more")
    assert page.evaluate("window.neverReloaded") is True
    page.get_by_role("button", name="Probe").click()
    expect(page.locator(".flash-list")).to_contain_text("The probe came through")
    # The page that showed it is not kept: the browser would have to send the form once more.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        _back_twice(page)
    expect(page.locator("body")).not_to_contain_text(value)
    assert set(sender.statuses) == {200}, "a delivery was refused inside the window"
    sender.secrets.remove(OLD)
    page.goto(f"{here}/versions/1/revoke")
    expect(page.get_by_text("Deliveries in the last 3 h")).to_be_visible()
    page.get_by_label("Reason").fill("It has leaked")
    page.get_by_role("button", name="Revoke v1").click()
    expect(page.locator("#version-1")).to_contain_text("Revoked")
    assert_refused_by_all(shop.url, delivery, OLD, status=401)
    assert ask_once(shop.url, delivery, value) == 200


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_sealing_everything_anew_shows_its_progress(page: Page, shop: Shop) -> None:
    prove(page, shop, shop.person("abe", "admin"))
    page.goto(f"{shop.url}/secrets/master-keys")
    expect(page.locator("#master-k1")).to_contain_text("It seals what is written now.")
    page.get_by_role("link", name="Seal everything anew").click()
    page.get_by_label("Reason").fill("A new master key")
    page.get_by_role("button", name="Seal anew").click()
    expect(page.locator("#master-keys")).to_contain_text("Everything was sealed with k1")

"""A buyer pays from their bank and the desk sees it happen: by both providers, in a real browser, on both databases."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.states import Role
from tests.api import personas
from tests.browser.conftest import ENGINES, opened
from tests.browser.shop import Shop, call, sign_in, wait_live
from tests.rig import bank as banks
from tests.rig.browser import Watch
from tests.rig.run import Run

pytestmark = pytest.mark.browser
# On each database by another provider: what differs between them ends at the seam.
_numbers = itertools.count(1)
PROVIDERS = dict(zip(ENGINES, ("truelayer", "gocardless"), strict=True))


@pytest.fixture(scope="module")
def high_street(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shop]]:
    """The shops that take payments by bank, opened when first asked for."""
    home = tmp_path_factory.mktemp("banks")
    with ExitStack() as closed:

        class Opened(dict[str, Shop]):
            def __missing__(self, engine: str) -> Shop:
                opening = opened(run, Path(home) / engine, engine=engine, bank_by=PROVIDERS[engine])
                self[engine] = closed.enter_context(opening)
                return self[engine]

        yield Opened()


@pytest.fixture(params=ENGINES)
def shop(request: pytest.FixtureRequest, high_street: dict[str, Shop]) -> Shop:
    """The shop on each database, instead of the one that takes cards alone."""
    found = high_street[request.param]
    found.bind()
    return found


def link(shop: Shop, **more: object) -> dict[str, Any]:
    """Start a payment by bank; gives it with where its payer goes."""
    buyer = personas.user(f"jane-{next(_numbers)}@people.test", role=Role.BUYER)
    body = {"orderId": shop.order(buyerId=buyer.id)["orderId"]} | more
    status, made = call("POST", f"{shop.url}/api/payments/bank/link", body, **shop.headers())
    assert status == 201, made
    found: dict[str, Any] = made
    return found


def agree(page: Page, bank: str, *, decision: str = "Agree") -> None:
    """Go through the bank's own pages."""
    page.get_by_role("button", name=bank).click()
    page.get_by_label("User name").fill("jane")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=re.compile(decision)).click()


def test_buyer_agrees_at_their_bank_and_the_desk_changes_without_reload(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment = link(shop)
    payment_id = payment["paymentId"]
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments/{payment_id}")
    wait_live(page)
    expect(page.locator("#payment-header")).to_contain_text("Pending")
    page.evaluate("window.neverReloaded = true")

    payer.goto(payment["payUrl"])
    expect(payer.get_by_role("heading", name="Pay from your bank account")).to_be_visible()
    payer.get_by_role("link", name="Go to your bank").click()
    agree(payer, "Slow Bank")
    payer.wait_for_url(re.compile(r"/pay/pp_\w+/return"))
    expect(payer.locator("#pay-state")).to_contain_text(re.compile("bank|Paid", re.IGNORECASE))
    expect(payer.locator("#pay-state")).to_contain_text("Paid, thank you", timeout=30_000)

    expect(page.locator("#payment-header")).to_contain_text("Confirmed", timeout=30_000)
    expect(page.locator("#payment-timeline")).to_contain_text("all three agree")
    expect(page.locator("main")).not_to_contain_text("3D Secure")
    assert page.evaluate("window.neverReloaded") is True
    assert shop.read(f"/api/orders/{payment['orderId']}")["status"] == "DepositPaid"
    ledger = banks.control(shop.stack.bank.url, "ledger")["payments"]
    (paid,) = [each for each in ledger.values() if each["metadata"]["payment_id"] == payment_id]
    assert paid["status"] in ("settled", "confirmed")


def test_a_bank_that_refuses_takes_nothing_and_says_so(
    payer: Page, shop: Shop, watch: Watch
) -> None:
    watch.expect("status of 402", "status of 410")
    payment = link(shop)
    payer.goto(payment["payUrl"])
    payer.get_by_role("link", name="Go to your bank").click()
    agree(payer, "Refusing Bank")
    payer.goto(payment["payUrl"] + "/return")
    said = payer.locator("#pay-state")
    expect(said).to_contain_text(re.compile("did not go through", re.IGNORECASE), timeout=30_000)
    expect(said).not_to_contain_text("card")


def test_an_address_that_names_somebody_elses_payment_leads_nowhere(
    payer: Page, shop: Shop, watch: Watch
) -> None:
    watch.expect("status of 404")
    answer = payer.goto(f"{shop.url}/pay/back/truelayer?payment_id=nothing")
    assert answer is not None
    assert answer.status == 404

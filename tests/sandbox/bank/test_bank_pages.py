from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.rig.browser import Watch
from tests.sandbox.bank.wires import GoCardless, TrueLayer
from tests.sandbox.standin import StandIn


@pytest.fixture
def shop(bank: StandIn) -> str:
    """An address to come back to; the stand-in's own health page will do."""
    return f"{bank.url}/_sandbox/health"


def entrance(client: TrueLayer, shop: str, joint: str = "#") -> tuple[str, str]:
    """Return a payment and the address of TrueLayer's page for it."""
    made = client.pay(12_345)
    fields = {"payment_id": made["id"], "resource_token": made["resource_token"]}
    return made["id"], f"{client.url}/payments{joint}{urlencode(fields | {'return_uri': shop})}"


def sign_in(page: Page, bank: str) -> None:
    page.get_by_role("button", name=bank).click()
    page.get_by_label("User name").fill("jane")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.browser
def test_payer_agrees_at_the_bank_and_comes_back(
    truelayer: TrueLayer, shop: str, page: Page, watch: Watch
) -> None:
    watch.expect("status of 410")
    payment, address = entrance(truelayer, shop)
    page.goto(address)
    sign_in(page, "Instant Bank")
    expect(page.get_by_role("main")).to_contain_text("123.45 GBP")
    expect(page.get_by_role("main")).to_contain_text("Paydesk sandbox")
    expect(page.get_by_role("main")).to_contain_text("Test bank")
    page.get_by_role("button", name="Agree and pay 123.45 GBP").click()
    page.wait_for_url(f"{shop}?payment_id={payment}")
    assert truelayer.get(f"/v3/payments/{payment}")["status"] == "settled"
    # The way back leads nowhere: the payment is agreed to once.
    page.goto(address)
    expect(page.get_by_role("heading")).to_have_text("Nothing left to do")


@pytest.mark.browser
def test_payer_declines_at_gocardless_tries_again_and_needs_a_code(
    bank: StandIn, gocardless: GoCardless, shop: str, page: Page, watch: Watch
) -> None:
    watch.expect("status of 402", "status of 422")
    request = gocardless.request(900)["id"]
    page.goto(gocardless.flow(request, shop)["authorisation_url"])
    sign_in(page, "Instant Bank")
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("alert")).to_contain_text("You did not agree. Nothing was paid.")
    sign_in(page, "Careful Bank")
    page.get_by_label("Six digits").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("That code is not right.")
    page.get_by_label("Six digits").fill("123456")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Agree and pay 9.00 GBP").click()
    page.wait_for_url(re.compile(rf"{re.escape(shop)}\?outcome=success&billing_request={request}"))
    found = gocardless.get(f"/billing_requests/{request}")["billing_requests"]
    assert found["status"] == "fulfilled"


def test_pages_work_without_a_script(bank: StandIn, truelayer: TrueLayer, shop: str) -> None:
    payment, address = entrance(truelayer, shop, "?")
    with requests.Session() as payer:
        banks = payer.get(address, timeout=10)
        assert "Choose your bank" in banks.text
        login = payer.post(banks.url, {"bank": "mock-instant-bank"}, timeout=10)
        consent = payer.post(login.url, {"user": "jane", "password": "x"}, timeout=10)
        assert consent.url.endswith("/consent")
        declined = payer.post(
            consent.url, {"decision": "decline"}, timeout=10, allow_redirects=False
        )
    assert declined.headers["Location"] == f"{shop}?payment_id={payment}"
    found = truelayer.get(f"/v3/payments/{payment}")
    assert (found["status"], found["failure_reason"]) == ("failed", "authorization_failed")


def test_payer_who_leaves_pays_nothing_and_may_come_again(
    bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless, shop: str
) -> None:
    payment, address = entrance(truelayer, shop, "?")
    banks = requests.get(address, timeout=10)
    left = requests.post(f"{banks.url}/leave", timeout=10, allow_redirects=False)
    assert left.headers["Location"] == f"{shop}?payment_id={payment}&error=tl_hpp_abandoned"
    assert truelayer.get(f"/v3/payments/{payment}")["status"] == "authorizing"
    assert requests.get(address, timeout=10).status_code == 200
    request = gocardless.request()["id"]
    flow = gocardless.flow(request, shop)
    banks = requests.get(flow["authorisation_url"], timeout=10)
    left = requests.post(f"{banks.url}/leave", timeout=10, allow_redirects=False)
    assert left.headers["Location"] == f"{shop}-out"


def test_bank_asks_for_everything_in_its_order(
    bank: StandIn, truelayer: TrueLayer, shop: str
) -> None:
    _, address = entrance(truelayer, shop, "?")
    banks = requests.get(address, timeout=10)
    login = requests.post(banks.url, {"bank": "mock-careful-bank"}, timeout=10)
    skipped = requests.post(login.url.replace("login", "consent"), {"decision": "agree"},
                            timeout=10)  # fmt: skip
    assert skipped.url == login.url
    empty = requests.post(login.url, {"user": " ", "password": ""}, timeout=10)
    assert (empty.status_code, "Enter your user name" in empty.text) == (422, True)


def test_page_opens_for_nobody_else(bank: StandIn, truelayer: TrueLayer, shop: str) -> None:
    mine, other = truelayer.pay(), truelayer.pay()
    wrong = {"payment_id": mine["id"], "resource_token": other["resource_token"],
             "return_uri": shop}  # fmt: skip
    assert requests.get(f"{bank.url}/pay?{urlencode(wrong)}", timeout=10).status_code == 404
    script = wrong | {"resource_token": mine["resource_token"], "return_uri": "javascript:1"}
    assert requests.get(f"{bank.url}/pay?{urlencode(script)}", timeout=10).status_code == 404

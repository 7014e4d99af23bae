"""The bank desk in a real browser: a statement is sent, its line is suggested and matched, a payment is searched for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.shop import Shop, sign_in, wait_live
from tests.browser.test_books import fits, paid
from tests.domain.banking import Row, camt, sheet

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


def test_a_statement_is_imported_suggested_and_matched(page: Page, payer: Page, shop: Shop) -> None:
    payment = paid(payer, shop)
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/journal")
    wait_live(page)
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_url(f"{shop.url}/bank")
    fits(page, page.url)
    page.get_by_role("link", name="Import a statement").first.click()
    page.get_by_label("Bank account").fill("main-eur")
    body = camt(Row(2_500, payment["paymentId"], bank="B1"), Row(-500, "Fee", bank="B2"))
    file: FilePayload = {"name": "s.xml", "mimeType": "text/xml", "buffer": body}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Send the file").click()
    expect(page).to_have_url(re.compile("/bank/statements/bst_"))
    fits(page, page.url)
    page.get_by_role("link", name="Its lines").click()
    wait_live(page)
    expect(page.locator("#bank-line-rows .row")).to_have_count(2)
    fits(page, page.url)
    page.get_by_role("link", name=payment["paymentId"]).first.click()
    expect(page.locator("#suggestions .row")).to_contain_text("The payment's id, the same amount")
    fits(page, page.url)
    page.locator("#suggestions").get_by_role("link", name="Match").click()
    page.get_by_label("Reason").fill("seen on the statement")
    page.get_by_role("button", name="Match", exact=True).click()
    expect(page).to_have_url(re.compile("/bank/lines/bln_"))
    expect(page.locator("#line-body h1")).to_contain_text("Matched")
    page.goto(f"{shop.url}/bank?reference={payment['paymentId']}")
    expect(page.locator("#found .row")).not_to_have_count(0)
    fits(page, page.url)


def test_a_csv_is_looked_at_and_imported_without_a_script(
    page: Page, payer: Page, shop: Shop
) -> None:
    del payer
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/bank/import")
    page.get_by_label("Bank account").fill("main-gbp")
    body = sheet(Row(1_234, "Chair"))
    file: FilePayload = {"name": "s.csv", "mimeType": "text/csv", "buffer": body}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Send the file").click()
    expect(page.get_by_role("heading", name="How the file reads")).to_be_visible()
    fits(page, page.url)
    page.get_by_label("Currency of all lines").select_option("EUR")
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#preview .row")).to_contain_text("Chair")
    page.get_by_role("button", name="Import it").click()
    expect(page).to_have_url(re.compile("/bank/statements/bst_"))

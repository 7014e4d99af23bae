"""Invoices in a real browser: the document turns up by itself, what is paid turns by itself, a credit note is written."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import GOOD, Shop, enter_card, sign_in, wait_live

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


def test_invoice_turns_from_open_to_paid_and_its_document_turns_up(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment = shop.payment()
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/orders/{payment['orderId']}")
    page.get_by_role("link", name=re.compile("^INV-")).first.click()
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    body = page.locator("#invoice-body")
    expect(body).to_contain_text("Oak table")
    # Printed by the worker, in a process of its own.
    open_pdf = page.get_by_role("link", name=re.compile("Open PDF"))
    expect(open_pdf).to_be_visible(timeout=60_000)
    payer.goto(payment["payUrl"])
    enter_card(payer, GOOD)
    payer.get_by_role("button", name=re.compile("^Pay")).click()
    expect(body).to_contain_text("paid, final", timeout=20_000)
    expect(page.locator(".standing-due")).to_contain_text("0.00")
    assert page.evaluate("window.neverReloaded") is True
    href = open_pdf.get_attribute("href")
    answer = page.request.get(f"{shop.url}{href}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    page.reload()
    expect(page.locator("[aria-labelledby=views-title]")).to_contain_text("Fin")
    page.get_by_role("link", name="Credit note").click()
    page.get_by_label("Amount in EUR").fill("5.00")
    page.get_by_label("Reason").fill("Came with a scratch")
    page.get_by_role("button", name="Write the credit note").click()
    expect(page.locator(".flash-list")).to_contain_text("is written")
    expect(page.locator("[aria-labelledby=notes-title]")).to_contain_text("PDF", timeout=60_000)
    for path in (f"/{page.url.split('/', 3)[3]}", "/invoices", "/credit-notes"):
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            page.goto(f"{shop.url}{path}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)

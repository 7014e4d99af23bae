"""Disputes in real browsers: the page goes live from withdrawn to won, an evidence file is chosen and handed in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from domain.database import reading
from models.disputes import Dispute
from tests.browser.shop import Shop, enter_card, sign_in, wait_live
from tests.domain import files

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["postgresql"], indirect=True),
]
DISPUTED = "4000000000000259"


def disputed(payer: Page, shop: Shop) -> str:
    """Pay by a card whose bank disputes it; gives the payment's id."""
    payment = shop.payment()
    payer.goto(payment["payUrl"])
    enter_card(payer, DISPUTED)
    payer.get_by_role("button", name=re.compile("^Pay")).click()
    expect(payer.get_by_text(re.compile("paid|received", re.IGNORECASE)).first).to_be_visible()
    return str(payment["paymentId"])


def test_dispute_is_answered_with_a_file_and_its_page_follows_to_the_end(
    page: Page, payer: Page, shop: Shop
) -> None:
    payment_id = disputed(payer, shop)
    sue = shop.person("sue", "support")
    sign_in(page, shop, sue)
    page.goto(f"{shop.url}/payments/{payment_id}")
    expect(page.locator("#payment-disputes")).to_contain_text("asks 25.00 EUR back")
    page.goto(f"{shop.url}/disputes")
    page.locator("#dispute-rows .row-link").first.click()
    expect(page.locator("#dispute-body")).to_contain_text("The cardholder says")
    wait_live(page)
    page.get_by_label("What the bank should know").fill("winning_evidence")
    page.get_by_label("Attach a file").set_input_files(
        {"name": "proof.pdf", "mimeType": "application/pdf", "buffer": files.pdf()}
    )
    page.get_by_role("button", name="Attach file").click()
    # The choice of files follows by itself, and what was typed stays.
    page.locator("#file-choice").get_by_label("proof.pdf").check()
    expect(page.get_by_label("What the bank should know")).to_have_value("winning_evidence")
    page.get_by_role("button", name="See what will be sent").click()
    expect(page.get_by_role("heading", name="Hand this evidence to the bank")).to_be_visible()
    expect(page.locator(".evidence-kept")).to_contain_text("proof.pdf")
    page.get_by_role("button", name="Hand it in").click()
    expect(page.locator(".flash-list")).to_contain_text("The evidence is with the bank")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#dispute-body h1")).to_contain_text("Won", timeout=20_000)
    expect(page.locator("#dispute-body")).to_contain_text(
        re.compile(r"Given back to us\s*25.00 EUR")
    )
    assert page.evaluate("window.neverReloaded") is True
    with reading() as session:
        own = Dispute.payment_id == payment_id
        assert session.scalars(select(Dispute.status).where(own)).one() == "won"

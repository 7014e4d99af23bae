"""A rule from its suggestion to its work: one person drafts it, another enables it, a case is resolved by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from domain.database import reading, transaction
from models.people import DeskSession, User
from tests.browser.shop import Shop, sign_in, wait_live
from tests.domain import past
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["sqlite"], indirect=True),
]


@pytest.fixture
def other(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """The browser of a second person of finance."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


def user_id(name: str) -> str:
    with reading() as session:
        return str(session.query(User).filter_by(name=name).one().id)


def prove(name: str) -> None:
    """Have all sessions of a person show a second factor now."""
    person = user_id(name)
    with transaction() as session:
        for row in session.query(DeskSession).filter_by(user_id=person):
            row.stepped_up_at = clock.now()


def test_suggestion_becomes_a_rule_that_another_person_enables(
    page: Page, other: Page, shop: Shop
) -> None:
    fin, flo = shop.person("fin", "finance"), shop.person("flo", "finance")
    for no in range(14):
        past.case(verb="accept", by=user_id("Fin"), days_ago=1 + no / 10)
    waiting = past.case("97.10", days_ago=0)

    sign_in(page, shop, fin)
    page.goto(f"{shop.url}/exceptions/{waiting}")
    expect(page.locator(".case-suggestion")).to_contain_text("accepted 14 of the last 14")
    page.get_by_role("link", name="Draft a rule of it").click()
    expect(page.locator("#preview")).to_contain_text("People decided alike")
    expect(page.get_by_label("Condition 1: value")).to_have_value("3")
    page.get_by_label("Condition 2: what").select_option("moneyAtRisk")
    page.get_by_label("Condition 2: value").fill("5 EUR")
    page.get_by_role("button", name="Try on past cases").click()
    expect(page.locator("#preview")).to_contain_text("less than 5.00 EUR is at risk")
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("The draft is kept")).to_be_visible()
    page.get_by_role("link", name="Ask to enable it").click()
    page.get_by_label("Reason").fill("It is always so")
    page.get_by_role("button", name="Ask a second person").click()
    expect(page.get_by_text("Waits for a second person")).to_be_visible()
    rule = page.url
    page.get_by_role("link", name="Open the approval").first.click()
    expect(page.get_by_text("You asked for it yourself")).to_be_visible()
    approval = page.url

    sign_in(other, shop, flo)
    prove("Flo")
    other.goto(approval)
    wait_live(other)
    other.get_by_role("button", name="Approve").click()
    expect(other.get_by_text("Approved and carried out")).to_be_visible()
    page.goto(rule)
    expect(page.locator(".record-title")).to_contain_text("At work")

    case_id = past.case("97.10", at=clock.now())
    page.goto(f"{shop.url}/exceptions/{case_id}")
    reopen = page.get_by_role("button", name="Reopen")
    # The worker acts by itself; the page of a case without a payment is not told of it.
    for _ in range(40):
        if reopen.count():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(page.locator(".case-body")).to_contain_text("Paydesk (rule)")
    reopen.click()
    expect(page.locator(".flash-list")).to_contain_text("The case is open again")
    page.goto(rule)
    expect(page.locator(".use-list").first).to_contain_text("taken back by Fin")
    assert past.read(waiting).state == "open"


def test_file_is_attached_in_place_and_a_wrong_one_says_why(
    page: Page, shop: Shop, watch: chromium.Watch
) -> None:
    watch.expect("status of 422")
    payment = shop.payment()["paymentId"]
    sign_in(page, shop, shop.person("sue", "support"))
    page.goto(f"{shop.url}/payments/{payment}")
    wait_live(page)
    page.evaluate("window.neverReloaded = true")
    field, attach = (
        page.get_by_label("Attach a file"),
        page.get_by_role("button", name="Attach file"),
    )
    markup = {"name": "page.html", "mimeType": "text/html", "buffer": b"<script>1</script>"}
    field.set_input_files(markup)  # type: ignore[arg-type]  # a file in memory
    attach.click()
    expect(page.locator("#files .field-error")).to_be_visible()
    note = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"The buyer called.\n"}
    field.set_input_files(note)  # type: ignore[arg-type]  # as above
    attach.click()
    expect(page.locator("#files .file-name")).to_have_text("note.txt")
    assert page.evaluate("window.neverReloaded") is True
    with page.expect_download() as fetched:
        page.get_by_role("link", name="note.txt").click()
    assert fetched.value.suggested_filename == "note.txt"
    page.get_by_role("link", name="Remove").click()
    page.get_by_label("Reason").fill("Wrong payment")
    page.get_by_role("button", name="Remove file").click()
    expect(page.locator("#files")).to_contain_text("removed by Sue")

"""Three cases are triaged without a mouse, and a second browser sees it happen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from core.money import Money, asset
from domain.actors import system
from domain.cases.cases import Finding, open_case
from domain.database import reading, transaction
from domain.transitions import Why
from models.cases import CaseNote, ExceptionCase
from tests.browser.shop import Shop, sign_in, wait_live
from tests.rig import browser as chromium

# These tests look at pages; what the pages do is tried on both databases elsewhere.
pytestmark = [pytest.mark.browser, pytest.mark.parametrize("shop", ["sqlite"], indirect=True)]


@pytest.fixture
def colleague(shop: Shop, browser: Browser, watch: chromium.Watch) -> Iterator[Page]:
    """A second browser, of somebody else."""
    del shop
    with chromium.context(browser, watch) as opened:
        yield opened.new_page()


@pytest.fixture
def cases(shop: Shop) -> list[str]:
    """Three fresh cases, the newest first, as the queue lists them; older ones are settled."""
    found = []
    shop.bind()
    with transaction() as session:
        for row in session.scalars(select(ExceptionCase)):
            row.state = "resolved"
        for number in range(3):
            finding = Finding(
                "UNMAPPED_VALUE",
                f"word-{number}-{id(session)}",
                f"A provider said something odd, number {number}.",
                at_risk=Money(100 + number, asset("EUR")),
            )
            found.append(open_case(session, finding, why=Why(system("test"), "test")))
    return [str(case_id) for case_id in reversed(found)]


def read(case_id: str) -> ExceptionCase:
    with reading() as session:
        return session.get_one(ExceptionCase, case_id)


def at(page: Page, case_id: str) -> None:
    expect(page.locator(f"#open-{case_id}")).to_be_focused()


def test_three_cases_are_triaged_without_a_mouse(
    page: Page, colleague: Page, shop: Shop, cases: list[str]
) -> None:
    first, second, third = cases
    sign_in(page, shop, shop.person("fin", "finance"))
    sign_in(colleague, shop, shop.person("sue", "support"))
    colleague.goto(f"{shop.url}/exceptions")
    wait_live(colleague)
    wait_live(page)
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page).to_have_url(f"{shop.url}/exceptions")
    wait_live(page)
    colleague.evaluate("window.neverReloaded = true")

    # The first is taken, and the focus stays where it was.
    page.keyboard.press("j")
    at(page, first)
    page.keyboard.press("a")
    expect(page.locator(f"#case-{first}")).to_contain_text("You")
    expect(colleague.locator(f"#case-{first}")).to_contain_text("Assigned")
    at(page, first)

    # A note on it, sent from the keyboard.
    page.keyboard.press("n")
    expect(page.get_by_label("Add a note")).to_be_focused()
    page.keyboard.type("Asked the provider.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".note-text")).to_have_text("Asked the provider.")

    # It is settled by a verb that is chosen with j and Enter.
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", level=1)).to_contain_text("How shall this case be settled")
    page.wait_for_load_state()  # from then on its script hears the keys
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Accept")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.name") != "reason":
        page.keyboard.press("Tab")
    page.keyboard.type("The provider corrected it")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".flash-list")).to_contain_text("Settled: accept")
    expect(colleague.locator(f"#case-{first}")).to_have_count(0)

    # The other two are selected and settled together.
    wait_live(page)  # the page that the decision led to hears keys from then on
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page).to_have_url(f"{shop.url}/exceptions")
    wait_live(page)
    page.keyboard.press("j")
    at(page, second)
    page.keyboard.press("x")
    page.keyboard.press("j")
    at(page, third)
    page.keyboard.press("x")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settle 2 cases")
    while page.evaluate("document.activeElement.name") != "verb":
        page.keyboard.press("Tab")
    page.keyboard.type("Accept")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Accept: 2 cases")).to_be_visible()
    while page.evaluate("document.activeElement.name") != "reason":
        page.keyboard.press("Tab")
    page.keyboard.type("Both known")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".outcome-row")).to_have_count(2)
    expect(page.locator(".outcome-row").first).to_contain_text("Settled")

    expect(colleague.locator("#case-rows")).to_contain_text("No case to be settled")
    expect(colleague.locator("#list-tabs .tab").first).to_contain_text("0")
    assert colleague.evaluate("window.neverReloaded") is True
    assert [read(case_id).state for case_id in cases] == ["resolved"] * 3
    assert [read(case_id).verb for case_id in cases] == ["accept"] * 3
    with reading() as session:
        notes = session.scalars(select(CaseNote).where(CaseNote.case_id == first)).all()
    assert [note.note for note in notes] == ["Asked the provider."]


def test_what_was_selected_stays_so_while_others_work(
    page: Page, shop: Shop, cases: list[str]
) -> None:
    first, second, _ = cases
    sign_in(page, shop, shop.person("fin", "finance"))
    page.goto(f"{shop.url}/exceptions")
    wait_live(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(f"#select-{second}")).to_be_checked()
    shop.bind()
    finding = Finding("UNMAPPED_VALUE", f"late-{first}", "Another odd word came meanwhile.")
    with transaction() as session:
        fourth = open_case(session, finding, why=Why(system("test"), "test"))
    expect(page.locator(f"#case-{fourth}")).to_be_visible()
    expect(page.locator("#list-tabs .tab").first).to_contain_text("4")
    expect(page.locator(f"#select-{second}")).to_be_checked()
    at(page, second)


def test_the_keys_are_listed_and_a_case_page_is_live(
    page: Page, colleague: Page, shop: Shop, cases: list[str]
) -> None:
    first = cases[0]
    sign_in(page, shop, shop.person("fin", "finance"))
    sign_in(colleague, shop, shop.person("sue", "support"))
    colleague.goto(f"{shop.url}/exceptions/{first}")
    wait_live(colleague)
    colleague.get_by_label("Add a note").fill("half a thou")
    page.goto(f"{shop.url}/exceptions/{first}")
    wait_live(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("assign to me, write a note")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#case-body")).to_contain_text("Given to")
    expect(colleague.locator("#case-body")).to_contain_text("Assigned")
    # What somebody types is not swept away by what others do.
    expect(colleague.get_by_label("Add a note")).to_have_value("half a thou")

"""Somebody is invited, chooses a password by the link shown once, and signs in; the admin's page follows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from core import clock
from domain.database import transaction
from domain.people import people
from models.people import DeskSession
from tests.browser.shop import PASSWORD, Shop, sign_in, wait_live
from tests.rig import browser as chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("shop", ["postgresql"], indirect=True),
]
NEW = "four unrelated words here"


def admin(page: Page, shop: Shop, name: str) -> None:
    """Sign an admin in who has just shown a second factor."""
    email = shop.person(name, "admin")
    sign_in(page, shop, email)
    with transaction() as session:
        user = people.find_user(session, email)
        assert user is not None
        mine = update(DeskSession).where(DeskSession.user_id == user.id)
        session.execute(mine.values(stepped_up_at=clock.now()))


def test_an_invited_person_comes_in(
    page: Page, payer: Page, shop: Shop, watch: chromium.Watch
) -> None:
    watch.expect("status of 422", "status of 410")
    admin(page, shop, "ada")
    page.goto(f"{shop.url}/users")
    wait_live(page)
    page.get_by_role("link", name="Invite").click()
    page.get_by_label("E-mail").fill("nina@people.test")
    page.get_by_label("Name").fill("Nina <b>New</b>")
    page.get_by_label("Role").select_option("support")
    page.get_by_label("Reason").fill("Joins the team")
    page.get_by_role("button", name="Invite").click()
    link = page.locator(".shown-link code").inner_text()
    assert link.startswith(f"{shop.url}/account/set-password/")
    page.get_by_role("link", name="Done").click()
    wait_live(page)
    expect(page.locator("h1")).to_contain_text("Nina <b>New</b>")
    expect(page.locator("h1")).to_contain_text("Invited")
    page.evaluate("window.neverReloaded = true")

    asked: list[str] = []
    payer.on("request", lambda request: asked.append(request.headers.get("referer", "")))
    payer.goto(link)
    expect(payer.get_by_label("E-mail")).to_have_value("nina@people.test")
    payer.get_by_label("New password", exact=True).fill("short")
    payer.get_by_label("New password once more").fill("short")
    payer.get_by_role("button", name="Set password").click()
    expect(payer.get_by_text("A password has 12 to 256 characters.")).to_be_visible()
    payer.get_by_label("New password", exact=True).fill(NEW)
    payer.get_by_label("New password once more").fill(NEW)
    payer.get_by_role("button", name="Set password").click()
    expect(payer.get_by_text("Your password is set")).to_be_visible()
    assert not [each for each in asked if "set-password" in each]
    payer.get_by_label("E-mail").fill("nina@people.test")
    payer.get_by_label("Password").fill(NEW)
    payer.get_by_role("button", name="Sign in").click()
    expect(payer.get_by_role("heading", level=1)).to_contain_text("Good")

    expect(page.locator("h1")).to_contain_text("Active")
    assert page.evaluate("window.neverReloaded") is True
    page.reload()
    expect(page.locator("#user-body")).to_contain_text("Chrome on Linux")
    answer = payer.goto(link)
    assert answer is not None
    assert answer.status == 410


def test_a_person_who_is_disabled_is_out_within_seconds(
    page: Page, payer: Page, shop: Shop, watch: chromium.Watch
) -> None:
    watch.expect("status of 422", "status of 401", "MIME type", "ERR_")
    admin(page, shop, "abe")
    fin = shop.person("fin", "finance")
    sign_in(payer, shop, fin)
    payer.goto(f"{shop.url}/payments")
    wait_live(payer)
    page.goto(f"{shop.url}/users?q={fin}")
    page.get_by_role("link", name="Fin", exact=True).click()
    page.get_by_role("link", name="Disable", exact=True).click()
    page.get_by_role("button", name="Disable account").click()
    page.get_by_label("Reason").fill("Left the team")
    page.get_by_role("button", name="Disable account").click()
    expect(page.locator(".flash-list")).to_contain_text("The account is disabled")
    expect(payer.locator("#connection")).not_to_have_attribute("data-state", "live", timeout=6_000)
    payer.goto(f"{shop.url}/payments")
    expect(payer.get_by_role("heading", level=1)).to_contain_text("Sign in")
    payer.get_by_label("E-mail").fill(fin)
    payer.get_by_label("Password").fill(PASSWORD)
    payer.get_by_role("button", name="Sign in").click()
    expect(payer.get_by_text("The address or the password is not right.")).to_be_visible()


def test_people_can_be_invited_and_changed_without_scripts(
    browser: Browser, shop: Shop, watch: chromium.Watch
) -> None:
    with chromium.context(browser, watch, java_script_enabled=False) as opened:
        plain = opened.new_page()
        admin(plain, shop, "amy")
        plain.goto(f"{shop.url}/users/invite")
        plain.get_by_label("E-mail").fill("olaf@people.test")
        plain.get_by_label("Role").select_option("buyer")
        plain.get_by_label("Reason").fill("A customer")
        plain.get_by_role("button", name="Invite").click()
        expect(plain.locator(".shown-link code")).to_contain_text("/account/set-password/")
        plain.get_by_role("link", name="Done").click()
        plain.get_by_role("link", name="Change").first.click()
        plain.get_by_label("Role", exact=True).select_option("seller")
        plain.get_by_label("Reason").fill("Sells as well")
        plain.get_by_role("button", name="Change role").click()
        expect(plain.locator(".flash-list")).to_contain_text("The role is changed")
        plain.goto(f"{shop.url}/account")
        plain.get_by_label("A freeze is engaged").uncheck()
        plain.get_by_role("button", name="Keep this choice").click()
        expect(plain.get_by_label("A freeze is engaged")).not_to_be_checked()


def test_no_page_about_people_scrolls_sideways(page: Page, shop: Shop) -> None:
    admin(page, shop, "ann")
    page.goto(f"{shop.url}/users")
    person = page.locator(".row-link").first.get_attribute("href")
    for width in (360, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("/users", "/users/roles", "/users/invite", str(person), f"{person}/role"):
            page.goto(f"{shop.url}{path}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)

"""Proving oneself in a real browser: a security key of the browser's own, codes, and a guarded act behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
import sqlalchemy
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core import clock
from core.states import Role
from domain.database import transaction
from models.people import DeskSession
from tests.api import personas
from tests.dashboard.proofs import give_codes
from tests.reliability import stage as stages
from tests.rig import browser as chromium
from tests.rig import environment, ports
from tests.rig.product import Processes

pytestmark = pytest.mark.browser
STEP_UP = "/account/step-up"


@dataclass(frozen=True)
class Place:
    """The running desk, by a name: passkeys refuse bare addresses."""

    url: str


@pytest.fixture
def place(processes: Processes, sqlite_url: str, instance: Path) -> Iterator[Place]:
    """A desk at localhost."""
    port = ports.free_port()
    url = f"http://localhost:{port}"
    processes.web(sqlite_url, port=port, PUBLIC_URL=url)
    bound = sqlalchemy.create_engine(sqlite_url)
    stages.bind(environment.settings(sqlite_url, instance, PUBLIC_URL=url), bound)
    yield Place(url)
    bound.dispose()


@pytest.fixture
def context(place: Place, browser: Browser, watch: chromium.Watch) -> Iterator[BrowserContext]:
    """A fresh browser, closed before the desk is."""
    del place
    with chromium.context(browser, watch) as opened:
        yield opened


def add_key(page: Page) -> None:
    """Give a page's browser a security key that is always touched at once."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def person(name: str, role: Role) -> personas.Persona:
    made = personas.user(f"{name}@people.test", role=role)
    personas.give_password(made.id)
    return made


def sign_in(page: Page, place: Place, email: str) -> None:
    page.goto(f"{place.url}/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(personas.PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def cookie(page: Page) -> str:
    return next(
        str(each.get("value"))
        for each in page.context.cookies()
        if each.get("name") == "paydesk_session"
    )


def stale(user_id: str) -> None:
    """Let the proofs of a person's sessions be too old."""
    with transaction() as session:
        rows = session.query(DeskSession).filter(DeskSession.user_id == user_id)
        rows.update({"stepped_up_at": clock.after(-301)})


def test_a_passkey_is_set_up_then_proves_its_person_and_signs_them_in(
    context: BrowserContext, place: Place
) -> None:
    fin = person("fin", Role.FINANCE)
    page = context.new_page()
    add_key(page)
    sign_in(page, place, fin.email)
    expect(page).to_have_url(f"{place.url}/")
    page.goto(f"{place.url}/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name", exact=True).fill("This laptop")
    page.get_by_label("Your password").fill(personas.PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    expect(page).to_have_url(f"{place.url}/account")
    expect(page.get_by_text("This laptop")).to_be_visible()
    page.locator(".menu-opener").click()
    page.get_by_role("button", name="Sign out").first.click()
    sign_in(page, place, fin.email)
    expect(page).to_have_url(f"{place.url}/login/second-factor")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{place.url}/")
    stale(fin.id)
    before = cookie(page)
    page.goto(f"{place.url}{STEP_UP}?next=/orders")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{place.url}/orders")
    assert cookie(page) != before


def test_a_browser_without_the_key_is_told_so_and_can_use_a_code(
    context: BrowserContext, place: Place, watch: chromium.Watch
) -> None:
    # The browser itself notes in its console that the form was refused.
    watch.expect("status of 422")
    fin = person("fin", Role.FINANCE)
    page = context.new_page()
    add_key(page)
    sign_in(page, place, fin.email)
    page.goto(f"{place.url}/account/passkeys/new")
    page.get_by_label("Name", exact=True).fill("This laptop")
    page.get_by_label("Your password").fill("not my password")
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator("[data-passkey-word]")).to_have_text("This is not your password.")
    page.get_by_label("Your password").fill(personas.PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    expect(page).to_have_url(f"{place.url}/account")
    codes = give_codes(fin.id)
    context.clear_cookies()
    # A page's key is its own: this one has another, which was never set up here.
    other = context.new_page()
    add_key(other)
    sign_in(other, place, fin.email)
    other.get_by_role("button", name="Use a passkey").click()
    word = other.locator("[data-passkey-word]")
    expect(word).to_contain_text(re.compile("No passkey was shown|has a passkey"))
    other.get_by_label("Code", exact=True).fill(codes.now())
    other.get_by_role("button", name="Prove it with this code").click()
    expect(other).to_have_url(f"{place.url}/")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_guarded_act_leads_to_setting_codes_up_and_back_and_is_done(
    place: Place, browser: Browser, watch: chromium.Watch, scripts: bool
) -> None:
    watch.expect("status of 422")
    ada, fin = person("ada", Role.ADMIN), person("fin", Role.FINANCE)
    give_codes(fin.id)
    with chromium.context(browser, watch, java_script_enabled=scripts) as opened:
        page = opened.new_page()
        sign_in(page, place, ada.email)
        act = f"{place.url}/users/{fin.id}/second-factor"
        page.goto(act)
        expect(page.get_by_text("Set up a second factor first")).to_be_visible()
        page.get_by_role("link", name="Set up codes").click()
        page.get_by_label("Your password").fill(personas.PASSWORD)
        page.get_by_role("button", name="Show the new secret").click()
        picture = page.get_by_role("img", name=re.compile("QR code"))
        assert picture.evaluate("one => one.naturalWidth") > 100
        codes = pyotp.TOTP(str(page.locator("[data-copy]").first.get_attribute("data-copy")))
        page.get_by_label("Code", exact=True).fill("000")
        page.get_by_role("button", name="Set it up").click()
        expect(page.get_by_text("This code does not belong")).to_be_visible()
        page.get_by_label("Code", exact=True).fill(codes.now())
        page.get_by_role("button", name="Set it up").click()
        expect(page).to_have_url(act)
        page.get_by_label("Reason").fill("Lost the phone.")
        page.locator("main form button[type=submit]").click()
        expect(page.get_by_text("The second factor is reset")).to_be_visible()
        stale(ada.id)
        page.goto(f"{place.url}/users/{fin.id}/second-factor")
        expect(page.get_by_role("heading", name="Prove that it is you")).to_be_visible()

"""What holds money stands above every page while it lasts, for those it holds, and nobody can put it away."""

from __future__ import annotations

import re
from datetime import timedelta

import time_machine

from core import clock
from domain.actors import system
from domain.control import controls, freezes
from domain.control.freezes import Wanted
from domain.database import transaction
from domain.transitions import Why
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, text

WHY = Why(system("operator"), "operator", "the books are out")
PAGES = ("/", "/payments", "/account", "/search?q=x")


def engage(scope: str = "all", scope_id: str = "", *, hours: int | None = None) -> None:
    until = clock.now() + timedelta(hours=hours) if hours else None
    with transaction() as session:
        freezes.engage(session, Wanted(scope, scope_id, "the books are out", until), why=WHY)


def put(name: str, **value: object) -> None:
    with transaction() as session:
        controls.put(session, name, value, until=None, why=WHY)  # type: ignore[arg-type]


def above(browser: Browser, path: str = "/") -> str:
    """Give what stands above a page; no worker runs here, and that is not asked."""
    found = re.search(r'<div class="banners".*?<main', browser.page(path), re.DOTALL)
    assert found
    return text(found[0]).replace("<main", "").partition("No worker is running")[0].strip()


def test_every_page_of_staff_shows_it_with_the_reason_and_nothing_closes_it(
    desk: Desk, who: Personas
) -> None:
    engage(hours=2)
    for browser in (desk.browser(who.sue), desk.browser(who.ann)):
        for path in PAGES:
            said = above(browser, path)
            assert "Money out is frozen: everything" in said, path
            assert "The books are out. It holds until" in said
    page = desk.browser(who.sue).page("/")
    banner = page[page.index('class="banners"') : page.index("<main")]
    assert "<button" not in banner and "<form" not in banner
    assert 'hx-trigger="sse:freezes, sse:providers"' in banner


def test_a_merchant_reads_what_holds_their_own_money_without_the_reason(
    desk: Desk, who: Personas, till: Till
) -> None:
    mel, eve, bo = desk.browser(who.mel), desk.browser(who.eve), desk.browser(who.bo)
    order = till.order(who.mels_key)["orderId"]
    engage("merchant", who.merchant("Mel's"))
    assert "Refunds and other money out wait until it is lifted." in above(mel)
    assert above(eve) == above(bo) == ""
    engage("order", order)
    assert f"money out of order {order}" in above(mel)
    assert above(eve) == ""
    engage()
    assert "Money out is held" in above(eve)
    for browser in (mel, eve):
        assert "the books are out" not in above(browser).lower()
        assert "/freezes" not in browser.page("/")
    assert above(bo) == ""


def test_many_are_told_together(desk: Desk, who: Personas, till: Till) -> None:
    for _ in range(4):
        engage("order", till.order(who.mels_key)["orderId"])
    assert above(desk.browser(who.sue)).startswith("4 freezes hold money out")
    engage()
    assert "One of them holds everything." in above(desk.browser(who.sue))
    assert above(desk.browser(who.mel)).startswith("5 freezes hold money out")


def test_a_pause_is_for_staff_and_a_notice_for_everybody(desk: Desk, who: Personas) -> None:
    put(controls.SETTLEMENT_PAUSE, on=True)
    put(controls.BANNER, on=True, text="Cards are slow <b>today</b>.")
    for person in (who.sue, who.mel, who.bo):
        browser = desk.browser(person)
        assert "Cards are slow <b>today</b>." in above(browser)
        assert "<b>today" not in browser.page("/")
        assert ("Automatic settlement is paused" in above(browser)) == (person is who.sue)
    put(controls.SETTLEMENT_PAUSE, on=False)
    put(controls.BANNER, on=False)
    assert above(desk.browser(who.sue)) == ""


def test_its_time_takes_it_away(desk: Desk, who: Personas) -> None:
    engage(hours=1)
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert above(desk.browser(who.sue)) == ""


def test_the_part_that_is_fetched_live_is_what_the_page_shows(desk: Desk, who: Personas) -> None:
    engage()
    browser = desk.browser(who.sue)
    part = browser.part("/desk/banners")
    assert part.strip() in browser.page("/")
    assert browser.get("/desk/banners").status_code == 303
    assert "Money out is held" in text(desk.browser(who.mel).part("/desk/banners"))

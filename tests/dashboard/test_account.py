"""One's own account: sessions seen and ended, the theme kept, nobody else's touched."""

from __future__ import annotations

import pytest

from tests.api.personas import Personas
from tests.dashboard.desk import Desk, text


def test_account_shows_who_and_where(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.mel)
    said = text(browser.page("/account"))
    for words in (who.mel.email, "Role Merchant", "Mel's", "Verification Approved", "This one"):
        assert words in said, words
    assert "API token" in said


def test_signing_out_elsewhere_keeps_this_session(desk: Desk, who: Personas) -> None:
    here, there = desk.browser(who.fin), desk.browser(who.fin)
    stranger = desk.browser(who.sue)
    answer = here.post("/account/sessions/end-others")
    assert answer.location == "/account"
    assert "Signed out of 2 other places" in text(here.page("/account"))
    assert there.get("/").status_code == 303
    assert stranger.get("/").status_code == 200
    assert "You are signed in nowhere else." in here.page("/account")


def test_one_session_is_ended_and_a_foreign_one_is_not(desk: Desk, who: Personas) -> None:
    here, there = desk.browser(who.fin), desk.browser(who.fin)
    stranger = desk.browser(who.sue)
    assert here.post(f"/account/sessions/{stranger.session_id}/end").status_code == 404
    assert stranger.get("/").status_code == 200
    assert here.post(f"/account/sessions/{there.session_id}/end").location == "/account"
    assert there.get("/").status_code == 303
    assert here.post(f"/account/sessions/{here.session_id}/end").location == "/login"
    assert here.get("/").status_code == 303


@pytest.mark.parametrize("theme", ["dark", "light", "auto"])
def test_theme_is_kept_with_the_person(desk: Desk, who: Personas, theme: str) -> None:
    browser = desk.browser(who.fin)
    answer = browser.post("/account/theme", theme=theme, next="/payments?state=failed")
    assert (answer.status_code, answer.location) == (303, "/payments?state=failed")
    assert f'data-theme="{theme}"' in browser.page("/payments")
    assert f'data-theme="{theme}"' in desk.browser(who.fin).page("/")
    assert 'data-theme="auto"' in desk.browser(who.sue).page("/")


def test_odd_theme_changes_nothing(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.fin)
    answer = browser.post("/account/theme", theme='"><script>', next="//evil.test")
    assert answer.location == "/account"
    assert 'data-theme="auto"' in browser.page("/account")

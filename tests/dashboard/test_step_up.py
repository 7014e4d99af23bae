"""Proving oneself at the desk: right proofs open, wrong ones are counted, and no session is fixed or led astray."""

from __future__ import annotations

import pytest
import time_machine
from flask import Flask

from core import clock
from domain.database import reading, transaction
from domain.people import sandbox_people
from models.people import DeskSession, User
from tests.api import personas
from tests.api.personas import Personas
from tests.dashboard import proofs
from tests.dashboard.desk import COOKIE, Browser, Desk, hidden, text
from tests.dashboard.proofs import STEP_UP, give_codes
from tests.rig import environment


def prove(browser: Browser, code: str, **more: str) -> tuple[int, str | None]:
    answer = browser.post(STEP_UP, {"code": code} | more)
    return answer.status_code, answer.location


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie(COOKIE)
    assert found is not None
    return str(found.value)


def kept(page: str) -> str:
    """Read where the form of the page leads afterwards; the theme's form above it says where one is."""
    return hidden(page.split('id="main"')[1], "next")


def stamped(browser: Browser) -> bool:
    with reading() as session:
        row = session.get_one(DeskSession, browser.session_id)
        return row.stepped_up_at is not None


def test_a_code_proves_a_person_and_leads_back(desk: Desk, who: Personas) -> None:
    codes = give_codes(who.fin.id)
    browser = desk.browser(who.fin)
    page = browser.page(f"{STEP_UP}?next=/payments%3Fstate%3Dfailed")
    assert kept(page) == "/payments?state=failed"
    assert 'autocomplete="one-time-code"' in page
    assert "Use a passkey" not in page
    assert "passkeys.js" not in page
    assert prove(browser, codes.now(), next="/payments?state=failed") == (
        303,
        "/payments?state=failed",
    )
    assert stamped(browser)
    assert browser.get(f"{STEP_UP}?next=/orders").location == "/orders"
    said = text(browser.page("/account"))
    assert "second factor shown just now , still counts" in said


def test_a_proof_gives_the_session_a_new_secret_and_the_old_one_opens_nothing(
    desk: Desk, who: Personas
) -> None:
    codes = give_codes(who.fin.id)
    browser = desk.browser(who.fin)
    form = hidden(browser.page("/account"), "csrf_token")
    assert prove(browser, codes.now())[0] == 303
    assert cookie(browser) != browser.token
    thief = desk.anonymous()
    thief.client.set_cookie(COOKIE, browser.token)
    for path in ("/", "/account", STEP_UP):
        assert thief.get(path).location.startswith("/login?next="), path
    # A form from before belongs to the old secret, and goes with it.
    assert browser.client.post("/logout", data={"csrf_token": form}).status_code == 403
    assert browser.get("/").status_code == 200


def test_a_wrong_code_shows_the_form_again_and_five_lock_it_everywhere(
    desk: Desk, who: Personas
) -> None:
    codes = give_codes(who.fin.id)
    here, there = desk.browser(who.fin), desk.browser(who.fin)
    for number in range(5):
        answer = (here, there)[number % 2].post(STEP_UP, code="abcdef", next="/orders")
        assert answer.status_code == 422
        assert kept(answer.text) == "/orders"
        assert "That code is not right" in text(answer.text)
    for browser in (here, there, desk.browser(who.fin)):
        answer = browser.post(STEP_UP, code=codes.now())
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 60
        assert "Too many wrong tries Try again in 15 minutes." in text(answer.text)
    assert not stamped(here)
    assert prove(desk.browser(who.flo), give_codes(who.flo.id).now())[0] == 303
    with time_machine.travel(clock.after(15 * 60 + 1)):
        assert prove(desk.browser(who.fin), codes.at(clock.unix()))[0] == 303


def test_a_code_is_good_for_one_session_once(desk: Desk, who: Personas) -> None:
    codes = give_codes(who.fin.id)
    now = clock.unix()
    with time_machine.travel(now):
        assert prove(desk.browser(who.fin), codes.at(now))[0] == 303
        assert prove(desk.browser(who.fin), codes.at(now))[0] == 422
        assert prove(desk.browser(who.fin), codes.at(now - 30))[0] == 422
        # As people copy it from an app.
        spaced = f"{codes.at(now + 30)[:3]} {codes.at(now + 30)[3:]}"
        assert prove(desk.browser(who.fin), spaced)[0] == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "evil"),
        *("///evil.test", "/\tevil", "\\\\evil.test", "http:evil.test", "/a\r\nSet-Cookie: x=1"),
        *(
            "https:/evil.test",
            "/\\/evil.test",
            " //evil.test",
            "data:text/html,x",
            "//evil.test/%2f..",
        ),
    ],
)
def test_a_proof_never_leads_elsewhere(desk: Desk, who: Personas, elsewhere: str) -> None:
    codes = give_codes(who.fin.id)
    browser = desk.browser(who.fin)
    page = browser.client.get(STEP_UP, query_string={"next": elsewhere}).text
    assert kept(page) == ""
    assert prove(browser, codes.now(), next=elsewhere) == (303, "/account")
    again = browser.client.get(STEP_UP, query_string={"next": elsewhere})
    assert again.location == "/account"


def test_who_has_no_second_factor_is_led_to_set_one_up_and_back(desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    browser = desk.browser(who.fin)
    answer = browser.get(f"{STEP_UP}?next=/orders")
    assert answer.location == "/account/second-factor?next=%2Forders"
    page = browser.page(answer.location)
    assert "Set up a second factor first" in page
    assert 'href="/account/code-app?next=%2Forders"' in page
    answer = browser.post("/account/code-app", password=personas.PASSWORD, next="/orders")
    assert answer.location == "/account/code-app/confirm?next=%2Forders"
    page = browser.page(answer.location)
    codes = proofs.shown_secret(page)
    answer = browser.post("/account/code-app/confirm", code=codes.now(), next="/orders")
    assert answer.location == "/orders"
    assert stamped(browser)
    assert browser.post(STEP_UP, code="").status_code == 422


def test_a_session_that_ended_is_not_stepped_up(desk: Desk, who: Personas) -> None:
    codes = give_codes(who.fin.id)
    browser = desk.browser(who.fin)
    form = {"csrf_token": hidden(browser.page("/account"), "csrf_token"), "code": codes.now()}
    with transaction() as session:
        session.get_one(DeskSession, browser.session_id).ended_at = clock.now()
    answer = browser.client.post(STEP_UP, data=form)
    assert answer.location.startswith("/login")
    assert not stamped(browser)


def test_a_proof_from_another_site_or_without_its_token_is_refused(
    desk: Desk, who: Personas
) -> None:
    codes = give_codes(who.fin.id)
    browser, other = desk.browser(who.fin), desk.browser(who.flo)
    form = {"code": codes.now()}
    assert browser.post(STEP_UP, form, csrf=False).status_code == 403
    foreign = form | {"csrf_token": hidden(other.page("/account"), "csrf_token")}
    assert browser.client.post(STEP_UP, data=foreign).status_code == 403
    own = form | {"csrf_token": browser.csrf()}
    evil = {"Origin": "https://evil.test"}
    assert browser.client.post(STEP_UP, data=own, headers=evil).status_code == 403
    assert not stamped(browser)


def test_a_passkey_proves_a_person(desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    key = proofs.add_passkey(desk.browser(who.fin))
    browser = desk.browser(who.fin)
    page = browser.page(f"{STEP_UP}?next=/orders")
    assert "js/passkeys.js" in page
    assert f'data-options="{STEP_UP}/options"' in page
    assert 'name="code"' not in page
    _, challenge_id, challenge = proofs.ask_options(browser, f"{STEP_UP}/options", STEP_UP)
    form = {"challenge": challenge_id, "answer": key.sign(challenge), "next": "/orders"}
    answer = browser.post(STEP_UP, form)
    assert (answer.status_code, answer.location) == (303, "/orders")
    assert stamped(browser)
    again = desk.browser(who.fin)
    assert again.post(STEP_UP, form).status_code == 422
    assert not stamped(again)


def test_somebody_elses_passkey_or_question_proves_nothing(desk: Desk, who: Personas) -> None:
    for person in (who.fin, who.flo):
        personas.give_password(person.id)
    fins, flos = (proofs.add_passkey(desk.browser(each)) for each in (who.fin, who.flo))
    fin, flo = desk.browser(who.fin), desk.browser(who.flo)
    _, fins_id, fins_challenge = proofs.ask_options(fin, f"{STEP_UP}/options", STEP_UP)
    _, flos_id, flos_challenge = proofs.ask_options(flo, f"{STEP_UP}/options", STEP_UP)
    for challenge_id, answer in (
        (fins_id, flos.sign(fins_challenge)),
        (flos_id, fins.sign(flos_challenge)),
        (flos_id, flos.sign(flos_challenge)),
        (fins_id, fins.sign(fins_challenge)),
    ):
        answered = fin.post(STEP_UP, challenge=challenge_id, answer=answer)
        # The first try used the question up; the right answer comes too late.
        assert answered.status_code == 422
    assert not stamped(fin)


def test_without_javascript_the_passkey_form_says_so_and_a_code_does(
    desk: Desk, who: Personas
) -> None:
    personas.give_password(who.fin.id)
    proofs.add_passkey(desk.browser(who.fin))
    codes = give_codes(who.fin.id)
    browser = desk.browser(who.fin)
    page = browser.page(STEP_UP)
    assert "<noscript>" in page
    answer = browser.post(STEP_UP, challenge="", answer="")
    assert answer.status_code == 422
    assert "Passkeys need JavaScript" in text(answer.text)
    assert prove(browser, codes.now())[0] == 303


def test_the_present_code_is_never_shown_outside_a_sandbox(desk: Desk, who: Personas) -> None:
    give_codes(who.fin.id, confirmed=False)
    personas.change(who.fin.id, demo=True)
    assert "sandbox-code" not in desk.browser(who.fin).page(STEP_UP).replace("proofs.css", "")


class TestInASandbox:
    """What only a sandbox shows."""

    @pytest.fixture
    def environ(self, sqlite_url: str, instance: object) -> dict[str, str]:
        return environment.settings(sqlite_url, instance, PAYDESK_ENV="sandbox")  # type: ignore[arg-type]

    @pytest.fixture
    def fin(self, app: Flask, who: Personas) -> personas.Persona:
        del app, who
        with transaction() as session:
            sandbox_people.seed_sandbox(session)
            user = session.query(User).filter(User.name == "Fin").one()
            return personas.Persona(user.id, "fin@sandbox.example", "", "", None)

    def test_the_handed_out_code_is_shown_and_works(
        self, desk: Desk, fin: personas.Persona
    ) -> None:
        browser = desk.browser(fin)
        for _ in range(2):
            page = browser.page(STEP_UP)
            code = text(page).split("Your code right now is ")[1][:6]
            assert prove(browser, code) == (303, "/account")
            browser = desk.browser(fin)
        assert "Your code right now" not in browser.page(STEP_UP), "both steps were used"

    def test_a_code_of_ones_own_is_not_shown(self, desk: Desk, fin: personas.Persona) -> None:
        for confirmed in (True, False):
            give_codes(fin.id, confirmed=confirmed)
            assert "Your code right now" not in desk.browser(fin).page(STEP_UP)
        with transaction() as session:
            sandbox_people.hand_out(session)
        assert "Your code right now" in desk.browser(fin).page(STEP_UP)
        personas.change(fin.id, demo=False)
        assert "Your code right now" not in desk.browser(fin).page(STEP_UP)

    def test_sign_in_lists_the_secrets_and_does_not_ask_for_them(
        self, desk: Desk, fin: personas.Persona
    ) -> None:
        person = next(
            each for each in sandbox_people.list_sandbox_people() if each.email == fin.email
        )
        browser = desk.anonymous()
        page = browser.page("/login")
        assert person.totp in page
        form = {"email": person.email, "password": person.password}
        form["csrf_token"] = hidden(page, "csrf_token")
        answer = browser.client.post("/login", data=form)
        assert (answer.status_code, answer.location) == (303, "/")

"""Two hundred hostile strings in every text that people or providers write: no page of the desk runs one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Dialog

import config
import wsgi
from core import clock
from core.states import Role
from domain import database
from domain.database import transaction
from domain.people import sessions
from models.people import DeskSession, User
from tests.api import personas
from tests.api.personas import Persona
from tests.api.till import Till
from tests.rig import browser as chromium
from tests.rig import databases, environment, product
from tests.rig.run import Run
from tests.security import addresses, hostile, stained

pytestmark = pytest.mark.browser
# Drawing thousands of strange letters is most of a page's time, and nothing that is asked of it.
UNDRAWN = "if (document.documentElement) document.documentElement.style.display = 'none'"
# No page of ours has handlers or code in its markup, so whatever has came out of a text, run or not.
MADE_BY_TEXT = r"""() => [...document.querySelectorAll('*')].filter(each =>
    [...each.attributes].some(one => /^on|^srcdoc$/i.test(one.name) || /^\s*javascript:/i.test(one.value))
    || (each.localName === 'script' && !each.src && !/json/.test(each.type))
).map(each => each.outerHTML.slice(0, 200))"""


@dataclass(frozen=True)
class Place:
    """A web server on a stained database, and the people who look at it."""

    url: str
    app: Flask
    people: dict[str, Persona]


@pytest.fixture(scope="module")
def place(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One stained place for this module."""
    home = tmp_path_factory.mktemp("stained")
    with databases.sqlite_clone(run) as url, product.processes(run, home) as processes:
        app = wsgi.create_app(config.load(environment.settings(url, home)))
        engine = sqlalchemy.create_engine(url)
        database.bind(engine)
        people = _people()
        _provider_speaks(Till.open(app), people["merchant"])
        stained.make(engine, people=[each.id for each in people.values()])
        web = processes.web(url)
        yield Place(web.url, app, people)
        engine.dispose()


def _people() -> dict[str, Persona]:
    owner = personas.merchant("Stained")
    personas.key(owner)
    return {
        "admin": personas.user("admin@people.test", role=Role.ADMIN),
        "merchant": personas.user("mel@people.test", role=Role.MERCHANT, merchant_id=owner),
    }


def _provider_speaks(till: Till, merchant: Persona) -> None:
    """Have events stored whose every text is hostile, so that their payloads are shown."""
    for number, pack in enumerate(hostile.packs(len(hostile.STRINGS) // stained.ROWS)):
        payment = till.payment(merchant)
        assert till.deliver(stained.as_event(payment, pack, number)).status_code == 200
    till.work()


def _open(browser: Browser, watch: chromium.Watch, place: Place, person: str) -> BrowserContext:
    with transaction() as session:
        user = session.get_one(User, place.people[person].id)
        opened = sessions.open_session(session, user, address="127.0.0.1", browser="x")
        session.get_one(DeskSession, opened.session_id).stepped_up_at = clock.now()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    watch.listen(context)
    context.add_cookies([{"name": "paydesk_session", "value": opened.token, "url": place.url}])
    return context


# Every page of the desk in one browser, on a machine that may be busy.
@pytest.mark.timeout(480)
@pytest.mark.parametrize("person", ["admin", "merchant"])
def test_no_page_runs_a_hostile_string(
    browser: Browser, watch: chromium.Watch, place: Place, person: str
) -> None:
    # Refusals and empty answers are no complaint here.
    watch.expect("status of 4", "status of 204")
    context = _open(browser, watch, place, person)
    page = context.new_page()
    dialogs: list[str] = []

    def heard(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", heard)
    page.add_init_script(UNDRAWN)
    shown = 0
    role = Role.MERCHANT if person == "merchant" else Role(person)
    for path in addresses.pages(place.app, role):
        # A part of a page, asked for by itself, leads to the whole page, which is visited anyway.
        if context.request.get(f"{place.url}{path}", max_redirects=0).status == 303:
            continue
        answer = page.goto(f"{place.url}{path}", wait_until="load")
        assert answer is None or answer.status < 500, path
        assert page.evaluate("window.__hit") is None, path
        assert page.evaluate(MADE_BY_TEXT) == [], path
        assert page.url.startswith(place.url), path
        shown += "window.__hit=1" in page.content()
    context.close()
    assert dialogs == []
    assert shown > 10


def test_markup_that_a_text_made_is_seen(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        "<a href=' javascript:x()'>x</a><p ONCLICK='x()'><script>1</script><script src='/x'>"
    )
    assert len(page.evaluate(MADE_BY_TEXT)) == 3
    page.close()


def test_every_text_column_is_known_as_prose_or_as_a_word_of_ours() -> None:
    columns = stained.text_columns()
    unknown = {
        f"{table}.{name}"
        for table, words in stained.PROSE.items()
        for name in set(words.split()) - columns.get(table, set())
    }
    assert unknown == set()
    prose = re.compile(
        r"^(reason|note|name|title|description|message|sentence|text|subject|error)$"
    )
    forgotten = {
        f"{table}.{name}"
        for table, names in columns.items()
        for name in names
        if prose.match(name) and name not in stained.PROSE.get(table, "").split()
    }
    # The names of parts of our own, and what is an id or a hash of ours.
    assert forgotten <= {
        "schedules.name",
        "bank_accounts.name",
        "controls.name",
        "sign_in_attempts.subject",
        "reconciliation_differences.subject",
        "nightly_checks.name",
        "invariants.name",
    }

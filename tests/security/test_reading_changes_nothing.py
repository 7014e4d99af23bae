"""Opening pages and reading the API changes no row: what a link can do to somebody is nothing."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from flask import Flask

from api.contract import ENDPOINTS
from core.states import Role
from domain import database, samples
from tests.api import personas
from tests.api.personas import Personas
from tests.dashboard.desk import Desk
from tests.rig import environment
from tests.security import addresses, stained

# When somebody was seen, whose refusal was noted, and that a view of personal data was noted.
NOTED = re.compile(r"^INSERT INTO \"?(audit_log|chain_links|desk_sessions|process_beats)\b")
SEEN = re.compile(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+'")
STREAMS = re.compile(r"/stream$|self-test")


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: the views are the same before both."""
    return environment.settings(sqlite_url, instance)


def state() -> set[str]:
    """Give every row, but for when it was seen."""
    path = str(database.engine().url.database)
    with sqlite3.connect(path) as connection:
        lines = [line for line in connection.iterdump() if not NOTED.match(line)]
    users = [SEEN.sub("", line) if 'INTO "users"' in line else line for line in lines]
    return set(users)


def test_no_get_changes_a_row(app: Flask, who: Personas) -> None:
    samples.load(20)
    people = [who.ada.id, who.fin.id, who.mel.id]
    with database.transaction() as session:
        stained.furnish(session, people=people)
    desk, tried = Desk(app), 0
    for person, role in ((who.ada, Role.ADMIN), (who.fin, Role.FINANCE), (who.mel, Role.MERCHANT)):
        browser = desk.browser(person, fresh=True)
        browser.get("/")
        app.test_client().get("/api/me", headers=person.headers)
        before = state()
        for path in addresses.pages(app, role):
            for htmx in (False, True):
                answer = browser.get(path, htmx=htmx)
                answer.close()
                assert answer.status_code < 500, path
                tried += 1
        assert state() ^ before == set(), role
    assert tried > 150


def test_no_reading_of_the_api_changes_a_row(app: Flask, who: Personas) -> None:
    samples.load(5)
    client = app.test_client()
    for caller in (personas.fresh(who.ada), who.mel, who.mels_key):
        # What the first request of a process takes from the environment is there from then on.
        client.get("/login")
        client.get("/api/me", headers=caller.headers)
        before = state()
        for found in ENDPOINTS.values():
            if found.method == "GET" and not STREAMS.search(found.path):
                path = re.sub(r"\{(\w+)\}", "x_1", found.path)
                answer = client.get(path, headers=caller.headers)
                answer.close()
                assert answer.status_code < 500, found.name
        assert state() ^ before == set()

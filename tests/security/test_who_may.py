"""Every principal at every route with every method, held against a table that was written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.states import Role
from tests.api.personas import Personas
from tests.dashboard.desk import Desk
from tests.rig import environment
from tests.web import examples
from web import access
from web.access import Door, Kind

TABLE = Path(__file__).with_name("who_may.txt")
ROLES = {
    "B": Role.BUYER,
    "S": Role.SELLER,
    "M": Role.MERCHANT,
    "Su": Role.SUPPORT,
    "F": Role.FINANCE,
    "Ad": Role.ADMIN,
    "E": Role.ENGINEER,
    "Au": Role.AUDITOR,
}
ALL = frozenset({*ROLES, "K"})
GROUPS = {
    "all": ALL,
    "people": ALL - {"K"},
    "staff": frozenset({"Su", "F", "Ad", "E", "Au"}),
}
WORDS = frozenset({"open", "signed", "own"})
# These answer for as long as somebody listens.
ENDLESS = frozenset({"/api/events/stream", "/desk/stream", "/api/events/self-test"})
# These end the very session or token that the next knock needs; they are knocked at last.
ENDING = frozenset({"DELETE /api/auth/token", "POST /logout", "POST /account/sessions/end-others"})


@dataclass(frozen=True)
class Row:
    """One line of the table: a route, and who gets past its door."""

    method: str
    path: str
    who: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def _row(line: str) -> Row:
    method, path, *words = line.split()
    who = frozenset().union(*(GROUPS.get(word, frozenset({word})) for word in words))
    assert who <= ALL | WORDS, line
    return Row(method, path, who)


def table() -> dict[str, Row]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [_row(line) for line in lines if line.strip() and not line.startswith("#")]
    names = [row.name for row in rows]
    assert len(names) == len(set(names)), "a route stands twice in the table"
    return {row.name: row for row in rows}


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: the doors are the same before both."""
    return environment.settings(sqlite_url, instance)


def routes(app: Flask) -> dict[str, access.Access]:
    """Give each route of the app, by method and path, with its declared access."""
    found = {}
    for rule, declared in access.table(app):
        assert declared is not None
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            # A table by hand has no spaces inside an address.
            found[f"{method} {str(rule).replace(', ', ',')}"] = declared
    return found


def rows_of(app: Flask) -> list[Row]:
    """List the table's rows of routes that are there; one test says which are missing."""
    declared = routes(app)
    return [row for row in table().values() if row.name in declared]


def test_the_table_names_every_route_and_no_other(app: Flask) -> None:
    declared, written = set(routes(app)), set(table())
    assert declared - written == set(), "write them into who_may.txt, from the surface"
    assert written - declared == set(), "these are promised and not there"


def test_what_is_open_in_the_table_is_open_in_the_registry_and_nothing_else(app: Flask) -> None:
    kinds = {"open": {Kind.PUBLIC, Kind.METRICS}, "signed": {Kind.SIGNATURE}}
    for name, declared in routes(app).items():
        row = table()[name]
        for word, allowed in kinds.items():
            assert (word in row.who) == (declared.kind in allowed), name


class Caller:
    """One principal, at both doors."""

    def __init__(self, app: Flask, letter: str, who: Personas) -> None:
        self.letter = letter
        if letter == "K":
            self.headers = who.mels_key.headers
            self.browser: FlaskClient | None = None
            self.csrf = ""
            return
        person = who.by_role(ROLES[letter])
        self.headers = person.headers
        opened = Desk(app).browser(person)
        self.browser, self.csrf = opened.client, opened.csrf()

    def knock(self, plain: FlaskClient, row: Row, door: Door) -> Any:
        path = examples.address(row.path)
        if door == Door.API:
            return plain.open(path, method=row.method, headers=self.headers)
        if self.browser is None:
            return plain.open(path, method=row.method, headers=self.headers)
        sent = None if row.method == "GET" else {"csrf_token": self.csrf}
        return self.browser.open(path, method=row.method, data=sent)


def _is_shut(answer: Any, door: Door) -> bool:
    """Tell a door that is shut from one that opens onto something else that is wrong."""
    if door == Door.PAGE:
        return answer.status_code in (401, 403)
    if answer.status_code not in (401, 403):
        return False
    code = (answer.get_json(silent=True) or {}).get("error", {}).get("code")
    return code in ("UNAUTHENTICATED", "FORBIDDEN", "SCOPE_MISSING", "KEY_IN_BROWSER")


def test_each_principal_passes_exactly_the_doors_of_the_table(
    app: Flask, client: FlaskClient, who: Personas
) -> None:
    declared, tried, wrong = routes(app), 0, []
    rows = sorted(rows_of(app), key=lambda row: row.name in ENDING)
    callers = [Caller(app, letter, who) for letter in sorted(ALL)]
    for row in rows:
        if row.path in ENDLESS or row.who & {"open", "signed"}:
            continue
        door = declared[row.name].door
        for caller in callers:
            answer = caller.knock(client, row, door)
            answer.close()
            tried += 1
            if "own" in row.who:
                assert answer.status_code in (200, 400, 403, 404), row.name
            elif _is_shut(answer, door) == (caller.letter in row.who):
                wrong.append(f"{row.name} {caller.letter}: {answer.status_code}")
            # 503 says that no provider is configured here; whoever hears it has passed the door.
            assert answer.status_code in (*range(500), 503), f"{row.name} {caller.letter}"
    assert wrong == []
    assert tried > 600


def test_strangers_pass_no_door_that_is_not_open(app: Flask, client: FlaskClient) -> None:
    declared = routes(app)
    for row in rows_of(app):
        if row.who & {"open", "signed"}:
            continue
        answer = client.open(examples.address(row.path), method=row.method)
        answer.close()
        if declared[row.name].door == Door.API:
            assert answer.status_code == 401, row.name
        else:
            assert answer.status_code == 303, row.name
            assert answer.headers["Location"].startswith("/login"), row.name


def test_endless_answers_have_their_doors_too(
    app: Flask, client: FlaskClient, who: Personas
) -> None:
    declared = routes(app)
    for row in rows_of(app):
        if row.path not in ENDLESS:
            continue
        for letter in sorted(ALL - row.who):
            answer = Caller(app, letter, who).knock(client, row, declared[row.name].door)
            answer.close()
            assert _is_shut(answer, declared[row.name].door), f"{row.name} {letter}"

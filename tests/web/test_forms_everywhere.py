"""No page of the desk can be made to act from another site, and none opens for the wrong role."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.contract import ENDPOINTS
from core.permissions import HOLDERS, Permission
from core.states import Role
from domain.database import transaction
from domain.people import sessions
from models.people import User
from tests.api.personas import Personas
from tests.rig import environment
from tests.web import examples
from web import access
from web.access import Door, Kind


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: the gate is the same before both."""
    return environment.settings(sqlite_url, instance)


def pages(app: Flask, *, unsafe: bool) -> list[tuple[str, str, access.Access]]:
    """List (method, address, rule) of the desk's own routes."""
    found = []
    for rule, declared in access.table(app):
        if declared is None or declared.door != Door.PAGE or rule.endpoint == "static":
            continue
        path = examples.address(str(rule))
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        found += [(m, path, declared) for m in sorted(methods) if (m != "GET") == unsafe]
    return found


def signed_in(app: Flask, user_id: str) -> FlaskClient:
    browser = app.test_client()
    with transaction() as session:
        user = session.get_one(User, user_id)
        opened = sessions.open_session(session, user, address=None, browser=None)
    browser.set_cookie("paydesk_session", opened.token)
    return browser


def test_no_form_acts_without_its_token_or_from_another_site(app: Flask) -> None:
    who = Personas()
    ada, abe = signed_in(app, who.ada.id), signed_in(app, who.ann.id)
    with abe:
        abe.get("/login")
    forms = pages(app, unsafe=True)
    assert forms
    for method, path, _ in forms:
        for headers in (
            {},
            {"X-CSRF-Token": "guess"},
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/json"},
        ):
            answer = ada.open(path, method=method, headers=headers)
            assert answer.status_code == 403, f"{method} {path} {headers}"


def test_strangers_reach_no_page_that_is_not_open(app: Flask, client: FlaskClient) -> None:
    for unsafe in (False, True):
        for method, path, rule in pages(app, unsafe=unsafe):
            if rule.kind == Kind.PUBLIC:
                continue
            answer = client.open(path, method=method)
            assert answer.status_code == 303, f"{method} {path}"
            assert answer.headers["Location"].startswith("/login?next="), f"{method} {path}"


def test_each_role_opens_exactly_the_pages_that_are_its_own(app: Flask) -> None:
    who = Personas()
    for role in Role:
        person = who.by_role(role)
        browser = signed_in(app, person.id)
        for method, path, rule in pages(app, unsafe=False):
            if rule.permission is None or path.endswith("/stream"):
                continue
            answer = browser.open(path, method=method)
            answer.close()
            if role not in HOLDERS[rule.permission]:
                assert answer.status_code == 403, f"{path} {role}"
            else:
                assert answer.status_code < 500, f"{path} {role}"


def test_no_call_of_the_api_acts_by_the_desks_cookie_alone(app: Flask) -> None:
    browser = signed_in(app, Personas().ada.id)
    unsafe = [each for each in ENDPOINTS.values() if each.method != "GET"]
    guarded = [each for each in unsafe if isinstance(each.who, Permission)]
    assert len(guarded) > 20
    for found in guarded:
        path = found.path.replace("{", "x_").replace("}", "")
        for headers in (
            {},
            {"X-CSRF-Token": "guess"},
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = browser.open(path, method=found.method, headers=headers, json={})
            assert answer.status_code == 403, f"{found.name} {headers}"
            assert answer.json["error"]["code"] == "FORBIDDEN", found.name

"""Every route says who may call it, exactly once; a silent one keeps the app from starting."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from core.permissions import Permission
from tests.rig import environment
from web import access


@pytest.fixture
def environ(sqlite_url: str, instance: Path) -> dict[str, str]:
    """One database is enough: nothing here reaches it."""
    return environment.settings(sqlite_url, instance)


def test_every_route_of_the_app_has_its_rule(app: Flask) -> None:
    rules = list(access.table(app))
    assert len(rules) > 10
    assert [str(rule) for rule, found in rules if found is None] == []
    for rule, found in rules:
        assert found is not None
        assert (found.permission is not None) == (found.kind == access.Kind.PERMISSION), str(rule)


def test_open_routes_are_known_by_name(app: Flask) -> None:
    unsafe = sorted(
        f"{method} {rule}"
        for rule, found in access.table(app)
        if found is not None and found.kind == access.Kind.PUBLIC
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    )
    # Each of these was thought about; a new one must be too.
    allowed = {
        "POST /api/auth/token",
        "POST /csp-reports",
        "POST /login",
        "POST /login/forgot",
        "POST /login/second-factor",
        "POST /login/second-factor/options",
        "POST /account/set-password/<token>",
        "POST /pay/<public_id>/return",
    }
    assert set(unsafe) <= allowed


def test_a_silent_route_keeps_the_app_from_starting() -> None:
    app = Flask("silent")
    app.add_url_rule("/open", view_func=lambda: "x", endpoint="open")
    with pytest.raises(access.NotDeclared, match="/open"):
        access.assert_complete(app)


def test_a_rule_is_given_once_and_says_why_it_is_open() -> None:
    def view() -> str:
        return "x"

    access.public("because")(view)
    with pytest.raises(RuntimeError, match="already"):
        access.page(Permission.AUDIT_READ)(view)
    with pytest.raises(RuntimeError, match="why"):
        access.public("")
    with pytest.raises(RuntimeError, match="permission"):
        access.declare(access.Access(access.Kind.PERMISSION, access.Door.PAGE))


def test_a_route_added_behind_the_registry_is_closed(app: Flask) -> None:
    app.add_url_rule("/sneaked-in", view_func=lambda: "x", endpoint="sneaked")
    assert app.test_client().get("/sneaked-in").status_code == 403

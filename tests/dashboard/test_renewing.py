"""Resetting the demo data: an admin of a supervised sandbox asks for it, and nobody anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.states import Role
from domain import renewal
from tests.api.personas import Personas
from tests.dashboard.desk import Desk, text

PATH = "/sandbox/reset"


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of `app`; a sandbox unless the test says otherwise."""
    return environ | {"PAYDESK_ENV": getattr(request, "param", "sandbox")}


@pytest.fixture
def supervised(instance: Path) -> Iterator[Path]:
    """An instance folder that this process watches over, as `run-all` does."""
    with renewal.supervising(instance.resolve()):
        yield instance.resolve()


def test_admin_is_told_what_happens_and_asks_for_it(
    desk: Desk, who: Personas, supervised: Path
) -> None:
    browser = desk.browser(who.ada)
    assert 'href="/sandbox/reset"' in browser.page("/account")
    asked = text(browser.page(PATH))
    assert "Every payment, order, event, entry and note here is deleted" in asked
    assert "Reason" not in asked
    assert not renewal.is_asked(supervised)
    answer = browser.post(PATH)
    assert answer.status_code == 200 and "The sandbox begins anew" in answer.text
    assert renewal.is_asked(supervised)


def test_nobody_else_may_and_no_forged_form_does(
    desk: Desk, who: Personas, supervised: Path
) -> None:
    for role in Role:
        if role is not Role.ADMIN:
            browser = desk.browser(who.by_role(role))
            assert browser.get(PATH).status_code == 403, role
            assert browser.post(PATH).status_code == 403, role
            assert "Reset demo data" not in browser.page("/account")
    assert desk.browser(who.ada).post(PATH, csrf=False).status_code in (400, 403)
    assert desk.anonymous().get(PATH).status_code == 303
    assert not renewal.is_asked(supervised)


def test_processes_started_by_hand_say_why_not(desk: Desk, who: Personas, instance: Path) -> None:
    browser = desk.browser(who.ada)
    assert "These processes were started by hand." in browser.page("/account")
    assert browser.get(PATH).status_code == 404
    assert browser.post(PATH).status_code == 404
    assert not renewal.is_asked(instance)


@pytest.mark.parametrize("environ", ["test"], indirect=True)
def test_there_is_no_such_page_outside_a_sandbox(
    desk: Desk, who: Personas, supervised: Path
) -> None:
    browser = desk.browser(who.ada)
    assert "Reset demo data" not in browser.page("/account")
    assert browser.get(PATH).status_code == 404
    assert browser.post(PATH).status_code == 404
    assert not renewal.is_asked(supervised)


def test_a_supervisor_that_died_is_none(instance: Path) -> None:
    (instance / "supervisor.pid").write_text("999999999")
    assert not renewal.is_supervised(instance)
    (instance / "supervisor.pid").write_text("nonsense")
    assert not renewal.is_supervised(instance)


def test_a_wish_of_an_earlier_run_is_forgotten(instance: Path) -> None:
    renewal.ask(instance)
    with renewal.supervising(instance):
        assert not renewal.is_asked(instance)
    assert not renewal.is_supervised(instance)

"""Resetting the demo data: an admin of a supervised sandbox asks for it, and nobody anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.states import Role
from domain import renewal
from tests.api.personas import Personas
from tests.dashboard.desk import Desk, text
from tests.rig import product

PATH = "/sandbox/reset"


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of `app`; a sandbox unless the test says otherwise."""
    kind = getattr(request, "param", "sandbox")
    rail = product.stripe_settings("http://127.0.0.1:9")
    if kind == "own keys":
        rail |= {"STRIPE_API_BASE": "https://api.stripe.com"}
    return environ | rail | {"PAYDESK_ENV": "test" if kind == "test" else "sandbox"}


def is_asked(folder: Path) -> bool:
    return (folder / "begin-anew").exists()


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
    assert not is_asked(supervised)
    answer = browser.post(PATH)
    assert answer.status_code == 200 and "The sandbox begins anew" in answer.text
    assert is_asked(supervised)


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
    assert not is_asked(supervised)


def test_processes_started_by_hand_say_why_not(desk: Desk, who: Personas, instance: Path) -> None:
    browser = desk.browser(who.ada)
    assert "These processes were started by hand." in browser.page("/account")
    assert browser.get(PATH).status_code == 404
    assert browser.post(PATH).status_code == 404
    assert not is_asked(instance)


@pytest.mark.parametrize("environ", ["test", "own keys"], indirect=True)
def test_there_is_no_such_page_where_money_may_be_real(
    desk: Desk, who: Personas, supervised: Path
) -> None:
    browser = desk.browser(who.ada)
    assert "Reset demo data" not in browser.page("/account")
    assert browser.get(PATH).status_code == 404
    assert browser.post(PATH).status_code == 404
    assert not is_asked(supervised)


def test_a_supervisor_that_died_is_none(instance: Path) -> None:
    (instance / "supervisor.pid").write_text("999999999")
    assert not renewal.is_supervised(instance)
    (instance / "supervisor.pid").write_text("nonsense")
    assert not renewal.is_supervised(instance)


def test_a_wish_of_an_earlier_run_is_forgotten(instance: Path) -> None:
    renewal.ask(instance)
    with renewal.supervising(instance):
        assert not is_asked(instance)
    assert not renewal.is_supervised(instance)

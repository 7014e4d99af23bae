"""Who may open which page: by role, by session, by token of the form; every route of the desk is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from core.permissions import HOLDERS
from core.states import Role
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import HTMX, Desk
from tests.web import examples
from web import access

PAGES = {
    "/": "all",
    "/users": "admin auditor",
    "/users/roles": "all",
    "/payments": "all",
    "/orders": "all",
    "/webhooks": "staff",
    "/exceptions": "staff merchant",
    "/account": "all",
    "/search": "all",
}
STAFF = {Role.SUPPORT, Role.FINANCE, Role.ADMIN, Role.ENGINEER, Role.AUDITOR}


def routes(app: Flask) -> Iterator[tuple[Rule, access.Access]]:
    for rule, found in access.table(app):
        # The stream has tests of its own in tests/live; it does not end by itself.
        is_stream = rule.endpoint.startswith("desk_stream")
        if rule.endpoint.startswith("desk_") and not is_stream and found is not None:
            yield rule, found


def path_of(rule: Rule) -> str:
    """Fill a route's parts with names of nothing."""
    return examples.address(rule.rule)


def test_nobody_signed_in_is_led_to_the_login(app: Flask, desk: Desk) -> None:
    browser, tried = desk.anonymous(), 0
    for rule, found in routes(app):
        if found.kind == access.Kind.PUBLIC or "GET" not in (rule.methods or ()):
            continue
        answer = browser.get(path_of(rule))
        assert answer.status_code == 303, rule
        assert answer.location.startswith("/login?next="), rule
        answer = browser.get(path_of(rule), htmx=True)
        assert (answer.status_code, answer.text) == (204, ""), rule
        assert answer.headers["HX-Redirect"].startswith("/login?next="), rule
        tried += 1
    assert tried > 25


def test_every_form_needs_the_token_of_its_own_session(
    app: Flask, desk: Desk, who: Personas
) -> None:
    ada, fin = desk.browser(who.ada), desk.browser(who.fin)
    foreign, tried = fin.csrf(), 0
    for rule, _ in routes(app):
        if "POST" not in (rule.methods or ()) or rule.rule == "/login":
            continue
        path = path_of(rule)
        assert ada.post(path, csrf=False).status_code == 403, rule
        assert ada.post(path, csrf=False, csrf_token=foreign).status_code == 403, rule
        assert ada.post(path, csrf=False, csrf_token="x" * 40).status_code == 403, rule
        own = {"csrf_token": ada.csrf()}
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert ada.client.post(path, data=own, headers=cross).status_code == 403, rule
        origin = {"Origin": "https://evil.test"}
        assert ada.client.post(path, data=own, headers=origin).status_code == 403, rule
        tried += 1
    assert tried >= 9


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_its_pages_and_no_others(desk: Desk, who: Personas, role: Role) -> None:
    browser = desk.browser(who.by_role(role))
    home = browser.page("/")
    for path, holders in PAGES.items():
        named = holders.split()
        may = holders == "all" or ("staff" in named and role in STAFF) or role.value in named
        answer = browser.get(path)
        assert answer.status_code == (200 if may else 403), path
        if path in ("/payments", "/orders", "/webhooks", "/exceptions", "/users"):
            assert (f'class="nav-link" href="{path}"' in home) == may, path
        if not may:
            assert "This is not yours to open" in answer.text


def test_a_token_or_key_opens_no_page(desk: Desk, who: Personas) -> None:
    browser = desk.anonymous()
    for headers in (who.fin.headers, who.mels_key.headers):
        assert browser.client.get("/payments", headers=headers).status_code == 401


def test_no_page_is_kept_by_a_cache_or_framed(desk: Desk, who: Personas) -> None:
    answer = desk.browser(who.fin).get("/payments")
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "stripe" not in policy


def test_reading_changes_nothing(app: Flask, desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)
    till.settle(payment)
    browser = desk.browser(who.fin)
    browser.page("/")
    inbound = re.search(r'id="webhook-(inb_\w+)"', browser.part("/webhooks/rows"))
    assert inbound
    before = _counts()
    names = {"payment_id": payment["paymentId"], "order_id": payment["orderId"]}
    names |= {"inbound_id": inbound[1]}
    for rule, found in routes(app):
        # A refusal is written down, so only what finance may open is opened.
        is_own = found.permission is None or Role.FINANCE in HOLDERS[found.permission]
        if "GET" not in (rule.methods or ()) or not is_own:
            continue
        path = rule.rule
        for name, value in names.items():
            path = path.replace(f"<{name}>", value)
        browser.client.get(re.sub(r"<[^>]+>", "1", path))
        browser.client.get(re.sub(r"<[^>]+>", "1", path), headers=HTMX)
    assert _counts() == before


def _counts() -> dict[str, int]:
    """Count every row of every table."""
    from sqlalchemy import func, select

    from domain.database import reading
    from models.base import Base

    with reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.parametrize(
    "path",
    [
        *("/payments/%00", "/orders/pay%00x", "/webhooks/%00", "/exceptions/x%00", "/pay/%00"),
        *("/payments/%ED%A0%80", "/pay/%FF"),
    ],
)
def test_what_no_database_can_hold_names_nothing(desk: Desk, who: Personas, path: str) -> None:
    assert desk.browser(who.fin).get(path).status_code in (400, 404)


def test_forms_take_what_no_database_can_hold(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser = desk.browser(who.fin)
    answer = browser.post(f"/payments/{payment}/notes", note="before\0after")
    assert answer.status_code == 303
    assert "beforeafter" in browser.page(f"/payments/{payment}")
    cursor = "WyIyMDI2LTExLTIxVDAwOjAwOjAwKzAwOjAwIiwiXHUwMDAwIl0"
    assert browser.get(f"/payments?cursor={cursor}").status_code == 200

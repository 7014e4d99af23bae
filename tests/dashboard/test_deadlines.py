"""Deadlines on the desk: chosen, shown before they move, moved in one act, and put back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from core import clock
from core.states import Role
from domain.database import reading, transaction
from models.delays import DeadlineExtension
from models.orders import Order
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, rows, text

NEW = "/providers/deadlines/new"
FIELDS = ("rail", "due_before", "orders", "hours", "reference")


def due(till: Till, who: Personas, hours: int = 3, **more: object) -> dict[str, Any]:
    at = clock.now().replace(microsecond=0) + timedelta(hours=hours)
    order = till.order(who.bo, depositDueAt=clock.rfc3339(at), **more)
    till.intent(who.bo, order["orderId"])
    return order


def due_at(order: dict[str, Any]) -> datetime:
    with reading() as session:
        found = session.get_one(Order, order["orderId"]).deposit_due_at
    assert found is not None
    return found


def before(hours: int) -> str:
    return f"{clock.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def kept(page: str) -> dict[str, str]:
    """Read what the form that acts carries along."""
    form = page[page.index('id="extend-form"') :]
    return {name: hidden(form, name) for name in FIELDS}


def move(browser: Browser, query: str) -> str:
    """See what would happen, then do it. Gives the page of the act."""
    sent = kept(browser.page(f"{NEW}?{query}")) | {"reason": "the bank is late"}
    answer = browser.post(NEW, sent)
    assert answer.status_code == 303, text(answer.text)
    return str(answer.location)


def test_filter_then_preview_then_apply_then_undo(desk: Desk, who: Personas, till: Till) -> None:
    soon, later = due(till, who, 3, reference="ACME-1"), due(till, who, 90)
    was = due_at(soon)
    sue = desk.browser(who.sue)
    empty = sue.page(NEW)
    assert "What would happen" not in empty.replace("Show what would happen", "")
    query = f"rail=card&due_before={before(10)}&hours=24"
    page = sue.page(f"{NEW}?{query}")
    assert "1 order would be due later." in text(page)
    assert "ACME-1" in page
    assert "Its open payment ends" in text(page)
    # Looking moved nothing.
    assert due_at(soon) == was
    href = move(sue, query)
    assert (due_at(soon), due_at(later)) == (was + timedelta(hours=24), due_at(later))
    shown = text(sue.page(href))
    assert "1 order later by 24 hours Moved" in shown
    assert "1 deadline moved" in shown
    assert rows(sue.page("/providers/deadlines"))[0].startswith("Moved 1 order later by 24 hours")
    asked = text(sue.page(f"{href}/undo"))
    assert "Each order gets the deadline it had" in asked
    assert "So do those whose old deadline has passed" in asked
    refused = sue.post(f"{href}/undo", reason="x")
    assert (refused.status_code, due_at(soon)) == (422, was + timedelta(hours=24))
    answer = sue.post(f"{href}/undo", reason="it came after all")
    assert (answer.status_code, answer.location) == (303, href)
    assert due_at(soon) == was
    shown = text(sue.page(href))
    assert "1 deadline put back" in shown
    assert "Put back" in shown
    assert "It was undone already." in shown
    again = sue.post(f"{href}/undo", reason="once more")
    assert again.status_code == 422
    assert "It was undone already." in text(again.text)


def test_second_press_of_the_same_form_is_the_same_act(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = due(till, who)
    was = due_at(order)
    sue = desk.browser(who.sue)
    page = sue.page(f"{NEW}?orders={order['orderId']}&hours=12")
    sent = kept(page) | {"reason": "the bank is late"}
    first, second = sue.post(NEW, sent), sue.post(NEW, sent)
    assert first.location == second.location
    assert due_at(order) == was + timedelta(hours=12)


def test_orders_by_id_are_shown_with_why_some_are_left_alone(
    desk: Desk, who: Personas, till: Till
) -> None:
    good, endless = due(till, who), till.order(who.bo)
    fin = desk.browser(who.fin)
    query = f"orders={good['orderId']}%0A{endless['orderId']}%20ord_none&hours=24"
    said = text(fin.page(f"{NEW}?{query}"))
    assert "1 order would be due later, 2 would be left alone." in said
    assert "It has no deadline." in said
    assert "There is no such order." in said
    shown = text(fin.page(move(fin, query)))
    assert "1 order left alone; the list says why." in shown
    assert "Left alone It has no deadline." in shown


def test_what_is_wrong_is_said_and_nothing_can_be_pressed(
    desk: Desk, who: Personas, till: Till
) -> None:
    endless = till.order(who.bo)
    sue = desk.browser(who.sue)
    nothing = sue.page(f"{NEW}?rail=card&due_before={before(10)}")
    assert "No order waits like this." in text(nothing)
    assert "extend-form" not in nothing
    for query, said in (
        ("rail=card&due_before=soon", "Use a moment such as"),
        (f"rail=pigeon&due_before={before(9)}", "A rail is one of"),
        (f"orders={endless['orderId']}&hours=0", "From 1 to 720 hours."),
        ("orders=" + "+".join(f"ord_{number}" for number in range(501)), "At most 500 orders"),
    ):
        answer = sue.get(f"{NEW}?{query}")
        assert answer.status_code == 422, query
        assert said in text(answer.text), query
    sent = {"orders": endless["orderId"], "hours": "24", "reason": "the bank is late"}
    answer = sue.post(NEW, sent)
    assert answer.status_code == 422
    assert "None of these orders can be extended." in text(answer.text)
    good = due(till, who)
    answer = sue.post(NEW, sent | {"orders": good["orderId"], "reason": "x"})
    # The form stands there again, with what was chosen.
    assert answer.status_code == 422
    assert "Say why in a few words." in text(answer.text)
    assert kept(answer.text)["orders"] == good["orderId"]


def test_undo_that_comes_too_late_is_refused_with_why(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = due(till, who)
    sue = desk.browser(who.sue)
    href = move(sue, f"orders={order['orderId']}&hours=24")
    moved = due_at(order)
    with transaction() as session:
        found = session.get_one(DeadlineExtension, href.rpartition("/")[2])
        found.undoable_until = clock.now()
    assert sue.get(f"{href}/undo").location == href
    assert "that day is over" in text(sue.page(href))
    assert sue.post(f"{href}/undo", reason="too late").status_code == 422
    assert due_at(order) == moved


def test_those_who_may_not_move_deadlines_read_what_was_moved(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = due(till, who)
    href = move(desk.browser(who.sue), f"orders={order['orderId']}&hours=24")
    for role in Role:
        browser = desk.browser(who.by_role(role))
        may = role in (Role.SUPPORT, Role.FINANCE, Role.ADMIN)
        reads = may or role in (Role.ENGINEER, Role.AUDITOR)
        assert browser.get(href).status_code == (200 if reads else 403), role
        for path in (NEW, f"{href}/undo"):
            assert browser.get(path).status_code == (200 if may else 403), (role, path)
            answer = browser.post(path, {"reason": "x"})
            assert answer.status_code == (422 if may else 403), (role, path)
    ann = desk.browser(who.ann)
    assert "Support, finance and admins move deadlines." in text(ann.page(href))


def test_parts_of_the_pages_come_alone_to_htmx_and_lead_home_without(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = due(till, who)
    sue = desk.browser(who.sue)
    href = move(sue, f"orders={order['orderId']}&hours=24")
    assert 'hx-trigger="sse:deadlines"' in sue.part(f"{href}/body")
    assert "1 order later by 24 hours" in text(sue.part("/providers/deadlines/rows"))
    assert sue.get(f"{href}/body").location == href
    assert sue.get("/providers/deadlines/rows").location == "/providers/deadlines"
    assert re.search(r'class="nav-link" href="/providers"', sue.page("/providers/deadlines"))

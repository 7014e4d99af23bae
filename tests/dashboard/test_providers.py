"""Providers on the desk: how rails are, saying that one is late and that it is over, and where that is read."""

from __future__ import annotations

import html
import re
from datetime import timedelta

from core import clock
from core.states import Role
from domain.database import reading, transaction
from domain.delays import notice_queries
from models.orders import Order
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, rows, text

NEW = "/providers/notices/new"
LATE = "Card payments are confirmed late today."
FORM = {
    "about": "card",
    "kind": "delay",
    "text": LATE,
    "window": "48",
    "reason": "their status page says so",
}


def eta() -> str:
    return f"{clock.now() + timedelta(hours=5):%Y-%m-%dT%H:%M}"


def say(browser: Browser, **more: str) -> str:
    """Say that cards are late. Gives the notice's page."""
    answer = browser.post(NEW, FORM | more)
    assert answer.status_code == 303, text(answer.text)
    return str(answer.location)


def test_page_shows_each_rail_and_what_is_late_on_it(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo, depositDueAt=clock.rfc3339(clock.after(3600)))
    browser = desk.browser(who.sue)
    said = text(browser.page("/providers"))
    assert "Card, Stripe Healthy Stripe answers." in said
    assert "1 order is due within a day" in said
    assert "Nothing is late Nobody has said" in said
    with transaction() as session:
        session.get_one(Payment, payment["paymentId"]).status = "processing"
    assert "1 payment is on its way, the oldest since" in text(browser.part("/providers/rows"))


def test_saying_it_shows_first_what_will_happen_and_then_does_it(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    browser = desk.browser(who.sue)
    asked = text(browser.page(NEW))
    assert "Everybody reads it from this moment on" in asked
    assert "No deadline of an order moves by itself" in asked
    shown = text(browser.page(say(browser, eta=eta())))
    assert "Card payments are late Late" in shown
    assert LATE in shown
    assert "We wait for 48 hours" in shown
    [row] = rows(browser.page("/providers"))
    assert row.startswith("Late Card payments are late")
    again = browser.post(NEW, FORM)
    assert again.status_code == 422
    assert "A notice of this kind is open" in text(again.text)


def test_what_is_wrong_stands_beside_its_field(desk: Desk, who: Personas, till: Till) -> None:
    del till
    browser = desk.browser(who.sue)
    for more, said in (
        ({"reason": "x"}, "Say why in a few words."),
        ({"text": " "}, "Write what everybody shall read."),
        ({"text": "4242 4242 4242 4242"}, "Card numbers are never kept here."),
        ({"eta": "soon"}, "Use a moment such as"),
        ({"eta": "2020-01-01T00:00"}, "This time has passed."),
        ({"about": "pigeon"}, "A rail is one of"),
    ):
        answer = browser.post(NEW, FORM | more)
        assert answer.status_code == 422, more
        assert said in text(answer.text), more
    part = browser.post(NEW, FORM | {"reason": "x"}, htmx=True)
    assert part.status_code == 422
    assert "<html" not in part.text
    with reading() as session:
        assert notice_queries.live(session) == []


def test_it_stands_above_every_page_for_everybody_until_it_is_over(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    sue, bo = desk.browser(who.sue), desk.browser(who.bo)
    href = say(sue, eta=eta())
    above = text(sue.page("/payments"))
    assert f"Card payments are late {LATE} Expected by" in above
    assert f'href="{href}"' in sue.page("/payments")
    assert LATE in text(bo.page("/payments"))
    assert href not in bo.page("/payments")
    assert LATE in text(bo.part("/desk/banners"))
    asked = text(sue.page(f"{href}/close"))
    assert "Deadlines that were moved stay moved" in asked
    answer = sue.post(f"{href}/close", reason="they caught up")
    assert (answer.status_code, answer.location) == (303, href)
    assert LATE not in text(bo.page("/payments"))
    shown = text(sue.page(href))
    assert "Because they caught up" in shown
    assert "It is over already." in shown
    assert sue.get(f"{href}/close").location == href
    assert rows(sue.page("/providers")) == []
    assert len(rows(sue.page("/providers?state=closed"))) == 1
    assert len(rows(sue.page("/providers?state=closed&rail=card"))) == 1


def test_pay_page_and_status_page_say_it_in_its_own_words(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    with reading() as session:
        public = session.get_one(Payment, payment["paymentId"]).public_id
    payer, sue = desk.anonymous(), desk.browser(who.sue)
    assert LATE not in payer.page(f"/pay/{public}")
    waiting = text(payer.page(f"/pay/{public}/return"))
    assert "Confirmed within seconds" in waiting
    href = say(sue, eta=eta())
    assert LATE in text(payer.page(f"/pay/{public}"))
    waiting = text(payer.page(f"/pay/{public}/return"))
    assert LATE in waiting
    assert "Expected by" in waiting
    assert "Confirmed within seconds" not in waiting
    assert f'data-state-url="/pay/{public}/state?back=yes"' in payer.page(f"/pay/{public}/return")
    assert "Waiting for your bank" in text(payer.part(f"/pay/{public}/state?back=yes"))
    with transaction() as session:
        session.get_one(Payment, payment["paymentId"]).status = "processing"
    state = text(payer.part(f"/pay/{public}/state"))
    assert "Your bank is confirming The payment is on its way." in state
    assert LATE in state
    assert "Expected by" in state
    status = text(payer.page("/status"))
    assert f"Card payments {LATE} Expected back" in status
    assert "Payments may take longer than usual" in status
    say(sue, kind="outage", text="No card can be charged.")
    status = text(payer.page("/status"))
    assert "Card payments No card can be charged." in status
    assert f"Card payments are late {LATE}" in status
    sue.post(f"{href}/close", reason="they caught up")
    with transaction() as session:
        session.get_one(Payment, payment["paymentId"]).status = "completed"
    # Whoever has paid is not worried by what is late for others.
    assert "No card can be charged" not in payer.page(f"/pay/{public}")


def test_only_those_who_may_say_so_are_offered_it(desk: Desk, who: Personas, till: Till) -> None:
    del till
    href = say(desk.browser(who.fin))
    for role in Role:
        browser = desk.browser(who.by_role(role))
        is_staff = role in (
            Role.SUPPORT,
            Role.FINANCE,
            Role.ADMIN,
            Role.ENGINEER,
            Role.AUDITOR,
        )
        may = is_staff and role != Role.AUDITOR
        for path in ("/providers", href, "/providers/deadlines"):
            assert browser.get(path).status_code == (200 if is_staff else 403), (role, path)
        for path in (NEW, f"{href}/close"):
            assert browser.get(path).status_code == (200 if may else 403), (role, path)
            answer = browser.post(path, FORM | {"reason": "x"})
            assert answer.status_code == (422 if may else 403), (role, path)
    assert "Support, finance, admins and engineers say so." in text(
        desk.browser(who.ann).page("/providers")
    )


def test_notice_leads_to_an_entry_by_hand_with_its_note_and_day_of_reversal(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    fin = desk.browser(who.fin, fresh=True)
    late = f"{clock.now() + timedelta(days=60):%Y-%m-%dT%H:%M}"
    page = fin.page(say(fin, eta=late))
    found = re.search(r'href="(/journal/new\?[^"]+)"', page)
    assert found
    form = fin.page(html.unescape(found[1]))
    assert LATE in form
    day = f"{clock.now() + timedelta(days=60):%Y-%m-%d}"
    assert f'name="reversal_due_on" type="date" value="{day}"' in form
    sue = desk.browser(who.sue)
    assert "/journal/new" not in sue.page("/providers")
    assert "Finance and admins post by hand." in text(sue.page(str(find_notice())))


def find_notice() -> str:
    with reading() as session:
        [row] = notice_queries.live(session)
    return f"/providers/notices/{row.id}"


def test_notice_is_found_by_its_id_and_the_audit_log_leads_to_it(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    href = say(desk.browser(who.sue))
    ada = desk.browser(who.ada)
    assert ada.get(f"/search?q={href.rpartition('/')[2]}").location == href
    assert f'href="{href}"' in ada.page("/audit?action=notice")


def test_order_offers_to_extend_its_deadline(desk: Desk, who: Personas, till: Till) -> None:
    order = till.order(who.bo, depositDueAt=clock.rfc3339(clock.after(3600)))
    order_id = order["orderId"]
    offered = f"/providers/deadlines/new?orders={order_id}"
    assert offered in desk.browser(who.sue).page(f"/orders/{order_id}")
    assert offered not in desk.browser(who.bo).page(f"/orders/{order_id}")
    assert offered not in desk.browser(who.ed).page(f"/orders/{order_id}")
    with transaction() as session:
        session.get_one(Order, order_id).deposit_due_at = None
    assert offered not in desk.browser(who.sue).page(f"/orders/{order_id}")

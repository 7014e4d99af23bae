"""The one search box: exact names open what they name, the rest is listed, nothing foreign is found."""

from __future__ import annotations

import pytest

from domain import database
from models.inbound import InboundEvent
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def test_exact_names_open_what_they_name(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo, reference="PH-165")
    till.settle(payment)
    with database.reading() as session:
        event = session.query(InboundEvent).one()
    browser = desk.browser(who.sue)
    page, order = f"/payments/{payment['paymentId']}", f"/orders/{payment['orderId']}"
    for name, href in (
        (payment["paymentId"], page),
        (payment["providerReference"], page),
        (f"  {payment['paymentId']} ", page),
        (payment["orderId"], order),
        ("PH-165", order),
        (event.id, f"/webhooks/{event.id}"),
        (str(event.provider_event_id), f"/webhooks/{event.id}"),
    ):
        answer = browser.client.get("/search", query_string={"q": name})
        assert (answer.status_code, answer.location) == (303, href), name


def test_what_is_not_exact_is_listed_by_kind(desk: Desk, who: Personas, till: Till) -> None:
    till.payment(who.bo)
    till.payment(who.bo)
    said = text(desk.browser(who.sue).page("/search?q=25.00"))
    assert "Payments 2" in said
    assert "found by amount" in said
    assert "found by e-mail" in text(desk.browser(who.sue).page(f"/search?q={who.bo.email}"))


@pytest.mark.parametrize("stranger", ["eve", "sal"])
def test_foreign_things_are_not_found(desk: Desk, who: Personas, till: Till, stranger: str) -> None:
    payment = till.payment(who.bo, reference="PH-165")
    till.settle(payment)
    browser = desk.browser(getattr(who, stranger))
    names = (payment["paymentId"], payment["orderId"], payment["providerReference"], "PH-165")
    for name in (*names, "25.00", who.bo.email):
        assert "Nothing found" in browser.page(f"/search?q={name}")


def test_empty_search_says_what_it_knows(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.bo)
    assert "Paste a whole id" in browser.page("/search")
    assert "Nothing found" in browser.page("/search?q=" + "x" * 500)
    assert "Nothing found" in browser.page("/search?q=%00%27;--")

"""The one search box: exact names open what they name, the rest is listed, nothing foreign is found."""

from __future__ import annotations

import pytest

from domain import database
from domain.jobs import refunding
from models.inbound import InboundEvent
from models.refunds import Refund
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, hidden, text


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


def test_ids_of_refunds_approvals_and_people_open_their_pages(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    till.settle(payment)
    fin = desk.browser(who.fin, fresh=True)
    path = f"/payments/{payment['paymentId']}/refund"
    once = hidden(fin.page(path), "once")
    assert fin.post(path, amount="20.00", reason="Broken leg", once=once).status_code == 303
    assert refunding.send_next()
    with database.reading() as session:
        refund = session.query(Refund).one()
    href = f"/refunds/{refund.id}"
    sue = desk.browser(who.sue)
    assert refund.provider_reference
    for name in (refund.id, refund.provider_reference):
        assert sue.get(f"/search?q={name}").location == href, name
        assert "Nothing found" in desk.browser(who.bo).page(f"/search?q={name}")
        assert "Nothing found" in desk.browser(who.eve).page(f"/search?q={name}")
    ada = desk.browser(who.ada)
    assert ada.get(f"/search?q={who.bo.id}").location == f"/users/{who.bo.id}"
    assert "Nothing found" in sue.page(f"/search?q={who.bo.id}")
    for absent in ("apr_none", "frz_none", "ref_none", "rul_none", "usr_none"):
        assert "Nothing found" in ada.page(f"/search?q={absent}")


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

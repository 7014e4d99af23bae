"""An invoice's own pay page leads to what can be paid now, and else says how the invoice stands."""

from __future__ import annotations

from sqlalchemy import select

from domain import database
from models.invoices import Invoice
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text


def of(order_id: str, **changes: object) -> str:
    """Give the name of the pay page of an order's only invoice, and change its row first where asked."""
    with database.transaction() as session:
        row = session.scalars(select(Invoice).where(Invoice.order_id == order_id)).one()
        for name, value in changes.items():
            setattr(row, name, value)
        return str(row.public_id)


def test_it_leads_to_the_attempt_that_can_be_paid_and_else_says_what_to_do(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = till.order(who.bo, deposit=None)["orderId"]
    page, anybody = f"/pay/{of(order)}", desk.anonymous()
    assert page.startswith("/pay/ip_")
    answer = anybody.get(page)
    assert answer.status_code == 200
    said = text(answer.text)
    assert "is still to be paid" in said and "INV-" in said
    assert who.bo.email not in answer.text
    payment = till.intent(who.bo, order)["paymentId"]
    with database.reading() as session:
        public = session.get_one(Payment, payment).public_id
    answer = anybody.get(page)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/pay/{public}")


def test_it_asks_for_no_money_once_it_is_paid_or_void(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = till.order(who.bo, deposit=None)["orderId"]
    with database.reading() as session:
        total = session.scalars(select(Invoice).where(Invoice.order_id == order)).one().total_minor
    anybody = desk.anonymous()
    page = of(order, status="confirmed", paid_minor=total, confirmed_minor=total)
    said = text(anybody.get(f"/pay/{page}").text)
    assert "Nothing is left to pay" in said and "still to be paid" not in said
    of(order, status="void", open_key=None, paid_minor=0, confirmed_minor=0)
    answer = anybody.get(f"/pay/{page}")
    assert answer.status_code == 410 and "nothing is to be paid" in text(answer.text)


def test_an_invoice_is_found_by_no_other_name(desk: Desk, who: Personas, till: Till) -> None:
    order = till.order(who.bo)
    anybody = desk.anonymous()
    for name in (order["invoiceId"], "ip_none", f"{of(order['orderId'])}x"):
        assert anybody.get(f"/pay/{name}").status_code == 404, name

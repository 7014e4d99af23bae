"""Orders on the desk: the list, one order with its money and postings, cancelling."""

from __future__ import annotations

from domain import database
from models.orders import Order
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, rows, text


def status_of(order_id: str) -> str:
    with database.reading() as session:
        return session.get_one(Order, order_id).status


def test_list_filters_searches_and_keeps_to_own_rows(desk: Desk, who: Personas, till: Till) -> None:
    bos = till.order(who.bo, reference="KF-553")["orderId"]
    mels = till.order(who.mel)["orderId"]
    fin = desk.browser(who.fin)
    assert set(ids_of(fin.page("/orders"), "order")) == {bos, mels}
    assert ids_of(fin.page("/orders?state=awaiting_deposit&q=KF-553"), "order") == [bos]
    assert ids_of(fin.page(f"/orders?q={who.bo.email}"), "order") == [bos]
    assert ids_of(fin.page("/orders?state=paid"), "order") == []
    assert ids_of(desk.browser(who.mel).page("/orders"), "order") == [mels]
    assert ids_of(desk.browser(who.bo).page("/orders"), "order") == [bos]
    assert ids_of(desk.browser(who.eve).page("/orders"), "order") == []
    (row,) = rows(desk.browser(who.bo).page("/orders"))
    for word in ("Awaiting deposit", "125.00 EUR", "0.00 EUR", "KF-553", "You"):
        assert word in row
    assert "sse:orders" in fin.part("/orders/rows?q=KF-553")
    assert fin.get("/orders/rows?q=KF-553").location == "/orders?q=KF-553"


def test_page_adds_the_money_up(desk: Desk, who: Personas, till: Till) -> None:
    parts = [
        {"title": "Survey", "amount": {"amount": "25.00", "currency": "EUR"}},
        {"title": "Drawings", "amount": {"amount": "100.00", "currency": "EUR"}},
    ]
    order = till.order(who.bo, milestones=parts)["orderId"]
    till.settle(till.intent(who.bo, order))
    browser = desk.browser(who.fin)
    said = text(browser.page(f"/orders/{order}"))
    for words in (
        *("125.00 EUR Deposit paid", "20 % paid", "Outstanding 100.00 EUR", "Deposit asked 25.00"),
        *("Funded Survey", "Unfunded Drawings", "Confirmed Deposit", "Order placed"),
        *("Order awaiting deposit → deposit paid", "Ledger postings 1", "escrow_hold"),
        *("Money has arrived. It has to be refunded first.",),
    ):
        assert words in said, words
    part = browser.part(f"/orders/{order}/body")
    assert f"sse:order-{order}" in part
    assert browser.get(f"/orders/{order}/body").location == f"/orders/{order}"


def test_buyer_sees_their_order_without_the_books(desk: Desk, who: Personas, till: Till) -> None:
    order = till.order(who.bo)["orderId"]
    assert "Ledger postings" not in desk.browser(who.bo).page(f"/orders/{order}")
    for stranger in (who.eve, who.sal, who.mel):
        assert desk.browser(stranger).get(f"/orders/{order}").status_code == 404
        assert desk.browser(stranger).get(f"/orders/{order}/body", htmx=True).status_code == 404


def test_cancel_asks_why_and_happens_once(desk: Desk, who: Personas, till: Till) -> None:
    order = till.order(who.bo)["orderId"]
    browser, path = desk.browser(who.bo), f"/orders/{order}/cancel"
    assert "Nobody can start a payment" in text(browser.page(path))
    assert browser.post(path, reason="").status_code == 422
    assert status_of(order) == "awaiting_deposit"
    assert browser.post(path, reason="Changed my mind").location == f"/orders/{order}"
    assert status_of(order) == "cancelled"
    assert "The order is cancelled" in text(browser.page(f"/orders/{order}"))
    assert browser.get(path).status_code == 303


def test_order_with_an_open_payment_is_not_cancelled(desk: Desk, who: Personas, till: Till) -> None:
    order = till.payment(who.bo)["orderId"]
    browser = desk.browser(who.fin)
    assert "Cancel the payment first" in text(browser.page(f"/orders/{order}"))
    answer = browser.post(f"/orders/{order}/cancel", reason="No longer wanted")
    assert answer.status_code == 422
    assert status_of(order) == "awaiting_deposit"
    assert desk.browser(who.ann).post(f"/orders/{order}/cancel", reason="x y z").status_code == 403
    assert desk.browser(who.eve).post(f"/orders/{order}/cancel", reason="mine").status_code == 404

"""Wallets on the desk: sums that are true, each movement with its payment, pages of payments without an order."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from core.money import Money, asset
from core.states import Role
from domain.books import accounts, ledger, reserving
from domain.database import transaction
from domain.jobs import refunding
from models.payments import Payment
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, rows, text
from tests.domain import fake_charges
from tests.domain.wallets import keep_card

CONFIRM = "/v1/stripe/transactions/confirm"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def top_up(till: Till, who: Personas, amount: str, card: str = "pm_visa") -> str:
    """Have Bo pay in. Gives the payment."""
    body = {"paymentMethodId": keep_card(who.bo.id, card), "amount": amount, "currency": "EUR"}
    said: dict[str, Any] = till.post(CONFIRM, who.bo, body).get_json()
    found = said.get("transactionId") or said["error"]["details"]["transactionId"]
    return str(found)


def refund(browser: Browser, payment_id: str, amount: str) -> Any:
    path = f"/payments/{payment_id}/refund"
    page = browser.page(path)
    assert "It is taken out of the payer's wallet" in text(page)
    once = hidden(page, "once")
    return browser.post(path, {"amount": amount, "reason": "Asked for", "once": once})


def test_a_wallet_tells_apart_what_is_there_and_what_is_not(
    desk: Desk, till: Till, who: Personas
) -> None:
    paid = top_up(till, who, "1250.50")
    top_up(till, who, "40.00", fake_charges.ASKED)
    sue = desk.browser(who.sue, fresh=True)
    page = sue.page(f"/wallets/{who.bo.id}")
    assert "Balance 1,250.50 EUR" in text(page)
    assert "Paid, not final 0.00 EUR" in text(page)
    assert "Pending 40.00 EUR" in text(page)
    [row] = rows(page)
    assert row.startswith("In 1,250.50 EUR Wallet top-up Credited then 1,250.50 EUR")
    assert f'href="/payments/{paid}"' in page
    assert refund(sue, paid, "50.50").status_code == 303
    assert "Of it being refunded 50.50 EUR" in text(sue.part(f"/wallets/{who.bo.id}/body"))
    while refunding.send_next():
        pass
    newest, _ = rows(sue.part(f"/wallets/{who.bo.id}/body"))
    assert newest.startswith("Out − 50.50 EUR Wallet top-up Refunded to the card")
    assert "Balance 1,200.00 EUR" in text(sue.page(f"/wallets/{who.bo.id}"))


def test_a_wallet_is_seen_by_whom_it_concerns(desk: Desk, till: Till, who: Personas) -> None:
    top_up(till, who, "10.00")
    path = f"/wallets/{who.bo.id}"
    assert "Your wallet" in desk.browser(who.bo).page(path)
    assert f'href="{path}"' in desk.browser(who.bo).page("/payments")
    for staff in (who.sue, who.fin, who.ed, who.ann):
        assert "Wallet of bo@people.test" in text(desk.browser(staff).page(path))
    mallory = personas.user("mallory@people.test", role=Role.BUYER)
    for stranger in (mallory, who.sal, who.mel):
        for address in (path, f"{path}/body", "/wallets/usr_none"):
            answer = desk.browser(stranger).get(address, htmx=address.endswith("body"))
            assert answer.status_code == 404, address
    assert desk.anonymous().get(path).status_code == 303
    assert desk.browser(who.sue).get(f"{path}/body").status_code == 303, "a part is no page"
    nothing = text(desk.browser(who.sue).page(f"/wallets/{mallory.id}"))
    assert "It holds nothing, and nothing is on its way." in nothing
    assert "Nothing has moved yet" in nothing


def test_the_person_shows_their_wallet_and_the_staff_has_none(
    desk: Desk, till: Till, who: Personas
) -> None:
    top_up(till, who, "10.00")
    ada = desk.browser(who.ada)
    page = ada.page(f"/users/{who.bo.id}")
    assert "Balance 10.00 EUR" in text(page)
    assert f'href="/wallets/{who.bo.id}"' in page
    assert 'id="person-wallet"' not in ada.page(f"/users/{who.sue.id}")


def test_a_payment_without_an_order_reads_well(desk: Desk, till: Till, who: Personas) -> None:
    paid = top_up(till, who, "10.00")
    waits = top_up(till, who, "20.00", fake_charges.ASKED)
    declined = top_up(till, who, "30.00", fake_charges.DECLINED)
    sue = desk.browser(who.sue)
    listed = sue.page("/payments")
    for row in rows(listed):
        assert "Wallet top-up Visa ending 4242 · pay_" in row
        assert " Wallet bo@people.test Card " in row
        assert "None" not in row
    page = sue.page(f"/payments/{paid}")
    seen = text(page)
    assert "Wallet top-up. The payment is confirmed and the wallet is credited." in seen
    assert "Method A kept card, charged at once" in seen
    assert "Payer bo@people.test" in seen
    assert f'href="/wallets/{who.bo.id}"' in page
    facts = text(sue.part(f"/payments/{paid}/facts"))
    for absent in ("Seller", "Escrow", "People and order", "top_up", "Pay link", "None"):
        assert absent not in facts, absent
    assert "Pay link" in text(sue.page(f"/payments/{waits}"))
    assert "insufficient_funds" in sue.page(f"/payments/{declined}")
    for of in ("coupon", "card_validation", "card_setup"):
        with transaction() as session:
            own = update(Payment).where(Payment.id == waits)
            session.execute(own.values(purpose=of, amount_minor=100))
        seen = text(sue.page(f"/payments/{waits}"))
        assert "Pay link" not in seen and "Open the pay page" not in seen
        assert of not in seen or of == "coupon", of
        assert sue.page("/payments")


def test_a_refund_that_the_wallet_cannot_bear_is_refused_with_what_it_holds(
    desk: Desk, till: Till, who: Personas
) -> None:
    paid, other = top_up(till, who, "20.00"), top_up(till, who, "20.00")
    spent = {"source_key": f"reserved:{other}", "source": "test", "ties": ledger.Ties()}
    with transaction() as session:
        wallet, amount = accounts.wallet(who.bo.id), Money(3_000, asset("EUR"))
        kept = reserving.reserve(session, wallet, amount, **spent)  # type: ignore[arg-type]
        to = accounts.revenue("mrc_house")
        reserving.spend(session, kept.entry_id, to, source_key=f"spent:{other}", source="test")
    answer = refund(desk.browser(who.sue, fresh=True), paid, "15.00")
    assert answer.status_code in (409, 422)
    assert "The wallet holds 10.00 EUR that could be given back." in text(answer.text)
    assert 'value="15.00"' in answer.text, "what was typed is kept"

"""The journal on the desk: what was posted and why, found by all it is tied to, by those who may read it."""

from __future__ import annotations

from typing import Any

import pytest

from core import clock
from core.states import Role
from domain import calendar
from domain.books import chains
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, rows, text


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    till.settle(payment)
    return payment


def test_list_tells_what_moved_between_which_accounts_and_for_what(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    page = desk.browser(who.fin).page("/journal")
    [row] = rows(page)
    for words in (
        "Deposit received",
        "25.00 EUR",
        "Stripe clearing",
        "Buyer's funds",
        "Escrow hold",
    ):
        assert words in row, words
    assert who.bo.email in row
    assert f'href="/payments/{paid["paymentId"]}"' in page


def test_entry_shows_its_lines_ties_and_place_in_the_chain(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    [entry] = ids_of(fin.page("/journal"), "entry")
    page = fin.page(f"/journal/{entry}")
    said = text(page)
    for words in ("Debit 25.00 EUR", "Credit 25.00 EUR", "Linked within seconds", "Booked in"):
        assert words in said, words
    for href in (f"/payments/{paid['paymentId']}", f"/orders/{paid['orderId']}", "/webhooks/inb_"):
        assert f'href="{href}' in page, href
    assert paid["providerReference"] in page
    assert 'hx-trigger="sse:journal-' in page
    assert "every 3s" in page
    chains.link_all()
    linked = fin.part(f"/journal/{entry}/body")
    assert "Place in the chain 1" in text(linked)
    assert "every 3s" not in linked


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.MERCHANT, Role.BUYER, Role.SELLER])
def test_other_roles_read_no_journal(
    desk: Desk, who: Personas, paid: dict[str, Any], role: Role
) -> None:
    browser = desk.browser(who.by_role(role))
    for path in ("/journal", "/journal/rows", "/journal/jrn_x"):
        assert browser.get(path).status_code == 403
    assert 'href="/journal' not in browser.page("/")


def test_search_opens_entries_and_accounts(desk: Desk, who: Personas, paid: dict[str, Any]) -> None:
    fin, sue = desk.browser(who.fin), desk.browser(who.sue)
    [entry] = ids_of(fin.page("/journal"), "entry")
    assert fin.get(f"/search?q={entry}").location == f"/journal/{entry}"
    address = f"order:{paid['orderId']}:escrow_hold"
    assert fin.get(f"/search?q={address}").location == f"/ledger/accounts/{address}"
    assert sue.get(f"/search?q={entry}").location == f"/journal/{entry}"
    assert sue.get(f"/search?q={address}").status_code == 200
    assert fin.get("/search?q=order:none:escrow_hold").status_code == 200


def test_journal_is_narrowed_by_each_tie_kind_month_and_day(
    desk: Desk, who: Personas, till: Till, paid: dict[str, Any]
) -> None:
    till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    fin = desk.browser(who.fin)
    assert len(rows(fin.page("/journal"))) == 2
    month = calendar.month_of(clock.now())
    for query, count in (
        (f"order={paid['orderId']}", 1),
        (f"payment={paid['paymentId']}", 1),
        (f"q={paid['providerReference']}", 1),
        (f"q={paid['orderId']}", 1),
        (f"account=order:{paid['orderId']}:escrow_hold", 1),
        ("account=provider:stripe:clearing", 2),
        ("kind=deposit", 2),
        ("kind=refund", 0),
        ("kind=made_up", 2),
        (f"period={month}", 2),
        ("period=2020-01", 0),
        ("from=2999-01-01", 0),
        ("to=2999-01-01", 2),
        ("state=manual", 0),
        ("state=late", 0),
        ("q=%27--", 0),
    ):
        assert len(rows(fin.page(f"/journal?{query}"))) == count, query
    exported = fin.page(f"/journal?payment={paid['paymentId']}&kind=deposit")
    for part in ("format=csv", "format=hledger", "format=xero&amp;currency=EUR"):
        assert part in exported, part
    assert f"paymentId={paid['paymentId']}" in exported
    assert "Clear the search first" in fin.page("/journal?q=x")

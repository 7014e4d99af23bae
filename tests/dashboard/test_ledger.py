"""The ledger on the desk: what every account holds, the trial balance with its difference, found by any name."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from core.states import Role
from domain.books import verification
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, rows, text


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    till.settle(payment)
    return payment


def test_chart_shows_lines_with_their_accounts_and_a_trial_balance_of_nothing(
    desk: Desk, who: Personas, till: Till, paid: dict[str, Any]
) -> None:
    till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    page = desk.browser(who.fin).page("/ledger")
    said = text(page)
    for words in (
        "EUR Debits 100.00 EUR Credits 100.00 EUR Difference 0.00 EUR Balanced",
        "a difference would mean",
        *("House", "Buyers", "Clearing at providers Stripe clearing", "Escrow hold 2"),
        "Not proved yet",
    ):
        assert words in said, words
    assert len([row for row in rows(page) if "Escrow hold, ord_" in row]) == 2
    address = f"order:{paid['orderId']}:escrow_hold"
    assert f'href="/ledger/accounts/{address}?currency=EUR"' in page
    assert f"Buyer's funds, {who.bo.email}" in said


def test_accounts_are_found_by_address_id_name_and_words(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    for asked, found in (
        (paid["orderId"], ["Escrow hold"]),
        (f"order:{paid['orderId'][:10]}", ["Escrow hold"]),
        ("escrow", ["Escrow hold"]),
        ("stripe", ["Stripe clearing"]),
        (who.bo.email, ["Buyer's funds"]),
        ("Bo", ["Buyer's funds"]),
        ("nobody at all", []),
    ):
        page = fin.page(f"/ledger?q={asked}")
        listed = rows(page)
        assert len(listed) == len(found), (asked, listed)
        for words, row in zip(found, listed, strict=True):
            assert words in row
    assert "No account matches" in text(fin.page("/ledger?q=zzz"))


def test_past_days_know_nothing_of_what_came_later(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    for query in ("on=2020-01-01", "known=2020-01-01"):
        said = text(fin.page(f"/ledger?{query}"))
        assert "Nothing is posted by then" in said
        assert "1 Jan 2020" in said
    assert "Use a day such as" in text(fin.page("/ledger?on=<script>"))


def test_page_says_when_more_was_posted_since_it_was_drawn(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    part = fin.part("/ledger/news?since=2020-01-01T00:00:00Z&kind=asset")
    assert "1 entry was posted since." in text(part)
    assert 'href="/ledger?kind=asset"' in part
    assert text(fin.part("/ledger/news?since=2999-01-01T00:00:00Z")) == ""
    assert fin.get("/ledger/news?since=never", htmx=True).status_code == 204


@pytest.mark.parametrize(
    "role", [Role.SUPPORT, Role.ENGINEER, Role.MERCHANT, Role.BUYER, Role.SELLER]
)
def test_other_roles_read_no_ledger(
    desk: Desk, who: Personas, paid: dict[str, Any], role: Role
) -> None:
    browser = desk.browser(who.by_role(role))
    for path in ("/ledger", "/ledger/news", "/ledger/accounts/provider:stripe:clearing"):
        assert browser.get(path).status_code in (403, 404), path
    assert 'href="/ledger' not in browser.page("/")


def test_statement_begins_with_what_was_and_ends_with_what_is(
    desk: Desk, who: Personas, paid: dict[str, Any], till: Till
) -> None:
    fin = desk.browser(who.fin)
    address = f"buyer:{who.bo.id}:funds"
    page = fin.page(f"/ledger/accounts/{address}")
    said = text(page)
    for words in (
        f"Buyer's funds, {who.bo.email}",
        *("Opening balance 0.00 EUR", "Debits 25.00 EUR", "Credits 25.00 EUR"),
        *("Balance so far 0.00 EUR", "Liability", "Grows by credits"),
    ):
        assert words in said, words
    newest, oldest = rows(page)
    assert "Escrow hold" in newest
    assert "debit 25.00 EUR" in newest
    assert "then 0.00 EUR" in newest
    assert "Stripe clearing" in oldest
    assert "credit 25.00 EUR then 25.00 EUR" in oldest
    last = text(fin.page(f"/ledger/accounts/{address}?range=last"))
    assert "No lines in this time" in last
    assert "Closing balance 0.00 EUR" in last
    for kind in ("quarter", "year"):
        assert "debit 25.00 EUR" in text(fin.page(f"/ledger/accounts/{address}?range={kind}"))
    assert "/postings?currency=EUR" in page


def test_statement_pages_through_many_lines(
    desk: Desk, who: Personas, paid: dict[str, Any], till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.listing.ROWS", 2)
    for _ in range(2):
        till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    fin = desk.browser(who.fin)
    path: str | None = "/ledger/accounts/provider:stripe:clearing?range=all"
    seen: list[str] = []
    page = ""
    while path:
        page = fin.page(path)
        seen += rows(page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = html.unescape(older[1]) if older else None
    assert [row.split("then ")[1].split(" ")[0] for row in seen] == ["75.00", "50.00", "25.00"]
    assert "Opening balance 0.00 EUR" in text(page)


def test_wrong_names_of_accounts_and_places_are_no_faults(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin)
    clearing = "/ledger/accounts/provider:stripe:clearing"
    for path, status in (
        ("/ledger/accounts/provider:stripe:nothing", 404),
        ("/ledger/accounts/%00", 404),
        (f"{clearing}?currency=USD", 400),
        (f"{clearing}?cursor=x", 400),
        ("/ledger?q=a&cursor=x", 400),
        (f"{clearing}?from=x&to=2026-13-01", 200),
    ):
        assert fin.get(path).status_code == status, path


def test_float_says_what_each_rail_holds_and_leads_to_its_account(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    page = desk.browser(who.ann).page("/ledger/float")
    said = text(page)
    for words in ("Card, Stripe", "Held there 25.00 EUR", "On its way 0.00 EUR", "not told yet"):
        assert words in said, words
    assert "/ledger/accounts/provider:stripe:clearing?currency=EUR" in page
    assert desk.browser(who.sue).get("/ledger/float").status_code == 403


def test_verified_books_wear_the_badge_of_what_was_proved(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    verification.verify()
    fin = desk.browser(who.fin)
    page = fin.page("/ledger")
    assert "none failed" in text(page)
    assert 'href="/watch#proof-title"' in page
    entry = ids_of(fin.page("/journal"), "entry")[0]
    assert "as it was written, by the last verification" in text(fin.page(f"/journal/{entry}"))

"""Bank payouts on the desk: what is on its way, the line that shows it, and who may say so."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from core import clock, ids
from domain import database
from domain.reconciliation import payouts
from models.payments import Payment
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.stripe import bookings as stripe_bookings
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, rows, text
from tests.domain import booking
from tests.domain.booking import BOOK, TRANSIT, WHY, balance
from tests.domain.fake_bookings import BOOKED, transaction

HERE = "/reconciliation/payouts"
LINE = {"account": "main-eur", "line": "2026-09/17", "amount": "23.97", "booked_on": "2026-09-22",
        "reason": "seen on the statement"}  # fmt: skip


def paid_out(amount: int) -> str:
    """Have everything that is booked paid out, as so much. Gives the payout's id."""
    record = {"id": "po_1", "status": "paid", "amount": amount, "currency": "eur",
              "created": BOOKED, "arrival_date": BOOKED + 86_400}  # fmt: skip
    with database.reading() as session:
        names = list(session.scalars(select(ProviderBooking.provider_reference)))
    booking.take(transaction("payout", -amount, source=record))  # type: ignore[arg-type]
    said = stripe_bookings.said_payout(record)  # type: ignore[arg-type]
    with database.transaction() as session:
        payouts.hear(session, BOOK, [said], why=WHY)
        payouts.assign(session, BOOK, "po_1", names)
        payouts.close_list(session, BOOK, "po_1", why=WHY)
        return session.scalars(select(ProviderPayout.id)).one()


def another(no: int) -> ProviderPayout:
    at = clock.after(no)
    return ProviderPayout(
        id=ids.new("ppo"), provider="stripe", provider_reference=f"po_more_{no}", status="paid",
        asset="EUR/2", amount_minor=100 + no, created_at=at, updated_at=at,
    )  # fmt: skip


@pytest.fixture
def payout(till: Till) -> str:
    """A payout that is on its way. Gives its id."""
    del till
    return paid_out(2_397)


def test_payout_is_found_by_finance_and_taken_back(desk: Desk, who: Personas, payout: str) -> None:
    fin = desk.browser(who.fin)
    page = fin.page(HERE)
    assert "1 payout on the way 23.97 EUR" in text(page)
    [row] = rows(page)
    assert "Sent to the bank" in row
    form = text(fin.page(f"{HERE}/{payout}/match"))
    assert "Match this payout" in form
    assert "moves from “on its way” to the bank account" in form
    answer = fin.post(f"{HERE}/{payout}/match", LINE)
    assert answer.status_code == 303
    assert (balance(TRANSIT), balance("cash:main-eur")) == (0, 2_397)
    assert rows(fin.page(HERE)) == []
    [row] = rows(fin.page(f"{HERE}?tab=found"))
    assert "found as 2026-09/17 on main-eur" in row
    again = fin.post(f"{HERE}/{payout}/match", LINE)
    assert (again.status_code, "matched to a bank line already" in again.text) == (422, True)
    assert "Take this match back" in fin.page(f"{HERE}/{payout}/unmatch")
    assert fin.post(f"{HERE}/{payout}/unmatch", reason="no").status_code == 422
    assert fin.post(f"{HERE}/{payout}/unmatch", reason="wrong line").status_code == 303
    assert (balance(TRANSIT), balance("cash:main-eur")) == (2_397, 0)


def test_what_was_typed_stays_with_what_is_wrong_beside_it(
    desk: Desk, who: Personas, payout: str
) -> None:
    fin = desk.browser(who.fin)
    wrong = {"account": "a b", "line": "<b>17</b>", "amount": "much", "booked_on": "2031-01-01"}
    for htmx in (False, True):
        answer = fin.post(f"{HERE}/{payout}/match", LINE | wrong, htmx=htmx)
        assert answer.status_code == 422
        said = text(answer.text)
        for part in ("Use letters, digits", "an amount such as 23.97", "up to today"):
            assert part in said
        assert "&lt;b&gt;17&lt;/b&gt;" in answer.text
        assert 'value="much"' in answer.text
    more = fin.post(f"{HERE}/{payout}/match", LINE | {"amount": "23.98"})
    assert (more.status_code, "the payout is over 23.97" in text(more.text)) == (422, True)
    assert balance(TRANSIT) == 2_397


def test_only_finance_and_admins_match(desk: Desk, who: Personas, payout: str) -> None:
    for person in (who.sue, who.ed, who.ann):
        browser = desk.browser(person)
        assert "Finance and admins match payouts." in browser.page(HERE)
        assert browser.get(f"{HERE}/{payout}/match").status_code == 403
        assert browser.post(f"{HERE}/{payout}/match", LINE).status_code == 403
    for person in (who.mel, who.bo):
        assert desk.browser(person).get(HERE).status_code == 403
    assert desk.anonymous().get(HERE).status_code == 303
    fin = desk.browser(who.fin)
    assert fin.get(f"{HERE}/ppo_none/match").status_code == 404
    assert fin.post(f"{HERE}/ppo_none/unmatch", reason="no such one").status_code == 404
    assert balance(TRANSIT) == 2_397


def test_payout_that_came_back_says_why_and_cannot_be_matched(
    desk: Desk, who: Personas, payout: str
) -> None:
    with database.transaction() as session:
        row = session.get_one(ProviderPayout, payout)
        row.status, row.failure = "failed", "account_closed"
    fin = desk.browser(who.fin)
    assert rows(fin.page(HERE)) == []
    [row_text] = rows(fin.page(f"{HERE}?tab=returned"))
    assert "Came back" in row_text
    assert "account closed" in row_text
    assert fin.get(f"{HERE}/{payout}/match").status_code == 303
    assert fin.post(f"{HERE}/{payout}/match", LINE).status_code == 422
    assert "Every payout was found" in fin.page(HERE)


def test_payout_is_explained_down_to_its_bookings_and_entries(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.mels_key)
    till.settle(payment)
    with database.reading() as session:
        row = session.get_one(Payment, payment["paymentId"])
    booking.take(booking.arrival(row, fee=103))
    name = paid_out(2_397)
    fin = desk.browser(who.fin)
    page = fin.page(f"{HERE}/{name}")
    said = text(page)
    for words in (
        "Made of 1 Adds up",
        "Moved 25.00 EUR Less fees 1.03 EUR Together 23.97 EUR Paid out 23.97 EUR",
        "Paid out by the provider to our bank",
        "On its way from Stripe",
    ):
        assert words in said, words
    assert f'href="/payments/{payment["paymentId"]}"' in page
    assert page.count('href="/journal/jrn_') == 2
    assert f'href="{HERE}/{name}"' in fin.page(HERE)
    # An engineer reads no journal.
    eds = desk.browser(who.ed).page(f"{HERE}/{name}")
    assert "/journal/jrn_" not in eds and "In the books" not in eds
    fin.post(f"{HERE}/{name}/match", LINE | {"amount": "23.90"})
    found = text(fin.part(f"{HERE}/{name}/body"))
    for words in ("Found at the bank", "2026-09/17", "0.07 EUR less than the payout", "Matched by"):
        assert words in found, words


def test_payouts_are_found_by_name_line_and_amount_and_turned_over_page_by_page(
    desk: Desk, who: Personas, payout: str
) -> None:
    fin = desk.browser(who.fin)
    for typed in ("po_1", payout, "23.97"):
        assert len(rows(fin.page(f"{HERE}?q={typed}"))) == 1, typed
    assert "No payout matches" in fin.page(f"{HERE}?q=po_2")
    for typed in ("po_1", payout):
        answer = fin.get(f"/search?q={typed}")
        assert answer.headers["Location"] == f"{HERE}/{payout}"
    with database.transaction() as session:
        for no in range(60):
            session.add(another(no))
    first = fin.page(HERE)
    older = re.search(r'href="([^"]+cursor=[^"]+)"', first)
    assert older is not None
    names = re.findall(r'id="payout-(ppo_\w+)"', first)
    names += re.findall(r'id="payout-(ppo_\w+)"', fin.page(html.unescape(older[1])))
    assert len(names) == len(set(names)) == 61


def test_nothing_is_claimed_before_a_provider_paid_anything_out(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    assert "Nothing was paid out yet" in text(desk.browser(who.fin).page(HERE))

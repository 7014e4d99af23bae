"""What comparisons and checklists kept in the database's words is shown in the desk's."""

from __future__ import annotations

import re

import pytest

from core import clock
from dashboard.reconciliation_words import readable
from domain import calendar
from domain.periods import checklist, months
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("completed, 1306.39 EUR received", "confirmed, 1,306.39 EUR received"),
        ("paid, 1234567 JPY", "paid, 1,234,567 JPY"),
        ("pending", "pending"),
        ("unknown", "unknown"),
        ("999.00 EUR in 2 entries", "999.00 EUR in 2 entries"),
        (
            "payment pending → completed; books 25000.00 EUR (deposit)",
            "payment from pending to confirmed; books 25,000.00 EUR (deposit received)",
        ),
        ("po_20261 of 2026", "po_20261 of 2026"),
        (None, None),
    ],
)
def test_sides_are_read_as_the_desk_speaks(kept: str | None, shown: str | None) -> None:
    assert readable(kept) == shown


def test_each_item_of_the_checklist_leads_to_a_page_that_is_there(
    desk: Desk, who: Personas, till: Till
) -> None:
    till.settle(till.payment(who.mels_key))
    span = months.span_of(calendar.month_of(clock.now()))
    fin = desk.browser(who.fin)
    for item in checklist.ITEMS:
        assert fin.get(item.href(span)).status_code == 200, item.name


def test_comparing_begins_with_the_days_that_a_checklist_names(desk: Desk, who: Personas) -> None:
    page = desk.browser(who.fin).page("/reconciliation/start?from=2026-02-01&to=2026-02-28")
    assert re.search(r'name="from"[^>]*value="2026-02-01"', page)
    assert re.search(r'name="to"[^>]*value="2026-02-28"', page)
    late = desk.browser(who.fin).page("/reconciliation/start?from=x&to=9999-12-31")
    assert re.search(rf'name="to"[^>]*value="{calendar.today()}"', late)


def test_month_that_goes_on_leads_nowhere_since_only_time_ends_it(
    desk: Desk, who: Personas, till: Till
) -> None:
    till.settle(till.payment(who.mels_key))
    month = calendar.month_of(clock.now())
    page = desk.browser(who.fin).page(f"/periods/{month}")
    [item] = re.findall(r'id="check-month_over">.*?</li>', page, re.DOTALL)
    assert "The month is over" in item and "<a " not in item
    assert f'href="/reconciliation/start?from={month}-01&amp;to=' in page


def test_month_that_is_open_offers_nothing_to_reopen(desk: Desk, who: Personas, till: Till) -> None:
    till.settle(till.payment(who.mels_key))
    month = calendar.month_of(clock.now())
    fin = desk.browser(who.fin)
    assert fin.get(f"/periods/{month}/reopen").headers["Location"] == f"/periods/{month}"
    assert "There is nothing to reopen" in fin.page(f"/periods/{month}")

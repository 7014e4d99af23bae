"""The list of payments: filters, search, paging, own rows only, with htmx and without."""

from __future__ import annotations

import re

from dashboard import listing
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, rows, text


def test_list_shows_what_there_is(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo, reference="ACME-1042")
    page = desk.browser(who.fin).page("/payments")
    (row,) = rows(page)
    for word in ("Pending", "25.00 EUR", "Oak table", "Deposit", "ACME-1042", who.bo.email, "Card"):
        assert word in row
    assert payment["paymentId"] in page
    assert "sse:payments" in page
    assert re.search(r'sse-connect="/desk/stream(\?after=evt_\w+)?"', page)


def test_empty_list_says_how_to_begin(desk: Desk, who: Personas) -> None:
    page = desk.browser(who.fin).page("/payments")
    assert "No payments yet" in page
    assert "curl -X POST" in page
    assert "curl" not in desk.browser(who.bo).page("/payments")


def test_everybody_sees_their_own_rows_only(desk: Desk, who: Personas, till: Till) -> None:
    own = till.payment(who.mel)["paymentId"]
    bos = till.payment(who.bo)["paymentId"]
    assert set(ids_of(desk.browser(who.sue).page("/payments"), "payment")) == {own, bos}
    assert ids_of(desk.browser(who.mel).page("/payments"), "payment") == [own]
    assert ids_of(desk.browser(who.bo).page("/payments"), "payment") == [bos]
    for stranger in (who.eve, who.sal):
        page = desk.browser(stranger).page("/payments")
        assert ids_of(page, "payment") == []
        assert ids_of(desk.browser(stranger).page(f"/payments?q={own}"), "payment") == []


def test_tabs_and_filters_narrow_the_list(desk: Desk, who: Personas, till: Till) -> None:
    waiting, paid = till.payment(who.bo)["paymentId"], till.payment(who.bo)
    till.settle(paid)
    browser = desk.browser(who.fin)

    def found(query: str) -> list[str]:
        return ids_of(browser.page(f"/payments?{query}"), "payment")

    assert found("state=pending") == [waiting]
    assert found("state=confirmed") == [paid["paymentId"]]
    assert found("state=failed") == []
    assert found("rail=card&demo=only") == []
    assert found(f"order={paid['orderId']}") == [paid["paymentId"]]
    assert found("from=2001-01-01&to=2001-01-02") == []
    assert len(found("from=2001-01-01")) == 2
    # A word that no filter knows is as good as none.
    assert len(found("state=strange&rail=pigeon")) == 2
    page = browser.page("/payments?state=failed&from=nonsense")
    assert "Nothing matches these filters" in page
    assert "Use a day such as" in page


def test_one_box_finds_ids_references_people_and_amounts(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo, reference="WT-7")
    browser = desk.browser(who.fin)
    names = (
        *(payment["paymentId"], payment["orderId"], payment["providerReference"]),
        *("WT-7", who.bo.email, "25", "25.00", "25.00 EUR"),
    )
    for name in names:
        assert ids_of(browser.page(f"/payments?q={name}"), "payment") == [payment["paymentId"]]
    assert ids_of(browser.page("/payments?q=26"), "payment") == []
    # Addresses are for staff.
    assert ids_of(desk.browser(who.bo).page(f"/payments?q={who.bo.email}"), "payment") == []


def test_rows_alone_are_given_to_htmx(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.bo)["paymentId"]
    browser = desk.browser(who.fin)
    part = browser.part("/payments/rows?state=pending")
    assert ids_of(part, "payment") == [payment]
    assert 'hx-get="/payments/rows?state=pending"' in part
    answer = browser.get("/payments/rows?state=pending")
    assert (answer.status_code, answer.location) == (303, "/payments?state=pending")


def test_list_goes_on_where_the_page_ended(desk: Desk, who: Personas, till: Till) -> None:
    made = [till.payment(who.bo)["paymentId"] for _ in range(5)]
    browser, seen, page = desk.browser(who.fin), list[str](), ""
    href = "/payments?q=25.00"
    listing_rows, listing.ROWS = listing.ROWS, 2
    try:
        for _ in range(3):
            page = browser.page(href)
            seen += ids_of(page, "payment")
            older = re.search(r'href="([^"]+)" rel="next"', page)
            href = older[1].replace("&amp;", "&") if older else ""
    finally:
        listing.ROWS = listing_rows
    assert seen == made[::-1]
    assert href == ""
    assert "Newest" in page


def test_a_page_that_cannot_be_found_is_said_so(desk: Desk, who: Personas) -> None:
    answer = desk.browser(who.fin).get("/payments?cursor=nonsense")
    assert answer.status_code == 400
    assert "Begin at the top" in text(answer.text)


def test_row_changes_its_version_when_the_payment_changes(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    browser = desk.browser(who.fin)

    def version() -> str:
        found = re.search(r'data-version="([^"]+)"', browser.part("/payments/rows"))
        assert found
        return found[1]

    before = version()
    assert version() == before
    till.settle(payment)
    assert version() != before

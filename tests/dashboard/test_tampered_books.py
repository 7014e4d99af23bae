"""Rows changed around the database's own rules: no page claims what no longer holds, and none breaks on them."""

from __future__ import annotations

import pytest

from domain import database
from domain.books import chains, verification
from domain.database import transaction
from domain.jobs import watching
from domain.watch import turns
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, ids_of, text
from tests.domain.tampering import change

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_entry_that_was_changed_shows_what_is_stored_and_is_no_longer_called_proved(
    desk: Desk, who: Personas, till: Till
) -> None:
    till.settle(till.payment(who.mels_key))
    chains.link_all()
    verification.verify()
    fin = desk.browser(who.fin)
    [entry] = ids_of(fin.page("/journal"), "entry")
    whole = text(fin.page(f"/journal/{entry}"))
    assert "Debits and credits are equal" in whole and "Balanced, and as it was written" in whole

    more = "update postings set amount_minor = amount_minor + 1 where entry_id = :id and line = 1"
    change(database.engine(), more, id=entry)
    said = text(fin.page(f"/journal/{entry}"))
    assert "Total, out of balance" in said
    assert "25.01 EUR" in said and "25.00 EUR" in said
    assert "Debits and credits differ now" in said
    assert "Debits and credits are equal" not in said and "Balanced, and as" not in said


def test_entry_that_lost_a_line_breaks_no_page(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.mels_key)
    till.settle(payment)
    till.settle(till.payment(who.mels_key))
    fin = desk.browser(who.fin)
    entry = ids_of(fin.page(f"/journal?q={payment['paymentId']}"), "entry")[0]
    change(database.engine(), "delete from postings where entry_id = :id and line = 2", id=entry)
    assert len(ids_of(fin.page("/journal"), "entry")) == 2
    assert "out of balance" in text(fin.page(f"/journal/{entry}"))
    for path in ("/ledger", f"/payments/{payment['paymentId']}", "/ledger/float", "/watch"):
        fin.page(path)
    fin.page("/ledger/accounts/provider:stripe:clearing")


def test_broken_rule_is_named_where_the_books_are_read_and_beside_the_watch(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.mels_key)
    till.settle(payment)
    verification.verify()
    fin = desk.browser(who.fin)
    badge = "Rules of the books that are broken"
    assert badge not in fin.page("/ledger")
    more = "update orders set paid_minor = paid_minor + 100 where id = :id"
    change(database.engine(), more, id=payment["orderId"])
    with transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()
    page = fin.page("/ledger")
    assert "Broken now, whatever was proved before: Orders count as paid" in text(page)
    assert badge in page
    assert badge not in desk.browser(who.mel).page("/")

"""The desk shows how the books are watched over: what breaks, what it holds, what was proved, signed and compared."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from domain import database
from domain.books import chains, verification
from domain.database import reading, transaction
from domain.jobs import nightly as night_duty
from domain.jobs import signing, watching
from domain.watch import turns
from domain.watch.rules import RULES
from models.audit import AuditRow
from models.control import Freeze
from models.presence import Schedule
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text
from tests.domain.tampering import change

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def watch() -> None:
    with transaction() as session:
        turns.ask_for(session, watching.WORK)
    watching.watch()


def broken(till: Till, who: Personas) -> dict[str, str]:
    """Have a payment settled, and its order count something else than it brought."""
    payment = till.payment(who.mels_key)
    till.settle(payment)
    more = "update orders set paid_minor = paid_minor + 100 where id = :id"
    change(database.engine(), more, id=payment["orderId"])
    watch()
    return payment


def test_before_a_worker_has_run_nothing_is_claimed(desk: Desk, who: Personas) -> None:
    ed = desk.browser(who.ed)
    said = text(ed.page("/watch"))
    assert said.count("Not asked yet") == len(RULES) + 1 + 5
    assert "Nothing was proved yet" in said
    assert "Nothing was signed yet" in said
    assert "No rule was asked yet; a worker does that." in text(ed.page("/"))


def test_all_of_it_is_shown_once_it_was_done(desk: Desk, who: Personas, till: Till) -> None:
    till.settle(till.payment(who.mels_key))
    chains.link_all()
    signing.sign_due()
    watch()
    with transaction() as session:
        turns.ask_for(session, night_duty.WORK)
    night_duty.check()
    page = desk.browser(who.ann).page("/watch")
    said = text(page)
    assert said.count("Holds") == len(RULES) + 2
    assert "Not asked yet" not in said
    assert said.count("Agrees") == 5
    assert re.search(r"\d+ checks over [\d,]+ rows", said)
    assert "Journal 1" in said and "Audit" in said
    assert 'every 10s"' in page
    assert "All rules hold since" in text(desk.browser(who.sue).page("/"))


def test_a_broken_rule_shows_its_rows_what_it_holds_and_its_case(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = broken(till, who)
    fin = desk.browser(who.fin, fresh=True)
    page = fin.page("/watch")
    [row] = re.findall(
        r'<li class="watch-row" id="rule-orders_paid".*?</li>\s*</ul>.*?</li>', page, re.DOTALL
    )
    said = text(row)
    assert "Broken" in said and f"{payment['orderId']} counts" in said
    assert f'href="/orders/{payment["orderId"]}"' in row
    assert "Its case" in said
    # What is broken comes first.
    assert page.index('id="rule-orders_paid"') < page.index('id="rule-currencies_balance"')
    freeze_page = re.search(r'href="(/freezes/[^"]+)"', row)
    assert freeze_page
    held = fin.page(freeze_page[1])
    assert "A rule of the books is still broken here" in text(held)
    assert 'aria-disabled="true"' in held
    refused = fin.post(f"{freeze_page[1]}/lift", {"reason": "all is well"})
    assert "this is broken" in text(refused.text)
    assert "1 rule is broken since" in text(fin.page("/"))
    case = re.search(r'href="(/exceptions/[^"]+)"', row)
    assert case
    assert "The rule is still broken" in text(fin.page(case[1]))
    assert "Money out is frozen: order" in text(fin.page("/payments"))


def test_who_may_not_open_a_row_gets_no_link_to_it(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.mels_key)
    till.settle(payment)
    more = "update postings set amount_minor = amount_minor + 5 where line = 2"
    change(database.engine(), more)
    watch()
    link = r'href="/journal/jrn_'
    assert re.search(link, desk.browser(who.ann).page("/watch"))
    assert not re.search(link, desk.browser(who.ed).page("/watch"))


def test_finance_and_admins_have_it_run_and_the_others_are_told_who_does(
    desk: Desk, who: Personas
) -> None:
    for person in (who.ed, who.ann):
        browser = desk.browser(person)
        assert text(browser.page("/watch")).count("Finance and admins have them run.") == 2
        for act in ("rules", "night"):
            assert browser.post(f"/watch/{act}/run").status_code == 403
    for person, act, name in ((who.fin, "rules", "invariants"), (who.ada, "night", "nightly")):
        browser = desk.browser(person)
        answer = browser.post(f"/watch/{act}/run")
        assert (answer.status_code, answer.location) == (303, "/watch")
        page = browser.page("/watch")
        assert "It was asked for; the worker does it now." in text(page)
        assert 'every 2s"' in page
        with reading() as session:
            row = session.get_one(Schedule, name)
            assert turns.is_asked_for(row)
            written = select(AuditRow).where(AuditRow.action == "watch.ask")
            assert person.id in {each.actor for each in session.scalars(written)}
        watching.watch()
        night_duty.check()
        assert "It was asked for" not in text(browser.page("/watch"))
    assert desk.browser(who.sue).get("/watch").status_code == 403
    assert desk.browser(who.mel).get("/watch").status_code == 403


def test_the_part_that_keeps_itself_up_to_date_is_no_page(desk: Desk, who: Personas) -> None:
    ed = desk.browser(who.ed)
    assert "watch-body" in ed.part("/watch/body")
    answer = ed.get("/watch/body")
    assert (answer.status_code, answer.location) == (303, "/watch")


def test_an_account_with_a_hostile_name_is_shown_and_leads_nowhere_else(
    desk: Desk, who: Personas, till: Till, app: Flask
) -> None:
    del app
    till.settle(till.payment(who.mels_key))
    odd = (
        "insert into ledger_accounts (address, asset, kind, created_at)"
        " values (:name, 'EUR/2', 'income', '2026-11-22 09:30:00')"
    )
    change(database.engine(), odd, name='"><script>alert(1)</script>/../x')
    watch()
    page = desk.browser(who.fin).page("/watch")
    assert "<script>alert" not in page
    with reading() as session:
        assert session.scalars(select(Freeze)).all()


def test_a_verification_that_failed_is_shown_with_its_row(
    desk: Desk, who: Personas, till: Till
) -> None:
    till.settle(till.payment(who.mels_key))
    chains.link_all()
    change(database.engine(), "update journal_entries set note = 'as agreed'")
    verification.verify()
    said = text(desk.browser(who.ann).page("/watch"))
    assert re.search(r"journal_entries: jrn_\w+ does not say what its hash covers", said)

"""Entries by hand on the desk: balanced before anybody is asked, agreed to line by line, reversed by two."""

from __future__ import annotations

from typing import Any

import pytest

from core.states import Role
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text

PATH = "/journal/new"


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    payment = till.payment(who.mels_key, buyerId=who.bo.id)
    till.settle(payment)
    order = till.get(f"/api/orders/{payment['orderId']}", who.mels_key).get_json()
    return payment | {"invoiceId": order["invoiceId"]}


def form(paid: dict[str, Any], **more: str) -> dict[str, str]:
    """Give a form that is right: 5.00 EUR from a provider's clearing to its fees."""
    return {
        "order": paid["orderId"],
        "invoice": paid["invoiceId"],
        "provider_reference": paid["providerReference"],
        "account1": "fees:stripe",
        "debit1": "5.00",
        "account2": "provider:stripe:clearing",
        "credit2": "5.00",
        "note": "A fee the provider has not told us of",
    } | more


def ask(browser: Browser, paid: dict[str, Any], **more: str) -> str:
    """Ask for an entry; gives the approval's page."""
    answer = browser.post(PATH, form(paid, **more))
    assert answer.status_code == 303, text(answer.text)
    page = browser.page("/approvals?state=mine")
    return f"/approvals/{ids_of(page, 'approval')[0]}"


def agree(browser: Browser, approval: str) -> None:
    sent = {"content_hash": hidden(browser.page(approval), "content_hash")}
    assert browser.post(f"{approval}/approve", sent).status_code == 303


def test_form_offers_the_accounts_and_names_of_its_order(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    blank = fin.page(PATH)
    assert "provider:stripe:clearing" in blank
    assert "escrow_hold" not in blank
    offered = fin.part(f"/journal/new/offers?order={paid['orderId']}")
    for value in (
        f"order:{paid['orderId']}:escrow_hold",
        f"buyer:{who.bo.id}:funds",
        paid["invoiceId"],
        paid["providerReference"],
    ):
        assert value in offered, value
    assert "dispute:" not in offered
    assert f'value="{paid["orderId"]}"' in fin.page(f"{PATH}?order={paid['orderId']}")


def test_balance_is_told_while_one_types_and_without_scripts(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    lines = {"account1": "fees:stripe", "debit1": "1,250.00", "currency1": "EUR", "rows": "4"}
    part = fin.post("/journal/new/balance", lines, htmx=True)
    said = text(part.text)
    assert "Debits 1,250.00 EUR Credits 0.00 EUR Difference 1,250.00 EUR Out of balance" in said
    more = {"credit2": "1250", "account2": "provider:stripe:clearing", "debit3": "x"}
    said = text(fin.post("/journal/new/balance", lines | more, htmx=True).text)
    assert "Difference 0.00 EUR Balanced" in said
    assert "1 line is not counted" in said
    page = fin.post(PATH, lines | {"act": "check"}).text
    assert "Out of balance" in text(page)
    assert 'value="1,250.00"' in page
    yen = {"account1": "fees:stripe", "debit1": "12.50", "currency1": "jpy"}
    assert "Write an amount of JPY such as 125." in text(
        fin.post(PATH, yen | {"act": "check"}).text
    )


def test_lines_are_added_with_and_without_scripts(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    page = fin.post(PATH, form(paid, act="more", rows="4")).text
    assert 'name="account8"' in page
    assert 'name="account9"' not in page
    assert 'value="fees:stripe"' in page
    part = fin.post(PATH, form(paid, act="more", rows="8"), htmx=True).text
    assert "<html" not in part
    assert 'name="account12"' in part
    most = fin.post(PATH, form(paid, act="more", rows="99999999999999999999")).text
    assert 'name="account9"' not in most


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    for wrong, said in (
        ({"note": ""}, "Say why, for whoever reads it in a year."),
        ({"order": "ord_none"}, "There is no such order."),
        ({"invoice": "inv_none"}, "There is no such invoice."),
        ({"provider_reference": "pi_none"}, "No provider has told us of anything by this name."),
        ({"account1": "fees:nobody"}, "There is no such provider."),
        ({"account1": "made:up"}, "The chart has no such account."),
        ({"credit2": "4.00"}, "Debits and credits differ."),
        ({"debit1": ""}, "Write one amount: a debit or a credit."),
        ({"credit1": "5.00"}, "Write one amount: a debit or a credit."),
        ({"debit1": "-5"}, "Write an amount above nothing"),
        ({"currency1": "ZZZ"}, "“ZZZ” is no currency."),
        ({"account1": ""}, "Name an account."),
        ({"effective_on": "yesterday"}, "Use a day such as 2026-11-21."),
        ({"effective_on": "2999-01-01"}, "An entry takes effect today or on a day before."),
        ({"reversal_due_on": "2000-01-01"}, "A day from today on, within two years."),
        ({"note": "Card 4242 4242 4242 4242"}, "This looks like a card number."),
    ):
        answer = fin.post(PATH, form(paid, **wrong))
        assert answer.status_code == 422, wrong
        assert said in text(answer.text), (wrong, text(answer.text))
        assert 'value="provider:stripe:clearing"' in answer.text
    hostile = fin.post(PATH, form(paid, account1='"><script>1</script>', note="<b>x</b>"))
    assert hostile.status_code == 422
    assert "<script>1" not in hostile.text
    assert "<b>x" not in hostile.text


def test_second_person_reads_every_line_and_both_dates_before_agreeing(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, flo = (desk.browser(each, fresh=True) for each in (who.fin, who.flo))
    approval = ask(fin, paid)
    assert "You asked for it yourself" in text(fin.page(approval))
    said = text(flo.page(approval))
    for words in (
        *("Manual journal entry", "A fee the provider has not told us of"),
        *("Fees, Stripe", "Stripe clearing", "Debit 5.00 EUR", "Credit 5.00 EUR"),
        *("Takes effect", "The day it is agreed to", "To be reversed by"),
    ):
        assert words in said, words
    assert "[{" not in said
    agree(flo, approval)
    page = flo.page(approval)
    [entry] = ids_of(fin.page("/journal?state=manual"), "entry")
    assert f'href="/journal/{entry}"' in page
    shown = text(fin.page(f"/journal/{entry}"))
    for words in ("Manual entry", "To be reversed by", "Fin", "Flo", "Approval"):
        assert words in shown, words
    assert "To be reversed by" in rows(fin.page("/journal?state=due"))[0]
    assert "fees:stripe" in fin.page("/ledger")


def test_same_entry_asked_for_twice_waits_once(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    ask(fin, paid)
    again = fin.post(PATH, form(paid))
    assert again.status_code == 422
    assert "asked for already and waits" in text(again.text)
    assert 'href="/approvals/apr_' in again.text
    assert len(ids_of(fin.page("/approvals?state=mine"), "approval")) == 1


def test_reversal_shows_its_mirror_asks_why_and_takes_two(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, flo = (desk.browser(each, fresh=True) for each in (who.fin, who.flo))
    agree(flo, ask(fin, paid))
    [entry] = ids_of(fin.page("/journal?state=manual"), "entry")
    path = f"/journal/{entry}/reverse"
    assert f'href="{path}"' in fin.page(f"/journal/{entry}")
    page = text(fin.page(path))
    assert "What would be posted" in page
    assert page.index("Stripe clearing") < page.index("Fees, Stripe")
    assert fin.post(path, reason="").status_code == 422
    assert fin.post(path, reason="The provider told us after all").status_code == 303
    approval = f"/approvals/{ids_of(flo.page('/approvals'), 'approval')[0]}"
    assert "Debit 5.00 EUR" in text(flo.page(approval))
    agree(flo, approval)
    shown = fin.page(f"/journal/{entry}")
    assert "Reversed by" in text(shown)
    assert 'aria-disabled="true"' in shown
    assert fin.get(path).location == f"/journal/{entry}"
    assert len(rows(fin.page("/journal?state=reversals"))) == 1
    assert rows(fin.page("/journal?state=due")) == []


def test_stale_person_proves_themselves_first_and_facts_are_not_reversed_by_hand(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    stale = desk.browser(who.fin)
    assert "/account/step-up?next=" in (stale.get(PATH).location or "")
    assert "/account/step-up?next=" in (stale.post(PATH, form(paid)).location or "")
    [entry] = ids_of(stale.page("/journal"), "entry")
    assert f"/journal/{entry}/reverse" not in stale.page(f"/journal/{entry}")
    answer = stale.get(f"/journal/{entry}/reverse")
    assert answer.location == f"/journal/{entry}"
    assert "this one follows from a fact" in text(stale.page(f"/journal/{entry}"))


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR, Role.ENGINEER, Role.MERCHANT])
def test_other_roles_write_nothing(
    desk: Desk, who: Personas, paid: dict[str, Any], role: Role
) -> None:
    browser = desk.browser(who.by_role(role), fresh=True)
    assert browser.get(PATH).status_code == 403
    assert browser.post(PATH, form(paid)).status_code == 403
    assert browser.post("/journal/new/balance", {}).status_code == 403
    assert browser.get("/journal/jrn_x/reverse").status_code == 403
    if role in (Role.SUPPORT, Role.AUDITOR):
        assert "Finance and admins write entries." in text(browser.page("/journal"))


def test_what_was_moved_away_by_hand_is_not_offered_as_a_refund(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, flo = desk.browser(who.fin, fresh=True), desk.browser(who.flo, fresh=True)
    page = f"/payments/{paid['paymentId']}"
    moved = {"account1": f"order:{paid['orderId']}:escrow_hold", "account2": "adjustments:opening"}
    assert "25.00 EUR can still be refunded." in text(fin.page(f"{page}/refund"))
    agree(flo, ask(fin, paid, **moved))
    said = text(fin.page(f"{page}/refund"))
    assert "20.00 EUR can still be refunded. The rest was moved by an entry by hand" in said
    agree(flo, ask(fin, paid, **moved, debit1="20.00", credit2="20.00"))
    said = text(fin.page(page))
    assert "The order holds nothing of it: an entry by hand moved it." in said

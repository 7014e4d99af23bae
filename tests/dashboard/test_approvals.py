"""The approvals queue on the desk: what waits for whom, and a decision that is made once, by somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from werkzeug.test import TestResponse

from core import clock
from domain import database
from domain.database import transaction
from models.control import Approval
from models.payments import Payment
from models.people import DeskSession, User
from tests.api.personas import Persona, Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text

HOSTILE = "<img src=x onerror=alert(1)>\"'"


@dataclass
class Asked:
    """A payment whose settling by hand waits for a second person."""

    payment: str
    approval: str

    @property
    def page(self) -> str:
        return f"/approvals/{self.approval}"

    @property
    def status(self) -> str:
        with database.reading() as session:
            return session.get_one(Payment, self.payment).status

    @property
    def row(self) -> Approval:
        with database.reading() as session:
            return session.get_one(Approval, self.approval)


def ask(desk: Desk, who: Personas, till: Till, *, by: Persona | None = None, **form: str) -> Asked:
    """Settle a payment by hand, as far as one person can."""
    payment = str(till.payment(who.bo)["paymentId"])
    sent = {
        "status": "completed",
        "provider_reference": f"BANK-{payment[-6:]}",
        "reason": "Seen at the bank",
    }
    browser = desk.browser(by or who.fin, fresh=True)
    answer = browser.post(f"/payments/{payment}/reconcile", sent | form)
    assert answer.location == f"/payments/{payment}", answer.text
    with database.reading() as session:
        row = session.query(Approval).filter_by(payment_id=payment, state="pending").one()
    return Asked(payment, row.id)


def decide(browser: Browser, found: Asked, verb: str = "approve", **form: str) -> TestResponse:
    page = browser.page(found.page)
    sent = {"content_hash": hidden(page, "content_hash")} if verb == "approve" else {}
    return browser.post(f"{found.page}/{verb}", sent | form)


def prove(browser: Browser) -> None:
    with transaction() as session:
        session.get_one(DeskSession, browser.session_id).stepped_up_at = clock.now()


def test_page_says_all_that_is_agreed_to_and_who_asked(
    desk: Desk, who: Personas, till: Till
) -> None:
    found = ask(desk, who, till, evidence="Line 7 of the statement")
    page = desk.browser(who.flo, fresh=True).page(found.page)
    said = text(page)
    for words in (
        *("Mark the payment of 25.00 EUR as completed", "Waits", "Amount 25.00 EUR"),
        *(
            "Stands as Pending",
            "Becomes Completed",
            "Received so far 0.00 EUR",
            "Evidence Line 7 of the statement",
            "Rail Card",
        ),
        *("Provider reference BANK-", "Money Test mode", "Content hash", "Asked by Fin"),
        *("Second factor shown Yes", "Reason Seen at the bank", "Expires", "in 23 h"),
        "One other person of admin or finance",
    ):
        assert words in said, words
    assert f'href="/payments/{found.payment}"' in page
    assert hidden(page, "content_hash") == found.row.content_hash


def test_a_second_person_approves_and_the_payment_is_settled(
    desk: Desk, who: Personas, till: Till
) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo, fresh=True)
    answer = decide(flo, found, note="Checked the statement")
    assert (answer.status_code, answer.location) == (303, found.page)
    said = text(flo.page(found.page))
    for words in ("Approved and carried out", "Decided by Flo", "Checked the statement."):
        assert words in said, words
    assert (found.status, found.row.state) == ("completed", "executed")
    payment = text(flo.page(f"/payments/{found.payment}"))
    for words in (
        *("Confirmed", "Marked completed by hand", "Asked: Mark the payment", "Approved: Mark"),
        *("Marked by hand", "Deposit marked by hand", "paid here, not told by the provider"),
    ):
        assert words in payment, words


def test_htmx_is_led_to_the_page_and_gets_a_refusal_in_place(
    desk: Desk, who: Personas, till: Till
) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo, fresh=True)
    shown = hidden(flo.page(found.page), "content_hash")
    answer = flo.post(f"{found.page}/approve", {"content_hash": shown}, htmx=True)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, found.page)
    assert "Approved and carried out" in flo.page(found.page)
    again = flo.post(f"{found.page}/approve", {"content_hash": shown}, htmx=True)
    assert (again.status_code, "<html" in again.text) == (422, False)
    assert again.text.lstrip().startswith('<div id="approval-body"')
    assert "sse:" not in again.text
    assert "cannot become approved" in text(again.text)


def test_a_second_window_finds_it_decided(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    one, two = desk.browser(who.flo, fresh=True), desk.browser(who.ada, fresh=True)
    shown = {"content_hash": hidden(two.page(found.page), "content_hash")}
    decide(one, found)
    answer = two.post(f"{found.page}/approve", shown)
    assert answer.status_code == 422
    said = text(answer.text)
    assert "Nothing was decided" in said and "Decided by Flo" in said
    assert found.status == "completed"


def test_a_refusal_needs_a_reason_and_does_nothing(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo, fresh=True)
    for reason, words in (("", "Say why"), ("4242 4242 4242 4242", "card number")):
        answer = decide(flo, found, "refuse", reason=reason)
        assert answer.status_code == 422
        assert words in text(answer.text)
    assert found.row.state == "pending"
    decide(flo, found, "refuse", reason="Not on the statement")
    assert (found.row.state, found.status) == ("refused", "pending")
    assert "Not on the statement" in text(flo.page(found.page))
    assert "Settle by hand" in text(flo.page(f"/payments/{found.payment}"))


def test_what_was_typed_is_kept_when_it_is_wrong(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    answer = decide(desk.browser(who.flo, fresh=True), found, note="x" * 501)
    assert answer.status_code == 422
    assert "x" * 501 in answer.text
    assert found.row.state == "pending"


def test_whoever_may_not_decide_reads_why(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    for person, words in (
        (who.fin, "You asked for it yourself; somebody else must agree."),
        (who.sue, "Your role does not agree to this."),
        (who.ann, "Your role does not agree to this."),
        (who.ed, "Your role does not agree to this."),
    ):
        browser = desk.browser(person, fresh=True)
        page = browser.page(found.page)
        assert words in text(page)
        assert "content_hash" not in page
        assert page.count('aria-disabled="true"') == 2
        sent = {"content_hash": found.row.content_hash, "reason": "because I say so"}
        for verb in ("approve", "refuse"):
            answer = browser.post(f"{found.page}/{verb}", sent)
            assert answer.status_code == (409 if person is who.fin else 403)
    assert (found.row.state, found.status) == ("pending", "pending")


def test_a_stale_proof_leads_to_the_second_factor_and_back(
    desk: Desk, who: Personas, till: Till
) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo)
    page = flo.page(found.page)
    assert "Prove it is you" in page
    assert "content_hash" not in page
    for answer in (
        flo.get(f"{found.page}/approve"),
        flo.post(f"{found.page}/approve", {"content_hash": found.row.content_hash}),
    ):
        assert answer.status_code == 303
        assert answer.location.startswith("/account/step-up?next=%2Fapprovals%2F")
    prove(flo)
    assert flo.get(f"{found.page}/approve").location == f"{found.page}#decide"
    decide(flo, found)
    assert found.status == "completed"


def test_another_hash_than_shown_decides_nothing(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo, fresh=True)
    for sent in ({}, {"content_hash": ""}, {"content_hash": "0" * 64}):
        answer = flo.post(f"{found.page}/approve", sent)
        assert answer.status_code == 422
        assert "not what you were shown" in text(answer.text)
    assert (found.row.state, found.status) == ("pending", "pending")


def test_what_changed_meanwhile_is_said(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    flo = desk.browser(who.flo, fresh=True)
    shown = {"content_hash": hidden(flo.page(found.page), "content_hash")}
    reference = next(
        name
        for name, intent in till.rail.intents.items()
        if intent["metadata"] == {"payment_id": found.payment}
    )
    till.settle({"providerReference": reference})
    answer = flo.post(f"{found.page}/approve", shown)
    assert answer.location == found.page
    said = text(flo.page(found.page))
    assert "Nothing was carried out" in said
    assert "what it was bound to has changed" in said
    assert found.row.state == "cancelled"


def test_the_asker_takes_it_back_and_nobody_else(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    flo, fin = desk.browser(who.flo, fresh=True), desk.browser(who.fin)
    assert "Take it back" not in flo.page(found.page)
    assert flo.get(f"{found.page}/cancel").location == found.page
    assert flo.post(f"{found.page}/cancel", reason="not mine").status_code == 403
    assert f'href="{found.page}/cancel"' in fin.page(found.page)
    assert "Nobody can agree to it any more" in fin.page(f"{found.page}/cancel")
    assert fin.post(f"{found.page}/cancel", reason="").status_code == 422
    assert fin.post(f"{found.page}/cancel", reason="A mistake").location == found.page
    assert found.row.state == "cancelled"
    assert fin.post(f"{found.page}/cancel", reason="A mistake").status_code == 422
    assert decide_again(flo, found) == 422


def decide_again(browser: Browser, found: Asked) -> int:
    sent = {"content_hash": found.row.content_hash}
    return browser.post(f"{found.page}/approve", sent).status_code


def test_the_queue_shows_each_person_what_needs_them(desk: Desk, who: Personas, till: Till) -> None:
    fins, flos = ask(desk, who, till), ask(desk, who, till, by=who.flo)
    ada, fin, sue = (desk.browser(each) for each in (who.ada, who.fin, who.sue))
    assert ids_of(ada.page("/approvals"), "approval") == [flos.approval, fins.approval]
    assert ids_of(fin.page("/approvals"), "approval") == [flos.approval]
    assert ids_of(fin.page("/approvals?state=mine"), "approval") == [fins.approval]
    both = [flos.approval, fins.approval]
    assert ids_of(fin.page("/approvals?state=waiting"), "approval") == both
    # Support decides nothing and begins with what waits.
    page = sue.page("/approvals")
    assert ids_of(page, "approval") == both
    assert "Needs you" not in page
    assert ids_of(sue.page("/approvals?kind=refund"), "approval") == []
    assert ids_of(sue.page("/approvals?kind=mark_payment"), "approval") == both
    (row,) = rows(fin.page("/approvals"))
    for words in ("Waits", "Mark a payment by hand", "asked by Flo", "expires", "25.00 EUR"):
        assert words in row, words
    decide(desk.browser(who.abe, fresh=True), fins)
    assert ids_of(sue.page("/approvals?state=done"), "approval") == [fins.approval]
    part = ada.part("/approvals/rows")
    assert ids_of(part, "approval") == [flos.approval]
    assert "sse:approvals" in part
    assert ada.get("/approvals/rows?state=done").location == "/approvals?state=done"


def test_counts_are_true_in_tabs_navigation_and_home(desk: Desk, who: Personas, till: Till) -> None:
    ask(desk, who, till)
    found = ask(desk, who, till, by=who.flo)
    fin, ada, sue = (desk.browser(each) for each in (who.fin, who.ada, who.sue))
    for browser, needs in ((fin, 1), (ada, 2), (sue, 0)):
        said = text(browser.page("/"))
        assert ("Needs your approval " + str(needs)) in said
        badge = f'title="Needs your approval">{needs}</span>'
        assert (badge in browser.page("/payments")) == bool(needs)
    assert text(fin.part("/approvals/badge")) == "1"
    assert text(sue.part("/approvals/badge")) == ""
    assert fin.get("/approvals/badge").location == "/approvals"
    assert "Needs you 1" in text(fin.page("/approvals"))
    assert "Waiting 2" in text(fin.page("/approvals"))
    home = ada.page("/")
    assert f'href="/approvals/{found.approval}"' in home
    assert "2 things need a look" in text(home)


def test_people_outside_the_staff_see_only_their_own(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till)
    for person in (who.mel, who.eve, who.sal):
        browser = desk.browser(person)
        assert "Nothing waits for you" in browser.page("/approvals")
        for path in (found.page, f"{found.page}/body", f"{found.page}/cancel"):
            assert browser.get(path).status_code in (404, 303), path
        assert browser.get(found.page).status_code == 404
        assert browser.post(f"{found.page}/cancel", reason="mine").status_code == 404
        assert browser.post(f"{found.page}/approve").status_code == 403
    assert desk.browser(who.bo).get("/approvals").status_code == 403
    assert desk.browser(who.ada, fresh=True).get("/approvals/apr_none").status_code == 404


def test_a_second_account_of_the_asker_is_no_second_person(
    desk: Desk, who: Personas, till: Till
) -> None:
    found = ask(desk, who, till)
    with transaction() as session:
        own = session.get_one(User, who.made["fin"].id)
    abe = who.abe.id
    with transaction() as session:
        session.get_one(User, abe).person_index = own.person_index
    browser = desk.browser(who.abe, fresh=True)
    assert "belongs to you too" in text(browser.page(found.page))
    assert ids_of(browser.page("/approvals"), "approval") == []
    assert decide_again(browser, found) == 409


def test_settling_by_hand_asks_first_and_keeps_what_was_typed(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = str(till.payment(who.bo)["paymentId"])
    path = f"/payments/{payment}/reconcile"
    fin = desk.browser(who.fin, fresh=True)
    asked = text(fin.page(path))
    for words in ("Nothing happens until a second person agrees", "booked to suspense", "pending"):
        assert words in asked, words
    good = {"status": "failed", "provider_reference": "T-1", "reason": "The bank says no"}
    for wrong, words in (
        ({"status": ""}, "Choose one."),
        ({"status": "released"}, "Choose one."),
        ({"provider_reference": ""}, "Say under which name"),
        ({"provider_reference": "4242 4242 4242 4242"}, "card number"),
        ({"reason": ""}, "Say why"),
        ({"evidence": "e" * 1001}, "At most 1000"),
    ):
        answer = fin.post(path, good | wrong)
        assert answer.status_code == 422
        assert words in text(answer.text), words
        assert (good | wrong)["reason"] in answer.text
    assert fin.post(path, good).location == f"/payments/{payment}"
    page = fin.page(f"/payments/{payment}")
    assert "Asked for; a second person must agree" in page
    assert "asked for, a second person must agree." in text(page)
    again = fin.post(path, good)
    assert (again.status_code, "waits for a second person" in again.text) == (422, True)


def test_settling_by_hand_is_offered_to_those_who_may(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = till.payment(who.bo)
    path = f"/payments/{payment['paymentId']}"
    assert "two of them together" in text(desk.browser(who.sue).page(path))
    assert "Settle by hand" not in desk.browser(who.bo).page(path)
    assert desk.browser(who.sue).get(f"{path}/reconcile").status_code == 403
    stale = desk.browser(who.fin).get(f"{path}/reconcile")
    assert stale.location.startswith("/account/step-up?next=%2Fpayments%2F")
    till.settle(payment)
    fin = desk.browser(who.fin, fresh=True)
    assert "only an open one is settled by hand" in text(fin.page(path))
    assert fin.get(f"{path}/reconcile").location == path


def test_foreign_words_stay_words(desk: Desk, who: Personas, till: Till) -> None:
    found = ask(desk, who, till, evidence=HOSTILE, reason=HOSTILE, provider_reference=HOSTILE)
    flo = desk.browser(who.flo, fresh=True)
    for page in (flo.page(found.page), flo.page("/approvals"), flo.page("/")):
        assert "<img" not in page
    decide(flo, found, note=HOSTILE)
    assert "<img" not in flo.page(found.page) + flo.page(f"/payments/{found.payment}")


@pytest.mark.parametrize("path", ["", "/approve", "/refuse", "/cancel", "/body"])
def test_no_database_chokes_on_an_id(desk: Desk, who: Personas, path: str) -> None:
    browser = desk.browser(who.ada, fresh=True)
    for name in ("%00", "apr_%F0%9F%92%A9", "x" * 200, "apr_'--"):
        assert browser.get(f"/approvals/{name}{path}").status_code in (303, 404)

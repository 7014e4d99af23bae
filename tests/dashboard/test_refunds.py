"""Refunds on the desk: what will happen is said before, one person or two as the table says, once, and live."""

from __future__ import annotations

from typing import Any

import pytest

from core.states import Freeze as FreezeState
from core.states import Role
from domain.actors import system
from domain.control import freezes
from domain.database import transaction
from domain.jobs import refunding
from domain.transitions import Why
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text


@pytest.fixture
def paid(till: Till, who: Personas) -> dict[str, Any]:
    big: dict[str, Any] = {
        "total": {"amount": "2000.00", "currency": "EUR"},
        "deposit": "1000.00",
    }
    payment = till.payment(who.mels_key, buyerId=who.bo.id, **big)
    till.settle(payment)
    return payment


def freeze(scope: str = "all", scope_id: str = "") -> str:
    why = Why(system("test"), "test", "Odd refunds")
    with transaction() as session:
        return freezes.engage(session, freezes.Wanted(scope, scope_id, "Odd refunds"), why=why)[
            0
        ].id


def lift(freeze_id: str) -> None:
    with transaction() as session:
        row = freezes.lock(session, freeze_id)
        freezes.end(session, row, to=FreezeState.LIFTED, why=Why(system("test"), "test"))


def form_of(browser: Browser, payment: dict[str, Any]) -> tuple[str, str]:
    path = f"/payments/{payment['paymentId']}/refund"
    return path, browser.page(path)


def send(browser: Browser, payment: dict[str, Any], amount: str, **more: str) -> Any:
    path, page = form_of(browser, payment)
    sent = {"amount": amount, "reason": "Broken leg", "once": hidden(page, "once")}
    return browser.post(path, sent | more)


def test_support_refunds_a_small_amount_and_sees_where_it_stands(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue, fresh=True)
    own = f"/payments/{paid['paymentId']}"
    assert f"{own}/refund" in sue.page(own)
    said = text(form_of(sue, paid)[1])
    assert "Up to 500.00 EUR you send alone; more is for finance" in said
    assert "1,000.00 EUR can still be refunded" in said
    answer = send(sue, paid, "20.00")
    assert (answer.status_code, answer.location) == (303, own)
    page = text(sue.page(own))
    assert "20.00 EUR is on its way back" in page
    assert "To be sent" in page
    assert refunding.send_next()
    page = text(sue.page(own))
    assert "asked by Sue" in page
    assert "Refund of 20.00 EUR asked for" in page
    listed = rows(sue.page("/refunds"))
    assert len(listed) == 1
    assert "Refunded" in listed[0]
    refund_id = ids_of(sue.page("/refunds"), "refund")[0]
    story = text(sue.page(f"/refunds/{refund_id}"))
    assert "The provider has given it back" in story
    assert "Not needed: within what one person may refund" in story
    again = text(form_of(sue, paid)[1])
    assert "20.00 EUR of this payment went back alone before: up to 480.00 EUR more does" in again
    refused = send(sue, paid, "480.01")
    assert refused.status_code == 422
    assert "With the 20.00 EUR that was sent alone before" in text(refused.text)


def test_finance_asks_for_much_and_a_second_person_agrees(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, flo = (desk.browser(each, fresh=True) for each in (who.fin, who.flo))
    assert "above, a second person must agree within a day" in text(form_of(fin, paid)[1])
    send(fin, paid, "900.00")
    page = fin.page(f"/payments/{paid['paymentId']}")
    assert "Asked for; a second person must agree" in text(page)
    refund_id = ids_of(fin.page("/refunds?state=waiting"), "refund")[0]
    shown = fin.page(f"/refunds/{refund_id}")
    assert "A second person must agree first" in text(shown)
    approval = next(part.split('"')[0] for part in shown.split('href="/approvals/')[1:])
    assert "You asked for it yourself" in text(fin.page(f"/approvals/{approval}"))
    deciding = flo.page(f"/approvals/{approval}")
    assert "Refund 900.00 EUR to the payer's card" in text(deciding)
    sent = {"content_hash": hidden(deciding, "content_hash")}
    assert flo.post(f"/approvals/{approval}/approve", sent).status_code == 303
    refunding.send_next()
    assert "Refunded" in text(flo.page(f"/refunds/{refund_id}"))


def test_support_is_told_to_pass_a_large_refund_to_finance(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue, fresh=True)
    answer = send(sue, paid, "500.01")
    assert answer.status_code == 422
    assert "above what your role may ask for" in text(answer.text)
    assert 'value="500.01"' in answer.text
    form = form_of(sue, paid)[1]
    assert 'value="500.00"' in form
    assert "Up to 500.00 EUR of it you send yourself" in text(form)
    assert "Up to 500.00 EUR back to the card" in text(sue.page(f"/payments/{paid['paymentId']}"))
    assert ids_of(sue.page("/refunds"), "refund") == []


def test_support_is_offered_no_refund_past_what_one_person_sends(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue, fresh=True)
    assert send(sue, paid, "500.00").status_code == 303
    own = f"/payments/{paid['paymentId']}"
    assert "Your role may give back no more of this payment alone" in text(sue.page(own))
    assert sue.get(f"{own}/refund").location == own
    assert "500.00 EUR can still be refunded" in text(
        form_of(desk.browser(who.fin, fresh=True), paid)[1]
    )


def test_what_support_tells_the_customer_is_true_before_anybody_agreed(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    send(desk.browser(who.fin, fresh=True), paid, "900.00")
    page = text(desk.browser(who.sue).page(f"/payments/{paid['paymentId']}"))
    assert "We are working on your refund. Once it is sent, banks usually take 5 to 10 days" in page
    assert "refund is on its way" not in page


def test_who_agrees_reads_that_a_freeze_holds_it_and_may_still_refuse(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, flo = (desk.browser(each, fresh=True) for each in (who.fin, who.flo))
    send(fin, paid, "900.00")
    approval = f"/approvals/{ids_of(flo.page('/approvals'), 'approval')[0]}"
    freeze_id = freeze()
    page = flo.page(approval)
    assert "A freeze holds this: Odd refunds" in text(page)
    assert f'action="{approval}/approve"' not in page
    assert f'action="{approval}/refuse"' in page
    assert "Waits for approval" in text(flo.page(f"/freezes/{freeze_id}"))
    lift(freeze_id)
    assert f'action="{approval}/approve"' in flo.page(approval)
    freeze()
    assert flo.post(f"{approval}/refuse", reason="Not now").status_code == 303
    assert "Cancelled" in text(flo.page("/refunds"))


def test_stale_person_proves_themselves_first(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue)
    path = f"/payments/{paid['paymentId']}/refund"
    to_prove = f"/account/step-up?next={path.replace('/', '%2F')}"
    assert sue.get(path).location == to_prove
    answer = sue.post(path, amount="20.00", reason="Broken leg")
    assert (answer.status_code, answer.location) == (303, to_prove)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("", "Write an amount such as 1000.00"),
        ("abc", "Write an amount such as 1000.00"),
        ("1e3", "Write an amount such as 1000.00"),
        ("0", "Refund more than nothing"),
        ("-5", "Refund more than nothing"),
        ("1000.01", "At most 1,000.00 EUR can still be refunded"),
        ("<script>", "Write an amount such as 1000.00"),
    ],
)
def test_wrong_amount_is_said_beside_its_field_and_kept(
    desk: Desk, who: Personas, paid: dict[str, Any], amount: str, said: str
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    answer = send(fin, paid, amount)
    assert answer.status_code == 422
    assert said in text(answer.text)
    assert "Broken leg" in answer.text
    assert "<script>" not in answer.text


def test_reason_is_asked_for_and_card_numbers_are_refused(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    assert "Say why in a few words" in text(send(fin, paid, "1.00", reason="").text)
    card = send(fin, paid, "1.00", reason="4242 4242 4242 4242")
    assert (card.status_code, "card number" in card.text) == (422, True)


def test_pressing_twice_refunds_once(desk: Desk, who: Personas, paid: dict[str, Any]) -> None:
    fin = desk.browser(who.fin, fresh=True)
    path, page = form_of(fin, paid)
    sent = {"amount": "400.00", "reason": "Broken leg", "once": hidden(page, "once")}
    for _ in range(3):
        assert fin.post(path, sent).status_code == 303
    assert len(ids_of(fin.page("/refunds"), "refund")) == 1
    again = {"amount": "400.00", "reason": "Broken leg", "once": "forged"}
    fin.post(path, again)
    assert len(ids_of(fin.page("/refunds"), "refund")) == 2


def test_marked_money_is_not_offered_until_the_provider_has_spoken(
    desk: Desk, who: Personas, till: Till
) -> None:
    marked = till.payment(who.mels_key, buyerId=who.bo.id)
    till.mark(marked)
    sue = desk.browser(who.sue, fresh=True)
    own, path = f"/payments/{marked['paymentId']}", f"/payments/{marked['paymentId']}/refund"
    page = sue.page(own)
    reason = "25.00 EUR of it was marked as received by hand and waits in suspense until Stripe"
    for words in (reason, "Of it in suspense 25.00 EUR", "awaits the provider's own word"):
        assert words in text(page), words
    assert f'href="{path}"' not in page
    assert "confirmed and booked" not in page
    answer = sue.get(path)
    assert (answer.status_code, answer.location) == (303, own)
    assert reason in text(sue.page(own))
    refused = sue.post(path, amount="25.00", reason="Broken leg", once="desk_" + "0" * 26)
    assert refused.status_code == 422
    assert f"At most 0.00 EUR can still be refunded. {reason}" in text(refused.text)
    till.settle(marked)
    page = sue.page(own)
    assert f'href="{path}"' in page
    for words in (reason, "Of it in suspense"):
        assert words not in text(page), words
    assert send(sue, marked, "25.00").status_code == 303


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.AUDITOR, Role.MERCHANT, Role.BUYER])
def test_other_roles_see_why_they_may_not_and_are_refused(
    desk: Desk, who: Personas, paid: dict[str, Any], role: Role
) -> None:
    person = {Role.MERCHANT: who.mel, Role.BUYER: who.bo}.get(role) or who.by_role(role)
    browser = desk.browser(person, fresh=True)
    page = browser.page(f"/payments/{paid['paymentId']}")
    assert f'/payments/{paid["paymentId"]}/refund"' not in page
    if role in (Role.ENGINEER, Role.AUDITOR):
        assert "Support, finance and admins ask for refunds." in text(page)
    path = f"/payments/{paid['paymentId']}/refund"
    assert browser.get(path).status_code == 403
    assert browser.post(path, amount="1.00", reason="Broken leg").status_code == 403


def test_another_merchant_finds_no_refund_and_staffs_words_stay_inside(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    send(fin, paid, "20.00", reason="Rude on the phone")
    refund_id = ids_of(fin.page("/refunds"), "refund")[0]
    eve, mel = desk.browser(who.eve), desk.browser(who.mel)
    assert eve.get(f"/refunds/{refund_id}").status_code == 404
    assert ids_of(eve.page("/refunds"), "refund") == []
    for page in (mel.page(f"/refunds/{refund_id}"), mel.page("/refunds")):
        assert "Rude" not in page
        assert "Fin" not in text(page).replace("Find", "")
    assert desk.browser(who.bo).get(f"/refunds/{refund_id}").status_code == 403


def test_freeze_holds_a_refund_in_plain_sight_and_lets_it_go(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    send(fin, paid, "20.00")
    freeze_id = freeze()
    assert not refunding.send_next()
    refund_id = ids_of(fin.page("/refunds"), "refund")[0]
    page = text(fin.page(f"/refunds/{refund_id}"))
    assert "A freeze holds this refund" in page
    assert "Held" in page
    own = fin.page(f"/payments/{paid['paymentId']}")
    assert "A freeze holds refunds: Odd refunds" in text(own)
    answer = fin.get(f"/payments/{paid['paymentId']}/refund")
    assert answer.status_code == 303
    refused = fin.post(f"/payments/{paid['paymentId']}/refund", amount="1.00", reason="Broken leg")
    assert refused.status_code == 422
    assert "A freeze holds this" in text(refused.text)
    lift(freeze_id)
    assert refunding.send_next()
    assert "Refunded" in text(fin.page(f"/refunds/{refund_id}"))


def test_refund_is_taken_back_while_it_lies_here(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin, sue = desk.browser(who.fin, fresh=True), desk.browser(who.sue, fresh=True)
    send(fin, paid, "20.00")
    refund_id = ids_of(fin.page("/refunds"), "refund")[0]
    own = f"/refunds/{refund_id}"
    assert "Only whoever asked for it, finance or an admin" in text(sue.page(own))
    assert sue.post(f"{own}/cancel", reason="Not mine").status_code == 403
    assert fin.post(f"{own}/cancel", reason="").status_code == 422
    assert "20.00 EUR, not sent yet" in text(fin.page(f"{own}/cancel"))
    assert fin.post(f"{own}/cancel", reason="Wrong one").status_code == 303
    assert "Taken back before it was sent" in text(fin.page(own))
    assert not refunding.send_next()
    send(fin, paid, "20.00")
    refunding.send_next()
    sent = next(each for each in ids_of(fin.page("/refunds"), "refund") if each != refund_id)
    assert fin.get(f"/refunds/{sent}/cancel").status_code == 303
    late = fin.post(f"/refunds/{sent}/cancel", reason="Too late")
    assert late.status_code == 422


def test_list_is_filtered_counted_and_says_when_it_is_empty(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    assert "No refunds yet" in text(fin.page("/refunds"))
    send(fin, paid, "20.00")
    send(fin, paid, "900.00")
    assert "Waiting for approval 1" in text(fin.page("/refunds"))
    assert "On their way 1" in text(fin.part("/refunds/rows"))
    for query, count in (
        ("", 2),
        ("state=waiting", 1),
        ("state=done", 0),
        (f"payment={paid['paymentId']}", 2),
        ("order=ord_none", 0),
        ("from=2020-01-01&to=2020-01-02", 0),
    ):
        assert len(ids_of(fin.page(f"/refunds?{query}"), "refund")) == count, query
    assert fin.get("/refunds/rows").status_code == 303


def test_parts_that_change_listen_and_come_alone(
    desk: Desk, who: Personas, paid: dict[str, Any]
) -> None:
    fin = desk.browser(who.fin, fresh=True)
    send(fin, paid, "20.00")
    refund_id = ids_of(fin.page("/refunds"), "refund")[0]
    assert 'hx-trigger="sse:refunds' in fin.page("/refunds")
    assert f'hx-trigger="sse:refund-{refund_id}' in fin.page(f"/refunds/{refund_id}")
    assert "To be sent" in fin.part(f"/refunds/{refund_id}/body")
    part = fin.part(f"/payments/{paid['paymentId']}/refunds")
    assert f'id="refund-{refund_id}"' in part
    assert desk.anonymous().get("/refunds").location == "/login?next=%2Frefunds"

"""A coupon reads as what it is on the desk: its name and code, what it cost, and no refund of money nobody paid."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.api.personas import Personas
from tests.api.till import Till, code
from tests.dashboard.desk import Desk, rows, text
from tests.domain.fake_coupons import coupon

APPLY = "/v1/stripe/coupons/apply"
NAME = "Ten <b>off</b>"


@pytest.fixture
def till(app: Flask) -> Till:
    till = Till.open(app)
    till.rail.stripe.coupons_ = {"ten": coupon("ten", name=NAME), "half": coupon("half", None)}
    till.rail.stripe.code("WELCOME10", "ten")
    return till


def apply(till: Till, who: Personas) -> str:
    answer = till.post(APPLY, who.bo, {"couponId": "WELCOME10"})
    found: str = (answer.get_json().get("transactionId")) or (
        answer.get_json()["error"]["details"]["transactionId"]
    )
    return found


def test_list_and_page_tell_of_the_coupon_and_what_it_cost(
    desk: Desk, who: Personas, till: Till
) -> None:
    payment = apply(till, who)
    sue = desk.browser(who.sue)
    [row] = rows(sue.page("/payments"))
    for words in ("Confirmed", "10.00 EUR", f"Coupon “{NAME}”", "WELCOME10", who.bo.email):
        assert words in row, words
    page = sue.page(f"/payments/{payment}")
    assert "<b>off</b>" not in page
    said = text(page)
    for words in (
        f"Coupon “{NAME}”. The coupon was accepted and the wallet is credited.",
        *("Code typed WELCOME10", "Takes off 10.00 EUR", "once per person"),
        "Cost us 10.00 EUR booked as promotions with Stripe",
        *("invoice", "Asked the provider to turn the coupon into credit"),
        *(who.bo.email, "Their wallet", "Worth 10.00 EUR", "Credited 10.00 EUR"),
        *("Coupon given", "Promotions, Stripe ← Buyer's funds", "there is nothing to cancel"),
    ):
        assert words in said, words
    assert "Received 10.00" not in text(sue.page("/"))
    assert "Pay link" not in said
    assert "Open the pay page" not in said


def test_no_refund_is_offered_nor_given(desk: Desk, who: Personas, till: Till) -> None:
    payment = apply(till, who)
    fin = desk.browser(who.fin, fresh=True)
    said = text(fin.page(f"/payments/{payment}"))
    assert "A coupon's credit was never paid in, so there is nothing to give back." in said
    answer = till.post(f"/api/payments/{payment}/refunds", who.fin, {"reason": "They asked for it"})
    assert (answer.status_code, code(answer)) == (409, "NOT_REFUNDABLE")


def test_a_coupon_that_came_to_nothing_says_so(desk: Desk, who: Personas, till: Till) -> None:
    till.rail.stripe.covers = 500
    payment = apply(till, who)
    said = text(desk.browser(who.sue).page(f"/payments/{payment}"))
    for words in ("Failed", "Cost us 0.00 EUR", "the coupon can be applied again"):
        assert words in said, words


def test_its_person_reads_it_without_what_is_ours(desk: Desk, who: Personas, till: Till) -> None:
    payment = apply(till, who)
    said = text(desk.browser(who.bo).page(f"/payments/{payment}"))
    assert f"Coupon “{NAME}”" in said
    assert "Cost us" not in said
    assert desk.browser(who.eve).get(f"/payments/{payment}").status_code == 404

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.bank.conftest import Start, connect
from tests.sandbox.bank.wires import GoCardless, GoCardlessInbox, TrueLayer, TrueLayerInbox
from tests.sandbox.standin import StandIn


def act(standin: StandIn, payment: str, name: str, **more: Any) -> Any:
    return standin.control("POST", f"payments/{payment}/{name}", more)


def money(bank: StandIn, account: str) -> int:
    return int(bank.control("GET", "ledger")["accounts"][account])


def test_slow_bank_executes_first_and_settles_by_itself(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    payment = truelayer.pay()["id"]
    assert act(bank, payment, "authorise", bank="mock-slow-bank")["status"] == "executed"
    truelayer_inbox.wait_for("payment_settled")
    assert truelayer.get(f"/v3/payments/{payment}")["status"] == "settled"


def test_stalled_payment_settles_only_when_told_to(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    payment = truelayer.pay()["id"]
    act(bank, payment, "authorise", bank="mock-slow-bank")
    act(bank, payment, "stall")
    act(bank, payment, "creditable")
    truelayer_inbox.wait_for("payment_settlement_stalled")
    truelayer_inbox.wait_for("payment_creditable")
    bank.control("POST", "clock", {"advance_seconds": 60})
    # A payment that does settle by itself shows that the timetable has passed the stalled one.
    other = truelayer.pay()["id"]
    act(bank, other, "authorise", bank="mock-slow-bank")
    truelayer_inbox.wait(lambda got: "payment_settled" in got.types(other))
    assert truelayer.get(f"/v3/payments/{payment}")["status"] == "executed"
    act(bank, payment, "settle")
    truelayer_inbox.wait(lambda got: "payment_settled" in got.types(payment))


def test_refusing_bank_fails_the_payment_and_moves_nothing(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    before = money(bank, "truelayer:GBP")
    payment = truelayer.pay()["id"]
    act(bank, payment, "authorise", bank="mock-refusing-bank")
    told = truelayer_inbox.wait_for("payment_failed")
    assert (told["failure_stage"], told["failure_reason"]) == ("authorizing", "provider_rejected")
    assert money(bank, "truelayer:GBP") == before


def test_executed_payment_can_fail_and_a_settled_one_be_reversed(
    bank: StandIn, truelayer: TrueLayer, truelayer_inbox: TrueLayerInbox
) -> None:
    before = money(bank, "truelayer:GBP")
    late, settled = truelayer.pay()["id"], truelayer.pay()["id"]
    act(bank, late, "authorise", bank="mock-slow-bank")
    act(bank, late, "late_failure")
    assert truelayer_inbox.wait_for("payment_failed")["failure_stage"] == "executed"
    act(bank, settled, "authorise")
    act(bank, settled, "chargeback")
    truelayer_inbox.wait_for("payment_disputed")
    assert money(bank, "truelayer:GBP") == before + 10_000
    act(bank, settled, "reverse")
    truelayer_inbox.wait_for("payment_reversed")
    assert money(bank, "truelayer:GBP") == before


def test_payment_that_nobody_pays_expires(
    start_bank: Start, key: Any, truelayer_inbox: TrueLayerInbox
) -> None:
    hasty = start_bank("--expire-seconds", "0.1")
    truelayer_inbox.forget()
    truelayer_inbox.jku = f"{hasty.url}/.well-known/jwks"
    connect(hasty.url, key).pay()
    assert truelayer_inbox.wait_for("payment_failed")["failure_reason"] == "expired"


def test_refused_request_of_gocardless_can_be_tried_again(
    bank: StandIn, gocardless: GoCardless, gocardless_inbox: GoCardlessInbox
) -> None:
    request = gocardless.request()["id"]
    act(bank, request, "authorise", bank="mock-refusing-bank")
    gocardless_inbox.wait_for("billing_requests.bank_authorisation_failed")
    act(bank, request, "decline")
    gocardless_inbox.wait_for("billing_requests.bank_authorisation_denied")
    found = gocardless.get(f"/billing_requests/{request}")["billing_requests"]
    assert found["status"] == "pending"
    act(bank, request, "authorise")
    gocardless_inbox.wait_for("payments.confirmed")


@pytest.mark.parametrize(
    "way",
    [
        ("late_failure", "payments.failed", "failed", "payments.late_failure_settled"),
        ("chargeback", "payments.charged_back", "charged_back", "payments.chargeback_settled"),
    ],
    ids=lambda way: way[0],
)
def test_money_of_a_confirmed_payment_is_taken_back_with_a_later_payout(
    bank: StandIn,
    gocardless: GoCardless,
    gocardless_inbox: GoCardlessInbox,
    way: tuple[str, str, str, str],
) -> None:
    name, event, status, settled = way
    lost = gocardless.request(5_000)["id"]
    payment = act(bank, lost, "authorise")["payment"]
    bank.control("POST", "payouts")
    # The id of the payment is as good as that of its request.
    act(bank, payment, name)
    gocardless_inbox.wait_for(event)
    assert gocardless.get(f"/payments/{payment}")["payments"]["status"] == status
    good = gocardless.request(9_000)["id"]
    act(bank, good, "authorise")
    bank.control("POST", "payouts")
    gocardless_inbox.wait_for(settled)
    amounts = [each["amount"] for each in gocardless.get("/payouts")["payouts"]]
    assert amounts == [9_000 - 20 - 5_000, 5_000 - 20]


def test_act_that_makes_no_sense_is_refused_and_changes_nothing(
    bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless
) -> None:
    mine, theirs = truelayer.pay()["id"], gocardless.request()["id"]
    for payment, name in ((mine, "settle"), (mine, "reverse"), (theirs, "reverse"),
                          (theirs, "chargeback"), ("none", "settle"), (mine, "explode")):  # fmt: skip
        assert bank.refuses("POST", f"payments/{payment}/{name}", {}) == 400
    states = {each["status"] for each in bank.control("GET", "payments")["data"]}
    assert states == {"created"}


def test_providers_pay_out_by_themselves_what_is_above_their_float(
    start_bank: Start, key: Any
) -> None:
    daily = start_bank("--payout-seconds", "3600", "--float", "5000")
    client = connect(daily.url, key)
    act(daily, client.pay(700)["id"], "authorise")
    act(daily, GoCardless(daily.url).request(900)["id"], "authorise")
    assert daily.control("GET", "ledger")["payouts"] == {}
    daily.control("POST", "clock", {"advance_seconds": 3601})
    while len(daily.control("GET", "ledger")["payouts"]) < 2:
        pass
    held = daily.control("GET", "ledger")["accounts"]
    assert (held["truelayer:GBP"], held["gocardless:GBP"]) == (5_000, 5_000)
    assert held["bank:GBP"] == 1_000_000 + 700 + 900 - 20

"""The stand-in's account: what is exchanged, when it may be paid out, payouts and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Start, connect
from tests.sandbox.receiver import Receiver
from tests.sandbox.standin import PAID, Client, StandIn
from tests.sandbox.test_resources import needed


def pay(client: Client, **more: object) -> Any:
    """Have a card pay, and give the balance transaction."""
    wanted = {**PAID, "payment_method": "pm_card_visa", "capture_method": "automatic", **more}
    intent = client.v1.payment_intents.create(
        wanted | {"expand": ["latest_charge.balance_transaction"]}
    )
    return intent.latest_charge.balance_transaction


def test_foreign_currency_is_exchanged_for_the_accounts_own(client: Client) -> None:
    own = pay(client, amount=2_500, currency="eur")
    assert (own.amount, own.currency, own.exchange_rate, own.fee) == (2_500, "eur", None, 103)
    yen = pay(client, amount=10_000, currency="jpy")
    assert (yen.amount, yen.currency, yen.exchange_rate) == (6_700, "usd", 0.0067)
    assert [(part.description, part.amount) for part in yen.fee_details] == [
        ("Stripe processing fees", 224),
        ("Stripe currency conversion fee", 67),
    ]
    assert yen.net == yen.amount - 291
    dinars = pay(client, amount=12_340, currency="kwd")
    assert (dinars.amount, dinars.exchange_rate) == (4_011, 3.25)


def test_balance_is_paid_out_once_it_is_available(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    first = pay(client, amount=2_500)
    assert standin.control("POST", "pay_out", {})["data"] == []
    standin.control("POST", "clock", {"advance_seconds": 2 * 86_400 + 1})
    late = pay(client, amount=900)
    [name] = standin.control("POST", "pay_out", {})["data"]
    made = client.v1.payouts.retrieve(name)
    assert isinstance(made, stripe.Payout)
    assert needed(stripe.Payout) - set(made.to_dict()) == set()
    assert not any(field.startswith("_") for field in made.to_dict())
    assert (made.amount, made.currency, made.automatic) == (2_397, "eur", True)
    listed = client.v1.balance_transactions.list({"payout": name, "expand": ["data.source"]}).data
    assert {(one.id, one.type, one.net) for one in listed} == {
        (first.id, "charge", 2_397),
        (made.balance_transaction, "payout", -2_397),
    }
    balance = client.v1.balance.retrieve()
    assert (balance.available[0].amount, balance.pending[0].amount) == (0, late.net)
    for kind in ("payout.created", "payout.updated", "payout.paid"):
        assert receiver.wait_for(kind)["data"]["object"]["id"] == name
    completed = receiver.wait_for("payout.reconciliation_completed")["data"]["object"]
    assert (completed["status"], completed["reconciliation_status"]) == ("paid", "completed")


def test_payout_that_a_bank_sends_back_is_in_the_balance_again(
    client: Client, standin: StandIn, receiver: Receiver
) -> None:
    pay(client, amount=2_500)
    [name] = standin.control("POST", "pay_out", {"pending": True})["data"]
    receiver.wait_for("payout.paid")
    standin.control("POST", "fail_payout", {"payout": name})
    failed = receiver.wait_for("payout.failed")["data"]["object"]
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    back = client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (back.type, back.net, back.source) == ("payout_failure", 2_397, name)
    [again] = standin.control("POST", "pay_out", {})["data"]
    assert client.v1.payouts.retrieve(again).amount == 2_397
    assert [one.id for one in client.v1.payouts.list({"status": "failed"}).data] == [name]


def test_only_a_payout_by_hand_that_is_still_pending_is_cancelled(
    client: Client, standin: StandIn
) -> None:
    pay(client, amount=2_500)
    asked = {"pending": True, "automatic": False}
    [name] = standin.control("POST", "pay_out", asked)["data"]
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic"):
        client.v1.balance_transactions.list({"payout": name})
    cancelled = client.v1.payouts.cancel(name)
    assert cancelled.status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="still pending"):
        client.v1.payouts.cancel(name)
    assert client.v1.balance.retrieve().available[0].amount == 2_397


def test_lists_are_narrowed_by_time_type_and_currency(client: Client, standin: StandIn) -> None:
    pay(client, amount=2_500)
    now = standin.control("GET", "health")["now"]
    standin.control("POST", "clock", {"advance_seconds": 100})
    standin.control("POST", "book", {"type": "stripe_fee", "amount": -40, "currency": "usd"})
    listed = client.v1.balance_transactions.list
    assert [one.type for one in listed({"created": {"gte": int(now) + 50}}).data] == ["stripe_fee"]
    assert [one.type for one in listed({"created": {"lte": int(now) + 50}}).data] == ["charge"]
    assert [one.net for one in listed({"type": "stripe_fee"}).data] == [-40]
    assert [one.type for one in listed({"currency": "eur"}).data] == ["charge"]


def test_account_that_pays_out_by_itself_does_so_again_and_again(start: Start) -> None:
    standin = start("--payout-seconds", "0.2", "--available-seconds", "0", "--settle-seconds", "0")
    client = connect(standin.url)
    for number in (1, 2):
        pay(client, amount=2_500)
        _until(lambda number=number: len(client.v1.payouts.list().data) == number)  # type: ignore[misc]
    assert client.v1.balance.retrieve().available[0].amount == 0


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)

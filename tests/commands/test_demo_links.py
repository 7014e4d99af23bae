"""The demo's payers from a bank account: each way it ends is played, labelled and agrees with the bank."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from commands import demo_links, demo_visits
from domain import database
from domain.books import verification
from domain.samples.dice import Dice
from models.payments import Payment
from tests.commands.test_demo import opened, until, waiting
from tests.commands.test_demo_cards import in_euro
from tests.rig import bank as banks
from tests.rig.product import Processes


# What a visitor does is told by the API alone; the other half of the demo runs on the other database.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("provider", ["truelayer", "gocardless"])
def test_visitors_pay_from_their_bank_in_every_way(
    database_url: str, processes: Processes, provider: str
) -> None:
    stack = processes.stack(database_url, bank_by=provider)
    assert stack.bank is not None
    bank = stack.bank.url
    with opened(stack, database_url, processes.instance) as shop:
        assert shop.bank == bank
        said = Counter(demo_links.pay(in_euro(shop, seed)) for seed in range(26))
        assert set(said) == set(demo_links._WORDS.values()), said
        until(lambda: waiting() == 0 and received() == settled(bank))
        with database.reading() as session:
            rows = session.scalars(select(Payment)).all()
        assert {(row.rail, row.provider, row.demo) for row in rows} == {("bank", provider, True)}
        assert [check for check in verification.verify().checks if check.first_bad] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_bank_they_pay_by_card(database_url: str, processes: Processes) -> None:
    stack = processes.stack(database_url)
    with opened(stack, database_url, processes.instance) as shop:
        assert shop.bank == ""
        assert " paid with " in demo_visits.play(shop, Dice(3), demo_visits._from_bank)


def received() -> int:
    with database.reading() as session:
        return sum(session.scalars(select(Payment.received_minor)))


def settled(bank: str) -> int:
    truth = banks.control(bank, "ledger")["payments"].values()
    return sum(int(each["amount"]) for each in truth if each["settled"])

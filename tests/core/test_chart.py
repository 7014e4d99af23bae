"""The chart of accounts reads what it writes, and nothing else."""

from __future__ import annotations

import inspect

import pytest

from core import chart
from core.chart import CHART, Kind
from domain.books import accounts
from domain.books.accounts import Account


@pytest.mark.parametrize("pattern", CHART, ids=lambda each: each.template)
def test_every_address_is_found_by_its_own_pattern(pattern: chart.Pattern) -> None:
    parts = pattern.parts_of(pattern.template.replace("{", "").replace("}", "")) or {}
    address = pattern.at(**{name: f"{name[:3]}_1a" for name in parts})
    assert chart.find(address) is pattern
    assert chart.find(f"{address}:reserved") is pattern
    assert "{" not in chart.label_of(address)


@pytest.mark.parametrize(
    "address",
    ["", "cash", "cash:", "cash:a:b", "wallet:u:balance:x", "wallet:a b:balance", "x:y", "cash:ä"],
)
def test_what_the_chart_does_not_know_is_no_account(address: str) -> None:
    assert chart.find(address) is None
    assert accounts.named(address) is None


def test_each_name_of_an_account_is_of_the_chart_and_of_its_kind() -> None:
    made = [
        function(*("x1" for _ in inspect.signature(function).parameters))
        for name, function in vars(accounts).items()
        if inspect.isfunction(function) and name not in ("named", "reserved", "dataclass", "_at")
    ]
    assert len(made) > 10
    for account in [*made, accounts.DISPUTES_LOST, accounts.WRITE_OFFS]:
        assert isinstance(account, Account)
        pattern = chart.find(account.address)
        assert pattern is not None
        assert account.kind == pattern.kind


def test_buyers_and_sellers_never_share_an_account() -> None:
    heads: dict[str, set[chart.Side]] = {}
    for pattern in CHART:
        heads.setdefault(pattern.template.split(":")[0], set()).add(pattern.side)
    assert all(len(sides) == 1 for sides in heads.values())
    owed = [each for each in CHART if each.kind == Kind.LIABILITY]
    assert all(each.side in (chart.Side.BUYER, chart.Side.SELLER) for each in owed)

"""The limits of what one person may move alone, read from the operator's words."""

from __future__ import annotations

import pytest

from core.money import Money, asset
from core.money_out import LIMITS, RULES, Act, is_above, parse_limits
from core.permissions import HOLDERS
from core.states import Role


def euros(minor: int) -> Money:
    return Money(minor, asset("EUR"))


def test_a_limit_holds_to_the_last_cent() -> None:
    limits = parse_limits("EUR:500, JPY:75000")
    assert not is_above(euros(50_000), limits)
    assert is_above(euros(50_001), limits)
    assert not is_above(Money(75_000, asset("JPY")), limits)


def test_a_currency_without_a_limit_always_needs_two() -> None:
    assert is_above(Money(1, asset("SEK")), parse_limits("EUR:500"))
    assert is_above(euros(1), parse_limits(""))
    assert is_above(euros(1), parse_limits("EUR:0"))


@pytest.mark.parametrize("text", ["EUR", "EUR:x", "EUR:1,EUR:2", "ZZZ:1", "EUR:-1", "JPY:1.5"])
def test_words_that_are_no_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_limits(text)


def test_what_an_installation_starts_with_reads() -> None:
    assert parse_limits(LIMITS)["EUR"] == euros(50_000)


def test_every_act_has_its_rule_and_somebody_to_agree_to_it() -> None:
    assert set(RULES) == set(Act)
    for act, rule in RULES.items():
        agreeing = HOLDERS[rule.agrees]
        assert agreeing <= {Role.FINANCE, Role.ADMIN}, act
        assert agreeing, act

"""Money keeps every unit, refuses what it cannot hold, and never meets a float."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import ASSETS, Money, asset, parse, zero

EUR, JPY, KWD, ETH = asset("EUR"), asset("jpy"), asset("KWD/3"), asset("ETH")


@pytest.mark.parametrize(
    ("text", "of", "minor"),
    [("125", EUR, 12500), ("125.5", EUR, 12550), ("0.01", EUR, 1), ("125.00", EUR, 12500)]
    + [("500", JPY, 500), ("1.234", KWD, 1234), ("0.000000001", ETH, 1), ("-3.10", EUR, -310)],
)
def test_an_amount_is_read_from_its_text(text: str, of: object, minor: int) -> None:
    assert parse(text, of).minor == minor  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["1.001", "", " 1", "1,00", "1e3", "NaN", "Infinity", "+1", "٣", "1.", ".5", "9" * 19]
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text, EUR)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(ASSETS)))
def test_writing_and_reading_give_the_same_amount(minor: int, code: str) -> None:
    amount = Money(minor, asset(code))
    assert parse(amount.major(), amount.asset) == amount


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 1000), min_size=1, max_size=8))
def test_a_split_loses_nothing(minor: int, weights: list[int]) -> None:
    if not any(weights):
        weights[0] = 1
    parts = Money(minor, EUR).allocate(weights)
    assert sum(part.minor for part in parts) == minor
    exact = [minor * weight / sum(weights) for weight in weights]
    assert all(abs(part.minor - share) < 1 + 1e-3 for part, share in zip(parts, exact, strict=True))


def test_amounts_of_two_assets_do_not_combine() -> None:
    with pytest.raises(ValueError):
        Money(1, EUR) + Money(1, JPY)
    with pytest.raises(ValueError):
        _ = Money(1, EUR) < Money(1, JPY)


def test_an_amount_beyond_64_bits_is_refused() -> None:
    with pytest.raises(ValueError):
        Money(2**63, EUR)
    assert zero(EUR).major() == "0.00"


def test_an_asset_is_not_taken_under_a_wrong_scale() -> None:
    with pytest.raises(ValueError):
        asset("EUR/3")
    with pytest.raises(ValueError):
        asset("XYZ")

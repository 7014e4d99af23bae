"""What lines add up to, to the minor unit, in currencies of every scale; parts of it never lose or make any."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import Money, asset
from domain.invoices import totals
from domain.invoices.totals import TaxRow

EUR, JPY, KWD = asset("EUR"), asset("JPY"), asset("KWD")
RATES = [Decimal(each) for each in ("0", "5.5", "7", "19", "20", "25", "8.25", "99.9999")]


def priced(quantity: str, unit: int, rate: str, of: object = EUR) -> totals.Line:
    return totals.line("Oak", Decimal(quantity), Money(unit, of), Decimal(rate))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quantity", "unit", "net"),
    [("1", 100, 100), ("3", 333, 999), ("0.5", 1, 1), ("1.5", 101, 152), ("0.333333", 100, 33)],
)
def test_a_line_is_rounded_once_a_half_away_from_zero(quantity: str, unit: int, net: int) -> None:
    assert priced(quantity, unit, "19").net.minor == net


def test_tax_is_rounded_per_rate_not_per_line() -> None:
    # Three lines of 0.33 at 10 %: 0.099 in all, and not three times 0.03.
    lines = [priced("1", 33, "10")] * 3
    own = totals.of_lines(lines)
    assert (own.net.minor, own.tax.minor, own.gross.minor) == (99, 10, 109)


def test_each_rate_has_one_row_the_highest_first() -> None:
    lines = [priced("1", 1_000, "7"), priced("2", 500, "19"), priced("1", 100, "7.0")]
    own = totals.of_lines(lines)
    assert [(row.rate, row.base.minor, row.tax.minor) for row in own.taxes] == [
        (Decimal(19), 1_000, 190),
        (Decimal(7), 1_100, 77),
    ]


def test_currencies_keep_their_own_scale() -> None:
    yen = totals.of_lines([priced("3", 333, "10", JPY)])
    assert (yen.net.major(), yen.tax.major(), yen.gross.major()) == ("999", "100", "1099")
    dinar = totals.of_lines([priced("1", 1_235, "5", KWD)])
    assert (dinar.net.major(), dinar.tax.major(), dinar.gross.major()) == (
        "1.235",
        "0.062",
        "1.297",
    )


def test_a_line_too_large_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        priced("999999999", 2**62, "19")


@given(st.integers(1, 10**12), st.sampled_from(RATES))
def test_what_includes_its_tax_is_split_into_parts_that_add_up(minor: int, rate: Decimal) -> None:
    row = totals.split_gross(Money(minor, EUR), rate)
    assert row.gross.minor == minor
    assert abs(row.tax.minor - totals.tax_of(row.base, rate).minor) <= 1


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.sampled_from(RATES)), min_size=1, max_size=6
    ).filter(lambda rows: any(minor for minor, _ in rows)),
    st.data(),
)
def test_a_part_and_what_is_left_make_the_whole_again(
    rows: list[tuple[int, Decimal]], data: st.DataObject
) -> None:
    lines = [priced("1", minor, str(rate)) for minor, rate in rows]
    whole = totals.of_lines(lines)
    part = data.draw(st.integers(0, whole.gross.minor))
    share = totals.share(whole, Money(part, EUR))
    left = totals.less(whole, share.taxes)
    assert share.gross.minor == part
    assert left.gross.minor == whole.gross.minor - part
    for row in (*share.taxes, *left.taxes):
        assert row.base.minor >= 0
        assert row.tax.minor >= 0


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_a_rate_is_found_for_every_tax_below_its_base(net: int, tax: int) -> None:
    rate = totals.rate_behind(Money(net, EUR), Money(tax, EUR))
    if rate is None:
        assert tax >= net * Decimal("0.99")
    else:
        assert totals.tax_of(Money(net, EUR), rate).minor == tax


def test_the_rate_that_people_know_is_found_not_a_longer_one() -> None:
    assert totals.rate_behind(Money(10_504, EUR), Money(1_996, EUR)) == Decimal(19)


def test_rows_of_one_rate_are_one_row() -> None:
    rows = [TaxRow(Decimal(7), Money(100, EUR), Money(7, EUR))] * 2
    assert totals.add_up(rows).taxes == (TaxRow(Decimal(7), Money(200, EUR), Money(14, EUR)),)

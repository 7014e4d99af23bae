"""Every month lies in one quarter of one fiscal year, whatever month the house's years begin with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

import config
from domain import calendar


@pytest.fixture(autouse=True)
def own_years() -> Iterator[None]:
    """Give the house its fiscal year back after the test."""
    before = calendar._place.first_month
    yield
    calendar._place.first_month = before


def months(begin: str, end: str) -> list[str]:
    found = [begin]
    while found[-1] != end:
        found.append(calendar.following(found[-1]))
    return found


@pytest.mark.parametrize("first_month", range(1, 13))
def test_a_year_has_twelve_months_in_four_quarters_and_the_next_follows_at_once(
    first_month: int,
) -> None:
    calendar._place.first_month = first_month
    begin = f"2026-{first_month:02d}"
    year = months(begin, calendar.preceding(f"2027-{first_month:02d}"))
    assert len(year) == 12
    assert {calendar.fiscal_year_of(month) for month in year} == {
        "2026" if first_month == 1 else "2026/27"
    }
    assert [calendar.quarter_of(month) for month in year] == sorted([1, 2, 3, 4] * 3)
    following = calendar.following(year[-1])
    assert calendar.fiscal_year_of(following) == ("2027" if first_month == 1 else "2027/28")
    assert calendar.quarter_of(following) == 1


@pytest.mark.parametrize("first_month", range(1, 13))
def test_each_day_lies_in_the_quarter_and_the_year_that_begin_last_before_it(
    first_month: int,
) -> None:
    calendar._place.first_month = first_month
    quarters = {(first_month - 1 + 3 * number) % 12 + 1 for number in range(4)}
    year = quarter = None
    for day in (date(2022, 1, 1) + timedelta(days=number) for number in range(6 * 365)):
        if day.day == 1 and day.month == first_month:
            year = day
        if day.day == 1 and day.month in quarters:
            quarter = day
        if year and quarter:
            assert calendar.begin_of_year(day) == year
            assert calendar.begin_of_quarter(day) == quarter


def test_years_at_a_century_s_end_are_named_without_a_doubt() -> None:
    calendar._place.first_month = 4
    assert calendar.fiscal_year_of("2099-12") == "2099/00"
    assert calendar.fiscal_year_of("2100-03") == "2099/00"


@pytest.mark.parametrize("text", ["0", "13", "-1", "1.5", "April", "٣", " "])
def test_a_month_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(config.BadSettings, match="FISCAL_YEAR_START"):
        config._fiscal_year_start({"FISCAL_YEAR_START": text})

"""Working hours: weekends and nights do not count, clock changes neither lose nor invent an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from core import business_hours

ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
]
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001  # made aware
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)
zones, hours = st.sampled_from(ZONES), st.integers(1, 200)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("begin", "worked", "due"),
    [
        ("2026-11-20T10:00", 4, "2026-11-20T14:00"),
        ("2026-11-20T16:00", 2, "2026-11-23T10:00"),  # over a weekend
        ("2026-11-21T12:00", 1, "2026-11-23T10:00"),  # opened on a Saturday
        ("2026-11-19T03:00", 8, "2026-11-19T17:00"),  # before anybody comes: due when they leave
        ("2026-11-19T17:00", 8, "2026-11-20T17:00"),  # as they leave: the next day counts whole
        ("2026-11-19T16:59", 40, "2026-11-26T16:59"),
    ],
)
def test_a_target_is_met_within_working_hours(begin: str, worked: int, due: str) -> None:
    assert business_hours.due_at(at(begin), worked, ZoneInfo("UTC")) == at(due)


def test_a_weekend_in_which_the_clock_changes_counts_as_any_other() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for friday, monday in (("2026-03-27", "2026-03-30"), ("2026-10-23", "2026-10-26")):
        begin = at(f"{friday}T15:00", "Europe/Berlin")
        due = business_hours.due_at(begin, 4, berlin)
        assert due == at(f"{monday}T11:00", "Europe/Berlin")
        assert business_hours.seconds_between(begin, due, berlin) == 4 * 3600


def test_hours_of_another_place_are_those_of_its_own_clock() -> None:
    begin = at("2026-11-20T22:30")  # Friday half past five in the evening in New York
    due = business_hours.due_at(begin, 1, ZoneInfo("America/New_York"))
    assert due == at("2026-11-23T10:00", "America/New_York")


@given(INSTANTS, hours, zones)
def test_as_much_is_worked_until_the_target_as_it_says(
    begin: datetime, count: int, zone: ZoneInfo
) -> None:
    due = business_hours.due_at(begin, count, zone)
    assert business_hours.seconds_between(begin, due, zone) == count * 3600
    # The last second before it is worked, so no earlier instant would do.
    assert business_hours.is_open(due - timedelta(seconds=1), zone)
    assert business_hours.seconds_between(begin, due - timedelta(seconds=1), zone) < count * 3600


@given(INSTANTS, INSTANTS, INSTANTS, zones)
def test_worked_time_adds_up(one: datetime, two: datetime, three: datetime, zone: ZoneInfo) -> None:
    first, middle, last = sorted((one, two, three))
    between = business_hours.seconds_between
    assert between(first, last, zone) == between(first, middle, zone) + between(middle, last, zone)
    assert between(last, first, zone) == -between(first, last, zone)
    assert between(first, last, zone) <= (last - first).total_seconds()


@given(INSTANTS, INSTANTS, hours, zones)
def test_what_was_opened_later_is_never_due_earlier(
    one: datetime, two: datetime, count: int, zone: ZoneInfo
) -> None:
    first, last = sorted((one, two))
    due = business_hours.due_at
    assert due(first, count, zone) <= due(last, count, zone)
    assert due(first, count, zone) < due(first, count + 1, zone)


def test_no_hours_are_no_target() -> None:
    with pytest.raises(ValueError, match="at least one hour"):
        business_hours.due_at(at("2026-11-20T10:00"), 0, ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["Nowhere/City", "../../etc/passwd", "/etc", "\0"])
def test_a_business_zone_that_is_none_stops_the_start(name: str) -> None:
    with pytest.raises(config.BadSettings, match="TZ_BUSINESS"):
        config._zone({"TZ_BUSINESS": name})


def test_without_a_business_zone_the_clock_is_utc() -> None:
    assert config._zone({}) == config._zone({"TZ_BUSINESS": ""}) == "UTC"
    assert config._zone({"TZ_BUSINESS": "Europe/Berlin"}) == "Europe/Berlin"

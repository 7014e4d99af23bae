"""Each instant belongs to exactly one month on the house's clock, whatever that clock does at its ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import calendar, database
from domain.books import chains, verification
from domain.periods import months
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.closing_months import NOVEMBER, OCTOBER, at, posted, prepared
from tests.domain.world import World

# Clocks that are moved within days of a month's end, at midnight itself, or not at all.
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Asuncion", "America/Havana", "Africa/Cairo", "Pacific/Kiritimati", "Pacific/Apia"),
)


@pytest.fixture(autouse=True)
def own_zone() -> Iterator[None]:
    """Give the house its clock back after the test."""
    before = calendar.zone()
    yield
    calendar._place.zone = before


def test_months_follow_each_other_without_a_gap_or_an_overlap_in_every_zone() -> None:
    moment = timedelta(microseconds=1)
    for name in ZONES:
        calendar._place.zone = ZoneInfo(name)
        month, ends = "2011-11", calendar.bounds("2011-11")[0]
        while month < "2027-01":
            begins, previous = calendar.bounds(month)[0], ends
            assert begins == previous, (name, month)
            ends = calendar.bounds(month)[1]
            assert calendar.month_of(begins) == month, (name, month)
            assert calendar.month_of(ends - moment) == month, (name, month)
            assert calendar.month_of(begins - moment) == calendar.preceding(month), (name, month)
            month = calendar.following(month)


def test_what_happens_in_the_last_hour_of_a_month_is_booked_by_the_house_and_not_by_utc(
    world: World, staff: Staff
) -> None:
    calendar._place.zone = ZoneInfo("America/Havana")
    begins, ends = calendar.bounds(OCTOBER)
    # In Havana the clock goes back in the first hour of this November: its midnight comes once.
    assert ends == datetime(2026, 11, 1, 4, tzinfo=UTC)
    with at("2026-10-20"):
        posted(1)
        inside = posted(2, took_effect="2026-11-01T03:59:59")
        outside = posted(4, took_effect="2026-11-01T04:00")
        assert time.entry(inside).period == OCTOBER
        assert time.entry(outside).period == NOVEMBER
    with at("2026-11-01T03:59:00"):
        assert not months.span_of(OCTOBER).is_over
    with at("2026-11-01T04:00:01"):
        prepared(OCTOBER)
        closing = time.closed(OCTOBER, staff.fin, staff.flo)
        assert (closing.entries, closing.zone) == (2, "America/Havana")
        late = posted(8, took_effect="2026-11-01T03:30")
        assert (time.entry(late).period, time.entry(late).late_of) == (NOVEMBER, OCTOBER)
    assert begins < ends


def test_a_house_that_moves_its_clock_leaves_closed_months_as_they_were(
    world: World, staff: Staff
) -> None:
    with at("2026-10-05"):
        posted(1)
        edge = posted(2, took_effect="2026-10-31T23:30")
    with at("2026-11-02"):
        prepared(OCTOBER)
        time.closed(OCTOBER, staff.fin, staff.flo)
        calendar._place.zone = ZoneInfo("Asia/Tokyo")
        # To Tokyo this instant is in November; it is closed with October all the same.
        late = posted(4, took_effect="2026-10-31T23:30")
        assert (time.entry(late).period, time.entry(late).late_of) == (NOVEMBER, None)
        assert time.entry(edge).period == OCTOBER
        chains.link_all(everything=True)
        problems = [
            bad
            for name in ("periods", "period_closings", "period_snapshots", "entry_months")
            for bad in _found(name)
        ]
        assert problems == []


def _found(name: str) -> list[str]:
    with database.reading() as session:
        return [bad for bad in verification.CHECKS[name](session) if bad]

"""Working time: Monday to Friday, nine to five on the clock of a place; correct over weekends and clock changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

OPENS, CLOSES = time(9), time(17)
_SATURDAY = 5


def _windows(first: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Walk the working days from a day on, each as its first instant and the one after its last."""
    day = first
    while True:
        if day.weekday() < _SATURDAY:
            opens = datetime.combine(day, OPENS, zone).astimezone(UTC)
            yield opens, datetime.combine(day, CLOSES, zone).astimezone(UTC)
        day += timedelta(days=1)


def due_at(begin: datetime, hours: int, zone: tzinfo) -> datetime:
    """Give the instant at which so many working hours have passed since `begin`, in UTC.

    hours: whole, positive. Time is counted between instants, so a day whose clock is set forward
    within working hours is an hour shorter.
    """
    if hours <= 0:
        raise ValueError("a target takes at least one hour")
    left = timedelta(hours=hours)
    for opens, closes in _windows(begin.astimezone(zone).date(), zone):
        room = closes - max(begin, opens)
        if room >= left:
            return (max(begin, opens) + left).astimezone(UTC)
        left -= max(room, timedelta())
    raise AssertionError("days do not end")  # for the type checker


def seconds_between(begin: datetime, end: datetime, zone: tzinfo) -> int:
    """Count the working seconds from `begin` to `end`; negative when `end` lies before."""
    if end < begin:
        return -seconds_between(end, begin, zone)
    total = timedelta()
    for opens, closes in _windows(begin.astimezone(zone).date(), zone):
        if opens >= end:
            return int(total.total_seconds())
        total += max(min(closes, end) - max(opens, begin), timedelta())
    raise AssertionError("days do not end")  # for the type checker


def is_open(at: datetime, zone: tzinfo) -> bool:
    """Tell whether somebody works at an instant."""
    local = at.astimezone(zone)
    return local.weekday() < _SATURDAY and OPENS <= local.time() < CLOSES

"""The house's calendar: its business's clock, the months its books are closed by, and its fiscal years."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config import Settings
from core import clock

# By how much two zones' clocks differ at most: from 12 hours behind UTC to 14 before it.
LARGEST_SHIFT = timedelta(hours=26)
_NAMES = (
    "January February March April May June July August September October November December"
).split()
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


@dataclass
class _Place:
    zone: ZoneInfo
    first_month: int


_place = _Place(ZoneInfo("UTC"), 1)


def configure(settings: Settings) -> None:
    """Keep the clock of the operator's `TZ_BUSINESS`, and fiscal years from `FISCAL_YEAR_START`, from now on."""
    _place.zone = ZoneInfo(settings.business_zone)
    _place.first_month = settings.fiscal_year_start


def zone() -> ZoneInfo:
    """Give the zone whose clock the business keeps."""
    return _place.zone


def day_of(at: datetime) -> date:
    """Give the day of an instant on the house's clock."""
    return at.astimezone(_place.zone).date()


def today() -> date:
    """Give the day it is now on the house's clock."""
    return day_of(clock.now())


def month_of(at: datetime) -> str:
    """Give the month of an instant on the house's clock, such as `2026-11`."""
    return f"{day_of(at):%Y-%m}"


def is_month(text: str) -> bool:
    """Tell whether a text is a month, such as `2026-11`."""
    return _MONTH.fullmatch(text) is not None


def days_of(month: str) -> tuple[date, date]:
    """Give the first and the last day of a month."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def following(month: str) -> str:
    """Give the month after a month."""
    return f"{days_of(month)[1] + timedelta(days=1):%Y-%m}"


def preceding(month: str) -> str:
    """Give the month before a month."""
    return f"{days_of(month)[0] - timedelta(days=1):%Y-%m}"


def name_of(month: str) -> str:
    """Name a month for people, such as `November 2026`."""
    first = days_of(month)[0]
    return f"{_NAMES[first.month - 1]} {first.year}"


def begin_of_year(day: date) -> date:
    """Give the first day of the fiscal year in which a day lies."""
    return date(day.year - (day.month < _place.first_month), _place.first_month, 1)


def begin_of_quarter(day: date) -> date:
    """Give the first day of the fiscal quarter in which a day lies."""
    months = (day.month - _place.first_month) % 12 % 3
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def fiscal_year_of(month: str) -> str:
    """Name the fiscal year of a month: `2026`, or `2026/27` where it goes on into the next year."""
    begin = begin_of_year(days_of(month)[0])
    return f"{begin.year}" if begin.month == 1 else f"{begin.year}/{(begin.year + 1) % 100:02d}"


def quarter_of(month: str) -> int:
    """Give the quarter of its fiscal year in which a month lies, 1 to 4."""
    return (days_of(month)[0].month - _place.first_month) % 12 // 3 + 1


def begin_of(day: date) -> datetime:
    """Give the instant at which a day begins on the house's clock, in UTC."""
    return datetime.combine(day, time(), _place.zone).astimezone(UTC)


def bounds(month: str) -> tuple[datetime, datetime]:
    """Give the instants between which a month lies: from, inclusive, and to, exclusive, in UTC."""
    first, last = days_of(month)
    return begin_of(first), begin_of(last + timedelta(days=1))

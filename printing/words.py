"""How sums, days and places read on paper; pure functions over Babel's tables, in one language."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, get_currency_symbol

from core.money import Money, asset

LOCALE = Locale("en")
# CLDR's own digits are not ours everywhere; the asset's scale decides.
_PATTERN = "#,##0"


@lru_cache(maxsize=32)
def _pattern(scale: int) -> str:
    return _PATTERN + ("." + "0" * scale if scale else "")


def money(minor: int, asset_name: str) -> str:
    """Write an amount with its currency: `€1,190.00`, `¥1,190`, `KWD 1.190`, `USDT 12.500000`."""
    of = asset(asset_name)
    symbol = get_currency_symbol(of.code, locale=LOCALE)
    gap = "\u00a0" if symbol[-1].isalpha() else ""
    sign = "−" if minor < 0 else ""
    return f"{sign}{symbol}{gap}{amount(abs(minor), asset_name)}"


def amount(minor: int, asset_name: str) -> str:
    """Write an amount alone, where the head of its column names the currency."""
    of = asset(asset_name)
    written = format_decimal(Money(minor, of).as_decimal(), _pattern(of.scale), locale=LOCALE)
    return written.replace("-", "−")


def code(asset_name: str) -> str:
    """Give the currency's code."""
    return asset(asset_name).code


def number(text: str | int) -> str:
    """Write a plain decimal without the zeros it does not need."""
    return format_decimal(Decimal(text), "#,##0.######", locale=LOCALE).replace("-", "−")


def percent(rate: str) -> str:
    """Write a rate: `19%`."""
    return f"{number(rate)}%"


def day(on: date) -> str:
    """Write a day in full: `22 November 2026`."""
    return format_date(on, "d MMMM y", locale=LOCALE)


def short_day(on: date) -> str:
    """Write a day for a column: `22 Nov 2026`."""
    return format_date(on, "d MMM y", locale=LOCALE)


def month(period: str) -> str:
    """Write a month such as `2026-11` in full."""
    return format_date(date.fromisoformat(f"{period}-01"), "MMMM y", locale=LOCALE)


def moment(at: datetime, zone: str) -> str:
    """Write an instant in a zone, which it names: `22 November 2026, 14:03:11 CET`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{format_datetime(local, 'd MMMM y, HH:mm:ss', locale=LOCALE)} {local:%Z}"


def country(name: str | None) -> str:
    """Give the name of a country of two letters, or those letters when nobody knows them."""
    return LOCALE.territories.get(name, name) if name else ""

"""Which account and which days the address of a statement's page asks for, on the house's clock. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.errors import invalid
from core.money import asset
from dashboard import journal_words, listing, words
from dashboard.listing import Asked
from domain import calendar
from models.ledger import LedgerAccount

# `statement`: the one that was asked for last, whose document the page shows.
NAMES = ("currency", "range", "from", "to", "statement")
RANGES: Mapping[str, str] = {
    "": "This month",
    "last": "Last month",
    "quarter": "This quarter",
    "year": "This fiscal year",
    "all": "Everything",
}


@dataclass(frozen=True)
class Span:
    """From when, inclusive, to when, exclusive; None: from the beginning, up to now."""

    since: datetime | None
    until: datetime | None
    words: str
    is_custom: bool = False


def span_of(asked: Asked) -> Span:
    """Read which span of time the address wants to see, on the house's clock."""
    begin, end = _day(asked, "from"), _day(asked, "to")
    if begin or end:
        since = calendar.begin_of(begin) if begin else None
        until = calendar.begin_of(end + timedelta(days=1)) if end else None
        return Span(since, until, _days(begin, end), is_custom=True)
    chosen = asked.one_of("range", list(RANGES))
    if chosen == "all":
        return Span(None, None, "Everything since the account was opened")
    today = calendar.today()
    if chosen in ("quarter", "year"):
        starts = calendar.begin_of_year if chosen == "year" else calendar.begin_of_quarter
        begin = starts(today)
        return Span(calendar.begin_of(begin), None, _days(begin, None))
    first = today.replace(day=1)
    if chosen == "last":
        first = (first - timedelta(days=1)).replace(day=1)
    month = f"{first:%Y-%m}"
    since, until = calendar.bounds(month)
    return Span(since, until, journal_words.month(month))


def _day(asked: Asked, name: str) -> date | None:
    at, _ = listing.day_of(asked, name)
    return None if at is None else at.date()


def _days(begin: date | None, end: date | None) -> str:
    said = [f"from {journal_words.on(begin)}"] if begin else []
    if end:
        said.append(f"up to {journal_words.on(end)}")
    return words.sentence(" ".join(said)).rstrip(".")


def of_page(address: str) -> Asked:
    """Read what the page of an account was asked for."""
    return listing.read(f"/ledger/accounts/{address}", NAMES)


def chosen(found: Sequence[LedgerAccount], code: str) -> LedgerAccount:
    """Choose the currency of an address; the first when none is named.

    Raises: InvalidInput
    """
    for row in found:
        if not code or asset(row.asset).code == code:
            return row
    raise invalid("currency", "This account holds nothing in that currency.")

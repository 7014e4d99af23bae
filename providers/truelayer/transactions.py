"""What lies on our merchant accounts at TrueLayer, a month at a time: its only list of what settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from core import clock
from providers.truelayer.accounts import Accounts
from providers.truelayer.api import Api, named, next_cursor
from providers.values import Thing, instant, things, word

# The list can be narrowed, but as what a refund counts there is said nowhere: all of it is read.
PAYMENT, EXTERNAL, REFUND, PAYOUT = (
    "merchant_account_payment",
    "external_payment",
    "refund",
    "payout",
)
# What took back a payment that had settled; named nowhere in public, so it may be another word.
REVERSAL = "payment_reversal"
# A busy account gives at most 31 days at a time.
# Source: https://docs.truelayer.com/docs/get-your-merchant-account-transactions-or-payment-sources
SPAN = timedelta(days=30)
# Their clock and ours may differ a little.
MARGIN = timedelta(seconds=60)


@dataclass(frozen=True)
class Place:
    """Where in the lists of all accounts a page begins. cursor: TrueLayer's, or empty for a beginning."""

    account: int = 0
    span: int = 0
    cursor: str = ""

    @classmethod
    def read(cls, text: str | None) -> Place:
        """Read what a page said to go on with."""
        if text is None:
            return cls()
        account, span, cursor = text.split(":", 2)
        return cls(int(account), int(span), cursor)

    def written(self) -> str:
        """Write it for the next page."""
        return f"{self.account}:{self.span}:{self.cursor}"


def spans(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Cut a window into parts that TrueLayer gives at once; both ends of each are included."""
    begin, end = since - MARGIN, until + MARGIN
    count = max(1, -(-(end - begin) // SPAN))
    cuts = [begin + SPAN * number for number in range(count)] + [end]
    return list(pairwise(cuts))


def page(
    api: Api,
    accounts: Accounts,
    place: Place,
    *,
    since: datetime,
    until: datetime | None,
) -> tuple[list[Thing], Place | None]:
    """Read one page and say where the next one begins.

    Calls: TrueLayer, once when the accounts are known. Raises: ProviderUnavailable, ProviderRefused.
    """
    every, parts = accounts.every(), spans(since, until or clock.now())
    if place.account >= len(every) or place.span >= len(parts):
        return [], None
    begin, end = parts[place.span]
    query = _query(begin, end, place.cursor)
    path = f"/v3/merchant-accounts/{named(every[place.account])}/transactions"
    said = api.get(path, query)
    cursor = next_cursor(said)
    if cursor is not None and cursor != place.cursor:
        return things(said.get("items")), Place(place.account, place.span, cursor)
    following = Place(place.account, place.span + 1)
    if following.span >= len(parts):
        following = Place(place.account + 1)
    return things(said.get("items")), following if following.account < len(every) else None


def _query(begin: datetime, end: datetime, cursor: str) -> Mapping[str, str]:
    query = {"from": str(clock.rfc3339(begin)), "to": str(clock.rfc3339(end))}
    return query | ({"cursor": cursor} if cursor else {})


def every(api: Api, accounts: Accounts, *, since: datetime, until: datetime) -> Iterator[Thing]:
    """Read all transactions of a window, each once, newest first. Calls: TrueLayer, page by page."""
    place: Place | None = Place()
    found: dict[str, Thing] = {}
    while place is not None:
        items, place = page(api, accounts, place, since=since, until=until)
        for one in items:
            # Where two parts of a window meet, both tell of it.
            found.setdefault(f"{word(one.get('type'))}:{word(one.get('id'))}", one)
    yield from sorted(found.values(), key=lambda one: moved_at(one) or since, reverse=True)


def moved_at(one: Thing) -> datetime | None:
    """Say when a transaction moved our balance, or was asked for when it has not yet."""
    times = (instant(one.get(name)) for name in ("settled_at", "executed_at", "created_at"))
    return next((at for at in times if at is not None), None)

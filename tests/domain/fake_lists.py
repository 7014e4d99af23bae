"""The lists of the fake rail: what it holds, page by page, as the real one reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core import clock
from core.strictjson import Json
from providers.list_seam import Listed, Listing, ListPage
from providers.said import Reading
from providers.stripe import listing, reading


@dataclass
class FakeLists:
    """page_size: how much a page of a list holds; unlisted: intents that no list tells of."""

    page_size: int = 100
    unlisted: set[str] = field(default_factory=set)

    def list_page(
        self,
        what: Listing,
        *,
        since: datetime,
        until: datetime | None = None,
        after: str | None = None,
    ) -> ListPage:
        del since, until
        rail: Any = self
        if error := rail._scripted(f"list_{what}"):
            raise error
        listed = {
            Listing.PAYMENTS: lambda: [*_intents(rail), *rail.listed_invoices()],
            Listing.REFUNDS: lambda: _refunds(rail),
            Listing.DISPUTES: rail.listed_disputes,
        }[what]()
        begin = int(after or "0")
        end = begin + self.page_size
        return ListPage(listed[begin:end], str(end) if end < len(listed) else None)


def _intents(rail: Any) -> list[Listed]:
    return [
        Listed(name, listing.read(found, _read_intent), _made_at(found))
        for name, found in list(rail.intents.items())
        if name not in rail.unlisted
    ]


def _refunds(rail: Any) -> list[Listed]:
    return [Listed(name, rail._said(found)) for name, found in list(rail.refunds.items())]


def _read_intent(record: dict[str, Json]) -> Reading:
    return reading.read_intent(record, said_at=clock.now())


def _made_at(record: Mapping[str, object]) -> datetime | None:
    created = record.get("created")
    return clock.from_unix(created) if isinstance(created, int) else None

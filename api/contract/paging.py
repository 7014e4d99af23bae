"""Lists: a limit, an opaque cursor that names a place, newest first, no total."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import Field

from api.contract.records import Instant, Out, Query
from core.errors import InvalidInput, invalid

DEFAULT, MOST = 50, 200
Row = TypeVar("Row")
Item = TypeVar("Item")
# When the last row seen was made, and its id.
Mark: TypeAlias = tuple[datetime, str]


class PageQuery(Query):
    """What every list takes."""

    limit: int = Field(default=DEFAULT, ge=1, le=MOST)
    cursor: str | None = Field(default=None, max_length=200)


class RangeQuery(PageQuery):
    """A list narrowed by time: from inclusive, to exclusive."""

    since: Instant | None = Field(default=None, alias="from")
    until: Instant | None = Field(default=None, alias="to")


class Listed(Out, Generic[Item]):
    """A page of a list; ask for the next one with `cursor=nextCursor` until that is null."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class Place:
    """Which page is asked for. limit: how many rows; before: the row after which it begins."""

    limit: int
    before: Mark | None

    @property
    def fetch(self) -> int:
        """How many rows to read: one more tells whether there is a next page."""
        return self.limit + 1


def _bad_cursor() -> InvalidInput:
    return invalid("cursor", "This is no cursor of this list. Begin without one.")


def place_of(query: PageQuery) -> Place:
    """Read which page is asked for.

    Raises: InvalidInput
    """
    if query.cursor is None:
        return Place(query.limit, None)
    try:
        text = base64.urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4))
        at, row_id = json.loads(text)
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError) as error:
        raise _bad_cursor() from error
    if not isinstance(row_id, str) or moment.tzinfo is None or "\x00" in row_id:
        raise _bad_cursor()
    return Place(query.limit, (moment.astimezone(UTC), row_id))


def cursor(mark: Mark) -> str:
    """Write a place as an opaque cursor."""
    text = json.dumps([mark[0].astimezone(UTC).isoformat(), mark[1]], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page(
    rows: Sequence[Row],
    place: Place,
    *,
    wire: Callable[[Row], dict[str, Any]],
    mark: Callable[[Row], Mark],
) -> dict[str, Any]:
    """Write a page of rows, of which one more than the limit was read."""
    shown = rows[: place.limit]
    more = len(rows) > place.limit
    return {
        "items": [wire(row) for row in shown],
        "nextCursor": cursor(mark(shown[-1])) if more else None,
    }

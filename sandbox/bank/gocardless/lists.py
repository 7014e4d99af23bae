"""Lists with GoCardless' cursors: newest first, `after` leads to what is older."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sandbox.bank.gocardless.errors import misused
from sandbox.bank.world import GOCARDLESS, Call
from sandbox.common.store import Query
from sandbox.common.wire import Obj

DEFAULT, MOST = 50, 500
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_PAGING = {"after", "before", "limit"}


def page(
    call: Call,
    kind: str,
    sent: Obj,
    *,
    name: str,
    show: Callable[[Obj], Obj],
    filters: dict[str, str] | None = None,
    group: str | None = GOCARDLESS,
    parent: str | None = None,
    created: str = "created_at",
) -> Obj:
    """Return one page. `filters` maps parameters to paths in the kept object."""
    known = {*_PAGING, *(filters or {}), *(f"{created}[{sign}]" for sign in _SIGNS)}
    unknown = [each for each in sent if each not in known and not each.startswith("_")]
    if unknown:
        raise misused(400, "invalid_filters", f"Unknown parameters: {', '.join(unknown)}")
    limit = _limit(sent)
    query = Query(
        kind=kind,
        limit=limit,
        customer=group,
        parent=parent,
        created=tuple(
            (sign, _ms(sent[key])) for word, sign in _SIGNS.items()
            if (key := f"{created}[{word}]") in sent
        ),
        after=sent.get("after"),
        before=sent.get("before"),
        extra=tuple((path, sent[key]) for key, path in (filters or {}).items() if key in sent),
    )  # fmt: skip
    found = call.store.page(query)
    if found is None:
        raise misused(400, "invalid_cursor", "The cursor names no record of this list")
    records, more = found
    older = more if not query.before else bool(records)
    newer = bool(records) and bool(query.after or (query.before and more))
    cursors = {
        "before": records[0]["id"] if newer else None,
        "after": records[-1]["id"] if older else None,
    }
    return {
        name: [show(each) for each in records],
        "meta": {"cursors": cursors, "limit": limit},
    }


def _limit(sent: Obj) -> int:
    text = str(sent.get("limit", DEFAULT))
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise misused(400, "invalid_limit", f"limit must be between 1 and {MOST}")
    return int(text)


def _ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError as error:
        raise misused(400, "invalid_filters", f"{text} is no time") from error

"""What every list of the desk shares: filters read from the address, cursors, tabs, links that keep them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import request

from core.errors import invalid
from dashboard import render, words
from dashboard.shapes import Empty, FilterBar, Input, Option, Pages, Tab
from domain.payments.payments import Page

ROWS = 50
LONGEST_QUERY = 200
DEMO = {"": "Shown", "no": "Hidden", "only": "Only"}
Place = tuple[datetime, str]


@dataclass(frozen=True)
class Asked:
    """What the address asks of a list: its path and its filters, empty ones left out."""

    path: str
    values: Mapping[str, str]

    def get(self, name: str) -> str:
        """Give a filter's value, empty when it is not set."""
        return self.values.get(name, "")

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """Give a filter's value when it is one that the list knows."""
        found = self.get(name)
        return found if found in known else ""

    def is_narrowed(self, *names: str) -> bool:
        """Tell whether any filter is set, the tab and the page aside."""
        return any(self.get(name) for name in names)

    def href(self, path: str | None = None, **changed: str | None) -> str:
        """Write the list's address with some filters changed; None or empty takes one away."""
        wanted = {**self.values, **changed}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"{path or self.path}?{query}" if query else path or self.path


def asked_text(name: str) -> str:
    """Give one text of the address; what no database can hold (NUL, lone surrogates) is left out."""
    return asked_whole(name, LONGEST_QUERY)


def asked_whole(name: str, most: int) -> str:
    """Give one text of the address up to a length of its own, such as a list of ids."""
    return render.storable(request.args.get(name, ""))[:most]


def read(path: str, names: Sequence[str]) -> Asked:
    """Read a list's filters from the request's address."""
    given = {name: asked_text(name) for name in names}
    given["cursor"] = request.args.get("cursor", "").strip()
    return Asked(path, {name: value for name, value in given.items() if value})


def none_there(asked: Asked, text: str, icon: str) -> Empty | None:
    """Say that a tab holds nothing, when nothing else is asked for; None: other filters are set."""
    if set(asked.values) != {"state"}:
        return None
    return Empty("Nothing here", text, icon, href=asked.path, label="Back to the list")


def write_cursor(place: Place) -> str:
    """Write where the next page begins as one opaque word."""
    text = json.dumps([place[0].isoformat(), place[1]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place | None:
    """Read where a page begins.

    Raises: InvalidInput
    """
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        at, row_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        place = (datetime.fromisoformat(at).astimezone(UTC), render.storable(str(row_id)))
    except (ValueError, TypeError, binascii.Error, UnicodeError) as error:
        raise invalid(
            "cursor", "This page of the list cannot be found. Begin at the top."
        ) from error
    return place


def page_of(asked: Asked) -> Page:
    """Say which page of a list is wanted."""
    return Page(limit=ROWS, before=read_cursor(asked.get("cursor")))


def pages(asked: Asked, shown: int, more: Place | None, *, newest: str = "newest") -> Pages:
    """Prepare the foot of a list."""
    is_later = bool(asked.get("cursor"))
    text = f"{shown} shown" if is_later or more is None else f"The {shown} {newest}"
    return Pages(
        text=text,
        first_href=asked.href(cursor=None) if is_later else None,
        older_href=asked.href(cursor=write_cursor(more)) if more else None,
    )


def day_of(asked: Asked, name: str) -> tuple[datetime | None, str | None]:
    """Read a day of the address as its first instant in UTC, or say what is wrong with it."""
    text = asked.get(name)
    if not text:
        return None, None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC), None
    except ValueError:
        return None, "Use a day such as 2026-11-21."


def days(asked: Asked) -> tuple[datetime | None, datetime | None]:
    """Give the first instant wanted and the first one no longer wanted."""
    begin, end = day_of(asked, "from")[0], day_of(asked, "to")[0]
    return begin, end + timedelta(days=1) if end else None


def day_inputs(asked: Asked) -> list[Input]:
    """Prepare the two fields of a span of days."""
    return [
        Input(
            name,
            label,
            "date",
            value=asked.get(name),
            error=day_of(asked, name)[1],
            submits=True,
            is_set=bool(asked.get(name)),
        )
        for name, label in (("from", "From"), ("to", "To"))
    ]


def select(asked: Asked, name: str, label: str, choices: Mapping[str, str]) -> Input:
    """Prepare a select that sends the form when it changes. choices: the first one is "not set"."""
    chosen = asked.one_of(name, list(choices))
    return Input(
        name,
        label,
        "select",
        submits=True,
        is_set=bool(chosen),
        options=[Option(value, text, value == chosen) for value, text in choices.items()],
    )


def text_input(asked: Asked, name: str, label: str) -> Input:
    """Prepare a free text filter."""
    value = asked.get(name)
    return Input(name, label, "text", value=value, placeholder="any", is_set=bool(value))


def tabs(
    asked: Asked, choices: Mapping[str, str], counts: Mapping[str, str], *, name: str = "state"
) -> list[Tab]:
    """Prepare the tabs over a list; choices: the first one is everything."""
    current = asked.one_of(name, list(choices))
    return [
        Tab(label, asked.href(cursor=None, **{name: value}), value == current, counts.get(value))
        for value, label in choices.items()
    ]


@dataclass(frozen=True)
class BarWords:
    """What a filter bar calls itself."""

    label: str
    search_label: str
    placeholder: str


def bar(asked: Asked, said: BarWords, inputs: list[Input], *, tab: str = "state") -> FilterBar:
    """Prepare the filters over a list; the tab stays when the form is sent."""
    names = ["q", *[each.name for each in inputs]]
    cleared: dict[str, str | None] = dict.fromkeys(names)
    return FilterBar(
        action=asked.path,
        label=said.label,
        search_label=said.search_label,
        placeholder=said.placeholder,
        q=asked.get("q"),
        fields=inputs,
        kept={tab: asked.get(tab)} if asked.get(tab) else {},
        clear_href=asked.href(cursor=None, **cleared) if asked.is_narrowed(*names) else None,
    )


def version(*parts: object) -> str:
    """Make the mark that tells a row has changed."""
    return "-".join(words.plain_mark(part) for part in parts)

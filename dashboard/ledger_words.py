"""How the chart of accounts reads on the desk: lines with what they hold, accounts, totals, pages. No routes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from urllib.parse import quote

from core.chart import CHART, Kind, Pattern, Side
from core.errors import invalid
from core.money import asset
from dashboard import books, journal_words, render, words
from dashboard.listing import Asked
from dashboard.shapes import Pages, State, View
from domain.books.chart_sums import AccountSum, LineSum

SIDES: Mapping[Side, str] = {
    Side.HOUSE: "House",
    Side.BUYER: "Buyers",
    Side.SELLER: "Sellers",
}
_NOTES: Mapping[Side, str] = {
    Side.HOUSE: "Ours: what providers and banks hold for us, what was earned and spent",
    Side.BUYER: "What buyers paid in and is not released: owed to them or held for their orders",
    Side.SELLER: "What merchants and sellers are owed and was not paid out",
}
_PART = re.compile(r"\{\w+\}")
_GROWS = {Kind.ASSET: "debits", Kind.EXPENSE: "debits"}
BALANCED = State("Balanced", "equal", "good")
UNBALANCED = State("Out of balance", "failed", "bad")


def slug(pattern: Pattern) -> str:
    """Name a line in an address: `order:{order}:escrow_hold` reads `order.escrow_hold`."""
    return ".".join(part for part in _PART.sub("", pattern.template).split(":") if part)


def asset_name(code: str) -> str | None:
    """Give a currency as the books store it; None when it is none, or not asked for."""
    try:
        return str(asset(code)) if code else None
    except ValueError:
        return None


def href_of(address: str, unit: str) -> str:
    """Give the page of an account in one currency."""
    return f"/ledger/accounts/{quote(address, safe=':')}?currency={asset(unit).code}"


def totals(sums: Sequence[LineSum], only: str | None) -> list[View]:
    """Prepare the trial balance per currency, with the difference, which is always told."""
    found: list[View] = []
    for unit in sorted({each.asset for each in sums if only in (None, each.asset)}):
        debits = sum(each.debit_minor for each in sums if each.asset == unit)
        credits_ = sum(each.credit_minor for each in sums if each.asset == unit)
        found.append(
            {
                "currency": asset(unit).code,
                "debits": words.money(debits, unit),
                "credits": words.money(credits_, unit),
                "difference": words.money(debits - credits_, unit),
                "state": BALANCED if debits == credits_ else UNBALANCED,
            }
        )
    return found


def when_words(on: date | None, known: date | None) -> str | None:
    """Say as of when the numbers are; None: now."""
    found = []
    if on is not None:
        found.append(f"what took effect up to the end of {journal_words.on(on)}")
    if known is not None:
        found.append(f"as it was known at the end of {journal_words.on(known)}")
    return words.sentence(", ".join(found)) if found else None


def branches(
    asked: Asked,
    sums: Sequence[LineSum],
    children: Mapping[Pattern, Sequence[AccountSum]],
    names: Mapping[str, str],
) -> list[View]:
    """Prepare the chart as a tree: whose ledger, which line with what it holds, which accounts."""
    found: list[View] = []
    for side, title in SIDES.items():
        lines = [
            _line(asked, pattern, own, children.get(pattern, ()), names)
            for pattern in CHART
            if pattern.side == side and (own := [each for each in sums if each.pattern == pattern])
        ]
        if lines:
            found.append({"id": side.value, "title": title, "note": _NOTES[side], "lines": lines})
    strangers = [each for each in sums if each.pattern is None]
    if strangers:
        found.append(_unknown(strangers))
    return found


def _line(
    asked: Asked,
    pattern: Pattern,
    sums: Sequence[LineSum],
    children: Sequence[AccountSum],
    names: Mapping[str, str],
) -> View:
    count = sum(each.accounts for each in sums)
    own = account_rows(children, names)
    only = own[0] if count == 1 and own else None
    return {
        "id": slug(pattern),
        "label": books.line(pattern),
        "means": pattern.means,
        "kind": pattern.kind.value.capitalize(),
        "count": f"{count:,}" if only is None else None,
        "href": asked.href(line=slug(pattern), cursor=None) if only is None else only["href"],
        "sums": [_sums(each) for each in sums],
        "only": only,
        "children": own if only is None else [],
    }


def _sums(line: LineSum) -> View:
    reserved = words.money(line.reserved_minor, line.asset) if line.reserved_minor else None
    return {
        "balance": words.money(line.balance_minor, line.asset),
        "reserved": reserved,
        "href": None,
    }


def _unknown(sums: Sequence[LineSum]) -> View:
    """Show accounts that the chart does not know apart: there must be none."""
    line: View = {
        "id": "unknown",
        "label": "Not of the chart",
        "means": "Accounts that no line of the chart knows. There must be none: the watch says more.",
        "kind": "–",
        "count": f"{sum(each.accounts for each in sums):,}",
        "href": None,
        "sums": [_sums(each) for each in sums],
        "only": None,
        "children": [],
    }
    return {"id": "unknown", "title": "Unknown", "note": "Look here first", "lines": [line]}


def account_rows(found: Sequence[AccountSum], names: Mapping[str, str]) -> list[View]:
    """Prepare accounts, one row per address with all of its currencies."""
    by_address: dict[str, list[AccountSum]] = {}
    for each in found:
        by_address.setdefault(each.address, []).append(each)
    return [_account_row(own, names) for own in by_address.values()]


def _account_row(own: Sequence[AccountSum], names: Mapping[str, str]) -> View:
    first = own[0]
    return {
        "id": first.address,
        "address": first.address,
        "short": books.short_address(first.address),
        "name": books.account(first.address, names),
        "kind": first.pattern.kind.value.capitalize() if first.pattern else "–",
        "href": href_of(first.address, first.asset),
        # Currencies in which it holds nothing now are told by its own page.
        "sums": [_account_sums(each) for each in own if each.balance_minor or each.reserved_minor],
    }


def _account_sums(found: AccountSum) -> View:
    """Show what an account holds; what is reserved is told apart and is part of it."""
    reserved = words.money(found.reserved_minor, found.asset) if found.reserved_minor else None
    return {
        "balance": words.money(found.balance_minor + found.reserved_minor, found.asset),
        "reserved": reserved,
        "href": href_of(found.address, found.asset),
    }


def side_words(kind: str) -> str:
    """Say on which side an account grows."""
    return f"Grows by {_GROWS.get(Kind(kind), 'credits')}"


def write_place(*parts: str) -> str:
    """Write where the next page begins as one opaque word."""
    text = json.dumps(parts)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_place(text: str) -> tuple[str, str] | None:
    """Read where a page begins, which two words say.

    Raises: InvalidInput
    """
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        first, second = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        return render.storable(str(first)), render.storable(str(second))
    except (ValueError, TypeError, binascii.Error, UnicodeError) as error:
        raise invalid(
            "cursor", "This page of the list cannot be found. Begin at the top."
        ) from error


def line_pages(asked: Asked, shown: int, more: str | None) -> Pages:
    """Prepare the foot of a statement."""
    is_later = bool(asked.get("cursor"))
    return Pages(
        text=words.counted(shown, "line") + (" shown, newest first" if more or is_later else ""),
        first_href=asked.href(cursor=None) if is_later else None,
        older_href=asked.href(cursor=more) if more else None,
    )


def pages(asked: Asked, shown: int, more: str | None) -> Pages:
    """Prepare the foot of a list of accounts."""
    is_later = bool(asked.get("cursor"))
    return Pages(
        text=words.counted(shown, "account") + (" shown" if more or is_later else ""),
        first_href=asked.href(cursor=None) if is_later else None,
        older_href=asked.href(cursor=more) if more else None,
    )

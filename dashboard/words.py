"""How things read on the desk: sums, moments, short ids, names, rails; pure functions, no database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from babel.numbers import format_decimal

from core import clock
from core.money import Money, asset
from core.strictjson import Json
from dashboard.shapes import Moment, Person, RailMark, Ref, Sum
from providers import registry

# What a payment is for.
PURPOSES = {
    "deposit": "Deposit",
    "balance": "Balance",
    "top_up": "Wallet top-up",
    "coupon": "Coupon",
    "card_validation": "Card check",
    "card_setup": "Card setup",
}
_ICONS = {"card": "card", "bank": "bank", "chain": "chain", "crypto": "chain", "escrow": "chain"}
_RAILS = {"card": "Card", "bank": "Bank", "chain": "On-chain"}
# What is shown of a long name: enough to tell two apart, and its kind.
_LONGEST = 20
# Our own ids (core/ids.py): their first half is the time and tells two apart less than their end.
_OURS = re.compile(r"[a-z]{2,4}_[0-9a-z]{26,34}")


@lru_cache(maxsize=64)
def _pattern(scale: int) -> str:
    return "#,##0" + ("." + "0" * scale if scale else "")


def money(minor: int, asset_name: str) -> Sum:
    """Show minor units of a stored asset such as `EUR/2`."""
    return shown(Money(minor, asset(asset_name)))


@lru_cache(maxsize=4096)
def shown(sum_: Money) -> Sum:
    """Show an amount with its currency; the minus is a real one."""
    of = sum_.asset
    amount = format_decimal(sum_.as_decimal(), format=_pattern(of.scale), locale="en")
    return Sum(amount.replace("-", "−"), of.code, sum_.major())


def plain(sum_: Sum) -> str:
    """Write a sum inside a sentence."""
    return f"{sum_.amount} {sum_.currency}"


def relative(at: datetime, now: datetime | None = None) -> str:
    """Say how long ago, or in how long, in the words that `static/js/desk.js` keeps up."""
    seconds = ((now or clock.now()) - at).total_seconds()
    span = abs(seconds)
    if span < 5:
        return "just now"
    steps = ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"))
    size, unit = next(((size, unit) for limit, size, unit in steps if span < limit), (86400, "d"))
    words = f"{int(span // size)} {unit}"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def absolute(at: datetime) -> str:
    """Write an instant in full."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def moment(at: datetime) -> Moment:
    """Show an instant."""
    at = at.astimezone(UTC)
    return Moment(f"{at:%Y-%m-%dT%H:%M:%SZ}", absolute(at), relative(at), f"{at:%H:%M:%S}")


def day(at: datetime) -> str:
    """Name a day."""
    return f"{at.day} {at:%B %Y}"


def span(seconds: float) -> str:
    """Say how long something took."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds >= 0.001 else "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, lower, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // lower
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def short(name: str) -> str:
    """Shorten an id so that its kind and its end are seen: `pay_…c0zr`, `pi_3QNx…DeFg`."""
    if len(name) <= _LONGEST:
        return name
    prefix, underscore, rest = name.rpartition("_")
    if _OURS.fullmatch(name):
        return f"{prefix}_…{rest[-4:]}"
    return f"{name[: len(prefix) + 5]}…{name[-4:]}" if underscore else f"{name[:8]}…{name[-4:]}"


def ref(label: str, value: str, *, href: str | None = None, text: str | None = None) -> Ref:
    """Make something to copy; a long value is shown short. href: only ever a page of ours."""
    seen = text or short(value)
    return Ref(label, value, seen if seen != value else None, href)


def initials(name: str) -> str:
    """Give up to two letters for a person's disc."""
    letters = [word[0] for word in name.replace("@", " ").split() if word[0].isalnum()]
    return "".join(letters[:2]).upper() or "?"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Say how many of something there are."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """Make a verdict of the rules a sentence of its own."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def rail(name: str, provider: str | None = None) -> RailMark:
    """Show a rail, and with a provider whose it is."""
    label = _RAILS.get(name, name.capitalize())
    if provider is not None:
        label = f"{label}, {provider_label(provider)}"
    return RailMark(label, _ICONS.get(name, "card"))


def provider_label(name: str) -> str:
    """Name a provider for people."""
    known = {each.name: each.label for each in registry.every()}
    return known.get(name, name)


def rail_of(name: str) -> str:
    """Give the rail that a provider serves; nothing for one that is not known any more."""
    return next((each.rail for each in registry.every() if each.name == name), "")


def provider(name: str) -> RailMark:
    """Show a provider with its rail's icon."""
    for each in registry.every():
        if each.name == name:
            return RailMark(each.label, _ICONS.get(each.rail, "provider"))
    return RailMark(name, "provider")


def rail_names() -> dict[str, str]:
    """Give each rail of the registry with its word, for filters."""
    return {each.rail: _RAILS.get(each.rail, each.rail.capitalize()) for each in registry.every()}


def person(actor_id: str, names: Mapping[str, str]) -> Person:
    """Show who acted, by an actor's id and the names found for it."""
    name = names.get(actor_id, actor_id)
    return Person(name, _kind_of(actor_id), initials(name))


def _kind_of(actor_id: str) -> str:
    if actor_id.startswith("system:"):
        return "worker" if actor_id == "system:worker" else "system"
    return "api" if actor_id.startswith("key_") else "person"


def named_person(name: str) -> Person:
    """Show who acted where only the name is left."""
    name = name[:1].upper() + name[1:]
    if name.startswith("Paydesk"):
        return Person(name, "worker" if "worker" in name else "system", "P")
    return Person(name, "api" if name.startswith("API key") else "person", initials(name))


def value(found: Json) -> str | None:
    """Write a JSON value inside a table of differences."""
    if found is None:
        return None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found)


def plain_mark(part: object) -> str:
    """Write a part of a row's version: an instant by its microseconds, anything else as it is."""
    return str(int(part.timestamp() * 1_000_000)) if isinstance(part, datetime) else str(part)


_SOURCE = re.compile(r"\b(inbound|operation|user|key):([a-z]+_[0-9a-z]+)")
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SOURCES = {"inbound": "event", "operation": "our own call", "user": "person", "key": "API key"}


def verdict(text: str, *, own: str = "") -> str:
    """Make a verdict of the rules readable: sources by kind and short id, instants in full.

    own: the id of what the page is about; it is called "this very event".
    """

    def name(found: re.Match[str]) -> str:
        if found[2] == own:
            return "this very event"
        return f"{_SOURCES[found[1]]} {short(found[2])}"

    text = _SOURCE.sub(name, text)
    return sentence(_INSTANT.sub(lambda found: absolute(datetime.fromisoformat(found[0])), text))


def inbound_in(text: str) -> str | None:
    """Find the inbound event that a verdict names."""
    found = _SOURCE.search(text)
    return found[2] if found and found[1] == "inbound" else None

"""Reading values out of providers' documents: names, parts, whole numbers, amounts, times; knows no provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeGuard

from core import strictjson
from core.errors import UnmappedProviderValue
from core.money import Money, asset
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery

Thing = dict[str, Json]


def parse(body: bytes) -> Thing:
    """Parse a signed body as one JSON object.

    Raises: UnreadableDelivery
    """
    try:
        return strictjson.loads_object(body)
    except strictjson.Unreadable as error:
        raise UnreadableDelivery(str(error)) from error


def is_word(value: Json) -> TypeGuard[str]:
    """Tell whether a value is a name as providers make them; NUL and lone surrogates cannot be stored."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def word(value: Json, *, longest: int | None = None) -> str | None:
    """Give a name, code or address as providers write them, or None. longest: in characters."""
    if not is_word(value) or (longest is not None and len(value) > longest):
        return None
    return value


def thing(value: Json) -> Thing:
    """Give a nested object, or an empty one."""
    return value if isinstance(value, dict) else {}


def things(value: Json) -> list[Thing]:
    """Give the objects of a list, or none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def whole(value: Json, field: str) -> int:
    """Give a whole number. Raises: UnreadableDelivery."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableDelivery(f"{field} is missing or no whole number")
    return value


def money_of(subject: Thing, field: str, *, provider: str) -> Money:
    """Read an amount in whole minor units of the object's own currency.

    Raises: UnreadableDelivery, UnmappedProviderValue
    """
    currency = word(subject.get("currency"))
    if currency is None:
        raise UnreadableDelivery("currency is missing")
    minor = whole(subject.get(field), field)
    try:
        return Money(minor, asset(currency))
    except ValueError as error:
        raise UnmappedProviderValue(provider, "currency", currency) from error


def instant(value: Json) -> datetime | None:
    """Read an RFC 3339 time as an aware UTC instant; None when it is missing, unreadable or has no zone."""
    text = word(value, longest=40)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except OverflowError:
        return None

"""Reading values out of Stripe's objects: names, references, amounts; knows no object and no event."""

from __future__ import annotations

from core.errors import UnmappedProviderValue
from core.money import Money
from core.strictjson import Json
from providers.deliveries import UnreadableDelivery
from providers.stripe.amounts import from_stripe
from providers.values import Thing, thing, whole, word

__all__ = ["Thing", "money", "reference_of", "thing", "whole", "word"]


def reference_of(value: Json) -> str | None:
    """Give the id of a field that Stripe writes as an id or, expanded, as the object."""
    return word(value) or word(thing(value).get("id"))


def money(subject: Thing, field: str) -> Money:
    """Read an amount of an object in the object's currency. Raises: UnreadableDelivery, UnmappedProviderValue."""
    currency = word(subject.get("currency"))
    if currency is None:
        raise UnreadableDelivery("currency is missing")
    amount = whole(subject.get(field), field)
    try:
        return from_stripe(amount, currency)
    except ValueError as error:
        raise UnmappedProviderValue("stripe", "currency", currency) from error

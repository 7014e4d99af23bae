"""Timelines as the API shows them: what each lane says, and how long it took from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from api.contract import Out
from core import clock
from domain.actors import Actor
from domain.payments.timeline import Lags
from domain.payments.timeline_items import Item

# What tells of our own inside: kept from those who are not staff.
_INSIDE = frozenset({"heard", "source", "fact", "inbound", "operation"})


class TimelineItemOut(Out):
    """One thing that happened. lane: who says so."""

    at: str
    lane: Literal["provider", "us", "books"]
    kind: str
    text: str
    actor: str | None
    reason: str | None
    references: dict[str, str]
    payment_id: str | None


class TimelineOut(Out):
    """Everything that happened, oldest first."""

    items: list[TimelineItemOut]
    next_cursor: str | None


class LagOut(Out):
    """Seconds between the lanes for the payment's money; null while a lane has not spoken."""

    provider_to_us_seconds: float | None
    us_to_books_seconds: float | None


class PaymentTimelineOut(TimelineOut):
    """A payment's timeline, with how far the lanes lie apart and by which mapping it was read."""

    lag: LagOut
    mapping_version: int


def _item(item: Item, actor: Actor) -> dict[str, Any]:
    references = {
        name: value
        for name, value in item.references.items()
        if value and (actor.is_staff or name not in _INSIDE)
    }
    return {
        "at": clock.rfc3339(item.at),
        "lane": item.lane,
        "kind": item.kind,
        "text": item.text,
        "actor": item.actor,
        "reason": item.reason,
        "references": references,
        "paymentId": item.payment_id,
    }


def items(found: Sequence[Item], *, actor: Actor) -> dict[str, Any]:
    """Write a timeline; it is whole, so there is no next page."""
    return {"items": [_item(item, actor) for item in found], "nextCursor": None}


def lag(found: Lags) -> dict[str, Any]:
    """Write how far the lanes lie apart."""
    return {
        "providerToUsSeconds": found.provider_to_us_seconds,
        "usToBooksSeconds": found.us_to_books_seconds,
    }

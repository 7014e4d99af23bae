"""Every event type that is told to the world: its fields, its alias, who gets it, a schema and an example."""

from __future__ import annotations

from collections.abc import Mapping

from core.strictjson import Json
from domain.event_types import (
    bank,
    cards,
    control,
    invoices,
    journal,
    money,
    periods,
    reconciliation,
)
from domain.event_types.fields import AT, DIALECT, MERCHANT, ORDER, PAYMENT, EventType, Field
from domain.event_types.fields import text as _text

__all__ = ["BY_NAME", "TYPES", "EventType", "Field", "example", "schema", "wire"]

TYPES: tuple[EventType, ...] = (
    *money.TYPES,
    *cards.TYPES,
    *invoices.TYPES,
    *control.TYPES,
    *journal.TYPES,
    *periods.TYPES,
    *reconciliation.TYPES,
    *bank.TYPES,
)
BY_NAME: Mapping[str, EventType] = {kind.name: kind for kind in TYPES}

_COMMON: Mapping[str, Field] = {
    "id": _text("evt_01jd7m2g1h0v5d3k8r6t9w1x2y3z", "Names this event; for `Last-Event-ID`."),
    "type": _text("", "What happened."),
    "at": _text(AT, "When, RFC 3339 in UTC."),
    "sequence": Field("integer", 2, "Rises with each event of its payment, else of its object."),
    "paymentId": _text(PAYMENT, "The payment.", nullable=True),
    "orderId": _text(ORDER, "The order.", nullable=True),
    "status": _text("", "The state it led to.", nullable=True),
    "merchantId": _text(MERCHANT, "The merchant.", nullable=True),
    "isReplay": Field("boolean", False, "Whether a replay of an earlier event caused it."),
    "demo": Field("boolean", False, "Whether it belongs to the sandbox's demo traffic."),
}


def example(kind: EventType) -> dict[str, Json]:
    """Write a plausible event of a type, with every field it has."""
    found = {name: each.example for name, each in _COMMON.items()}
    found |= {"type": kind.name, "status": kind.status}
    if kind.about in ("staff", "other"):
        found |= {"paymentId": None, "orderId": None}
    if kind.about == "order":
        found["paymentId"] = None
    if kind.alias:
        found |= {"alias": kind.alias[0], "aliasType": kind.alias[1]}
    return found | {name: each.example for name, each in kind.fields.items()}


def schema(kind: EventType) -> dict[str, Json]:
    """Write the JSON Schema of a type; a later version may add fields, never take one away.

    Source: JSON Schema 2020-12
    """
    properties: dict[str, Json] = {name: each.schema() for name, each in _COMMON.items()}
    properties["type"] = {"const": kind.name, "description": kind.meaning}
    if kind.alias:
        properties["alias"] = {"const": kind.alias[0]}
        properties["aliasType"] = {"const": kind.alias[1]}
    properties |= {name: each.schema() for name, each in kind.fields.items()}
    required: list[Json] = [*properties]
    return {
        "$schema": DIALECT,
        "$id": f"{kind.name}.json",
        "title": kind.name,
        "description": kind.meaning,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
        "examples": [example(kind)],
    }


def wire(kind: EventType) -> dict[str, Json]:
    """Write a type as the API lists it."""
    return {
        "type": kind.name,
        "alias": kind.alias[0] if kind.alias else None,
        "aliasType": kind.alias[1] if kind.alias else None,
        "meaning": kind.meaning,
        "staff": kind.staff,
        "outbound": kind.outbound,
        "schema": schema(kind),
        "example": example(kind),
    }

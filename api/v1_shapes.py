"""What the records of `/v1` share: amounts as JSON numbers in major units, written from Decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import WithJsonSchema

from core.money import Money, asset

# Major units. In Python a Decimal, on the wire a JSON number; never a float.
Number = Annotated[Decimal, WithJsonSchema({"type": "number", "examples": [25.00]})]


def number(minor: int, asset_name: str) -> Decimal:
    """Write minor units of an asset, named as it is stored, as `/v1` shows an amount."""
    return Money(minor, asset(asset_name)).as_decimal()

"""What an order may say beforehand for its EN 16931 invoice: parties, addresses, tax ids, lines, tax."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from api.contract import In, MoneyIn
from core.errors import invalid
from core.money import Asset, Money
from core.strictjson import Json

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
# Source: ISO 3166-1 alpha-2; EN 16931 BT-40 and BT-55
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
# Source: EN 16931 BT-31 and BT-48: a VAT id begins with its country (Greece: EL)
VatId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[A-Z0-9+*.]{2,14}$")]
# A decimal number, as a text or as a JSON number read from its text.
Number = Annotated[
    str,
    BeforeValidator(lambda value: f"{value:f}" if isinstance(value, Decimal) else value),
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    StringConstraints(max_length=20),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": ["19"]}),
]
_RATE = re.compile(r"\d{1,3}(\.\d{1,4})?", re.ASCII)
_QUANTITY = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


class AddressIn(In):
    """A postal address."""

    line1: Line
    line2: Line | None = None
    city: Line
    postal_code: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    country: Country


class PartyIn(In):
    """Who buys or sells."""

    name: Line
    address: AddressIn
    vat_id: VatId | None = None
    email: (
        Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
        | None
    ) = None


class InvoiceLineIn(In):
    """One line. taxRate: in percent."""

    description: Line
    quantity: Number
    unit_amount: MoneyIn
    tax_rate: Number


class InvoiceIn(In):
    """What the order's invoice will need; kept sealed, never shown in lists."""

    buyer: PartyIn | None = None
    seller: PartyIn | None = None
    lines: list[InvoiceLineIn] = Field(default_factory=list, max_length=200)
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None
    tax_total: MoneyIn | None = None


def _money(amount: Money) -> dict[str, Json]:
    return {"amountMinor": amount.minor, "asset": str(amount.asset)}


def _line(line: InvoiceLineIn, place: str, of: Asset) -> dict[str, Json]:
    if not _QUANTITY.fullmatch(line.quantity) or not line.quantity.strip("0."):
        raise invalid(f"{place}.quantity", "The quantity must be a positive decimal number.")
    if not _RATE.fullmatch(line.tax_rate) or len(line.tax_rate.split(".")[0].lstrip("0")) > 2:
        raise invalid(f"{place}.taxRate", "The tax rate must be a percentage below 100.")
    return {
        "description": line.description,
        "quantity": line.quantity,
        "unitAmount": _money(line.unit_amount.money(default=of, field=f"{place}.unitAmount")),
        "taxRate": line.tax_rate,
    }


def written_party(party: PartyIn | None) -> Json:
    """Write a party down for the domain to seal."""
    if party is None:
        return None
    written: dict[str, Json] = party.model_dump(by_alias=True)
    return written


def written_lines(lines: list[InvoiceLineIn], of: Asset, *, place: str) -> list[Json]:
    """Write lines down for the domain to price. of: the order's asset; place: named when refused.

    Raises: InvalidInput
    """
    return [_line(line, f"{place}.{no}", of) for no, line in enumerate(lines)]


def sealed(invoice: InvoiceIn | None, of: Asset) -> dict[str, Json] | None:
    """Write down what the invoice will need, for the domain to seal.

    of: the order's asset. Raises: InvalidInput
    """
    if invoice is None:
        return None
    tax = invoice.tax_total
    lines = written_lines(invoice.lines, of, place="invoice.lines")
    return {
        "buyer": written_party(invoice.buyer),
        "seller": written_party(invoice.seller),
        "lines": lines,
        "note": invoice.note,
        "taxTotal": _money(tax.money(default=of, field="invoice.taxTotal")) if tax else None,
    }

"""What an invoice or credit note says: parties, lines, tax, deductions; as it is sealed, for it is personal.

A sheet is written once, with its invoice, and never changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from core.money import Asset, Money, asset
from core.strictjson import Json
from domain.invoices.totals import Line, TaxRow, Totals, add_up
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.base import Base

_PURPOSE = "person"


@dataclass(frozen=True)
class Address:
    """A postal address. country: ISO 3166-1 alpha-2."""

    line1: str
    line2: str | None
    city: str
    postal_code: str
    country: str


@dataclass(frozen=True)
class Party:
    """Who sells or buys."""

    name: str
    address: Address | None = None
    vat_id: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Deducted:
    """An earlier invoice over a part of the same order, which the final one takes off."""

    invoice_id: str
    number: str
    issued_on: date
    taxes: tuple[TaxRow, ...]

    @property
    def totals(self) -> Totals:
        """What is taken off."""
        return add_up(self.taxes)


@dataclass(frozen=True)
class Sheet:
    """All that a document says beside its head. whole: what its lines add up to; own: less what is deducted."""

    seller: Party
    buyer: Party | None
    lines: tuple[Line, ...]
    whole: Totals
    deducted: tuple[Deducted, ...] = ()
    note: str | None = None

    @property
    def own(self) -> Totals:
        """What this document itself asks for, or gives back."""
        rows = [row for each in self.deducted for row in each.taxes]
        taken = [TaxRow(row.rate, -row.base, -row.tax) for row in rows]
        return add_up([*self.whole.taxes, *taken])


def _party(party: Party | None) -> Json:
    if party is None:
        return None
    home = party.address
    where: Json = None
    if home is not None:
        where = {
            "line1": home.line1,
            "line2": home.line2,
            "city": home.city,
            "postalCode": home.postal_code,
            "country": home.country,
        }
    return {"name": party.name, "address": where, "vatId": party.vat_id, "email": party.email}


def _text(said: Mapping[str, Json], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def party(said: Json) -> Party | None:
    """Read a party as an order's draft or a sealed sheet writes it; None where there is none."""
    if not isinstance(said, dict):
        return None
    name = _text(said, "name")
    if name is None:
        return None
    return Party(name, _address(said.get("address")), _text(said, "vatId"), _text(said, "email"))


def _address(said: Json) -> Address | None:
    if not isinstance(said, dict):
        return None
    return Address(
        line1=_text(said, "line1") or "",
        line2=_text(said, "line2"),
        city=_text(said, "city") or "",
        postal_code=_text(said, "postalCode") or "",
        country=_text(said, "country") or "",
    )


def _taxes(rows: tuple[TaxRow, ...]) -> Json:
    return [
        {"rate": str(row.rate), "baseMinor": row.base.minor, "taxMinor": row.tax.minor}
        for row in rows
    ]


def _lines(lines: tuple[Line, ...]) -> Json:
    return [
        {
            "description": each.description,
            "quantity": str(each.quantity),
            "unitMinor": each.unit.minor,
            "rate": str(each.rate),
            "netMinor": each.net.minor,
        }
        for each in lines
    ]


def _written(sheet: Sheet) -> dict[str, Json]:
    return {
        "asset": str(sheet.whole.net.asset),
        "seller": _party(sheet.seller),
        "buyer": _party(sheet.buyer),
        "lines": _lines(sheet.lines),
        "taxes": _taxes(sheet.whole.taxes),
        "deducted": [
            {
                "invoiceId": each.invoice_id,
                "number": each.number,
                "issuedOn": each.issued_on.isoformat(),
                "taxes": _taxes(each.taxes),
            }
            for each in sheet.deducted
        ],
        "note": sheet.note,
    }


def _list(said: Json) -> list[dict[str, Json]]:
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _int(said: Mapping[str, Json], name: str) -> int:
    value = said[name]
    assert isinstance(value, int)  # we wrote it ourselves
    return value


def _str(said: Mapping[str, Json], name: str) -> str:
    value = said[name]
    assert isinstance(value, str)  # we wrote it ourselves
    return value


def _read_taxes(said: Json, of: Asset) -> tuple[TaxRow, ...]:
    return tuple(
        TaxRow(
            Decimal(_str(row, "rate")),
            Money(_int(row, "baseMinor"), of),
            Money(_int(row, "taxMinor"), of),
        )
        for row in _list(said)
    )


def _read_line(said: Mapping[str, Json], of: Asset) -> Line:
    return Line(
        _str(said, "description"),
        Decimal(_str(said, "quantity")),
        Money(_int(said, "unitMinor"), of),
        Decimal(_str(said, "rate")),
        Money(_int(said, "netMinor"), of),
    )


def _read_deducted(said: Mapping[str, Json], of: Asset) -> Deducted:
    return Deducted(
        _str(said, "invoiceId"),
        _str(said, "number"),
        date.fromisoformat(_str(said, "issuedOn")),
        _read_taxes(said["taxes"], of),
    )


def _read(said: Mapping[str, Json]) -> Sheet:
    of = asset(_str(said, "asset"))
    return Sheet(
        seller=party(said["seller"]) or Party(""),
        buyer=party(said["buyer"]),
        lines=tuple(_read_line(each, of) for each in _list(said["lines"])),
        whole=add_up(_read_taxes(said["taxes"], of)),
        deducted=tuple(_read_deducted(each, of) for each in _list(said["deducted"])),
        note=_text(said, "note"),
    )


def seal(session: Session, sheet: Sheet, whose: Whose | None, place: str) -> bytes:
    """Seal a sheet. place: `invoices|sealed|<id>` or `credit_notes|sealed|<id>`; whose: the buyer's.

    Writes: person_keys, at the first of a year. Transaction: caller's.
    """
    text = json.dumps(_written(sheet), ensure_ascii=False, separators=(",", ":"))
    return person_keys.seal_text(session, whose, text, purpose=_PURPOSE, place=place)


def unseal(at: Session | Base, sealed: bytes, place: str) -> Sheet:
    """Open a sheet that `seal` made. at: as `person_keys.open_sealed`. Raises: KeyDestroyed, CannotOpen."""
    return _read(json.loads(person_keys.open_text(at, sealed, purpose=_PURPOSE, place=place)))

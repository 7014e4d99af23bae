"""Contents for the printer, valid by default; what each test says of them is what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from printing.contents import (
    INVOICE,
    Bill,
    Carried,
    Certificate,
    Chain,
    Check,
    Deducted,
    Line,
    Party,
    Signer,
    Statement,
    StatementLine,
    Tax,
    Total,
)

SELLER = Party(
    "Northwind Studio GmbH",
    ("Lindenstraße 14", "Hof 2"),
    "10969",
    "Berlin",
    "DE",
    vat_id="DE123456789",
    registration="HRB 123456 B",
    email="billing@northwind.example",
    identifier="mer_01jd7kzzzz0v5d3k8r6t9w1x2y3z",
)
BUYER = Party("Acme Ltd", ("12 Quay Street",), "D02 X285", "Dublin", "IE", vat_id="IE1234567FA")
ORDER = "ord_01jd7m2b9a0v5d3k8r6t9w1x2y3z"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def line(
    net_minor: int = 15000, rate: str = "19", quantity: str = "1.5", words: str = "Design of a page"
) -> Line:
    """One line whose unit price follows from its amount."""
    unit = Decimal(net_minor) / Decimal(quantity)
    return Line(words, quantity, int(unit.to_integral_value(ROUND_HALF_UP)), net_minor, rate)


def taxes(lines: Sequence[Line], deducted: Sequence[Deducted] = ()) -> tuple[Tax, ...]:
    """Tax lines once per rate, rounded half up, less what was deducted."""
    found = []
    for rate in sorted({each.tax_rate for each in lines}, key=Decimal, reverse=True):
        base = sum(each.net_minor for each in lines if each.tax_rate == rate)
        tax = int((base * Decimal(rate) / 100).to_integral_value(ROUND_HALF_UP))
        off = [row for each in deducted for row in each.taxes if row.rate == rate]
        base -= sum(row.base_minor for row in off)
        found.append(Tax(rate, base, tax - sum(row.tax_minor for row in off)))
    return tuple(found)


def bill(
    lines: Sequence[Line] | None = None, *, deducted: Sequence[Deducted] = (), **more: object
) -> Bill:
    """An invoice of one line, unless told otherwise; its sums follow from its lines."""
    lines = tuple(lines if lines is not None else [line()])
    rows = taxes(lines, deducted)
    net, tax = sum(row.base_minor for row in rows), sum(row.tax_minor for row in rows)
    made = Bill(
        document=INVOICE,
        number="INV-2026-000123",
        asset="EUR/2",
        issued_on=date(2026, 11, 22),
        seller=SELLER,
        buyer=BUYER,
        lines=lines,
        taxes=rows,
        net_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        order_id=ORDER,
        deducted=tuple(deducted),
        due_on=date(2026, 12, 6),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def certificate(**more: object) -> Certificate:
    """The close of November by Fin and Flo."""
    made = Certificate(
        period="2026-11",
        entity="Northwind Market",
        close_no=1,
        closed_at=AT,
        zone="Europe/Berlin",
        totals=(Total("EUR/2", 1250000, 1250000), Total("JPY/0", 90000, 90000)),
        checklist=(
            Check("Suspense is empty", is_ok=True, count=0),
            Check("Open exceptions", is_ok=False, count=2, note="Both below the threshold"),
        ),
        carried_forward=(Carried("exc_01jd7m2b9a", "Waits for the bank's answer", 1),),
        chains=(
            Chain("Journal", 10432, "9f" * 32),
            Chain("Audit", 20891, "a1" * 32),
        ),
        snapshot_sha256="c3" * 32,
        signers=(
            Signer("Fin Ferrer", "Finance", "Asked for the close", AT),
            Signer("Flo Fontaine", "Finance", "Agreed", AT),
        ),
        verify=("flask --app wsgi verify", "Compare the hashes above with those it prints."),
        entries=418,
        accounts=27,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def statement(count: int = 3, **more: object) -> Statement:
    """An account that was credited so many times."""
    lines = tuple(
        StatementLine(
            date(2026, 11, 1), f"Sale {no}", f"pay_{no}", None, 1000, 5000 + 1000 * (no + 1)
        )
        for no in range(count)
    )
    made = Statement(
        title="Account statement",
        account="merchant:mer_01jd7kzzzz:payable",
        label="Owed to the merchant",
        holder=SELLER,
        asset="EUR/2",
        since=date(2026, 11, 1),
        through=date(2026, 11, 30),
        opening_minor=5000,
        lines=lines,
        closing_minor=5000 + 1000 * count,
        prepared_at=AT,
        zone="Europe/Berlin",
    )
    return replace(made, **more)  # type: ignore[arg-type]

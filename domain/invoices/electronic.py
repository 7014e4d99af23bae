"""Why an invoice has no electronic form, said for people and by code: never silently missing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.errors import Detail
from domain.invoices import content, papers
from printing import expressible
from printing.expressible import Lack


def lacks(session: Session, invoice_id: str) -> Sequence[Lack]:
    """Say what an invoice lacks for EN 16931 to express it; empty when it lacks nothing.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    return expressible.why_not(papers.bill(content.of_invoice(session, invoice_id)))


def sentence(found: Sequence[Lack]) -> str:
    """Say in one sentence or a few why there is no electronic invoice, and what would help."""
    said = " ".join(each.said for each in found)
    if not all(each.field for each in found):
        return f"{said} EN 16931 cannot express it."
    fields = ", ".join(f"invoice.{each.field}" for each in found)
    return f"{said} Say it with the order ({fields}), and issue the invoice anew."


def detail(found: Sequence[Lack]) -> list[Detail]:
    """Write the same for a program."""
    return [{"code": each.code, "message": each.said, "field": each.field} for each in found]

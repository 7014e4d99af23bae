"""What each kind of document says, gathered when it is printed.

An invoice's document shows what was issued. How to pay, and what is paid already, it says as things stand
while it is printed; as it is printed once, what is paid later is shown where its pay page leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from core.book_states import Invoice as Status
from domain.invoices import content, figures, pay_pages, statement_papers
from domain.invoices.content import Content as Shown
from domain.invoices.paper_kinds import Kind
from domain.invoices.sheets import Party as SheetParty
from domain.invoices.totals import TaxRow
from domain.mail import mails
from models.invoices import Invoice
from printing import contents
from printing.contents import Bill, Content


def _invoice(session: Session, object_id: str) -> Content:
    shown = content.of_invoice(session, object_id)
    invoice = session.get_one(Invoice, object_id)
    is_void = invoice.status == Status.VOID
    paid = 0 if is_void else min(invoice.paid_minor, invoice.total_minor)
    # No more than was not paid: what was given up may have come after all.
    waived = 0 if is_void else invoice.total_minor - paid - figures.due(invoice).minor
    credited = min(invoice.allowed_minor, waived)
    said = replace(
        bill(shown),
        prepaid_minor=paid,
        credited_minor=credited,
        written_off_minor=waived - credited,
        is_void=is_void,
    )
    path = pay_pages.path_of(invoice)
    if path is None or not pay_pages.asks_for_money(invoice):
        return said
    return replace(said, pay_url=mails.link(path))


def _credit_note(session: Session, object_id: str) -> Content:
    return bill(content.of_credit_note(session, object_id))


# Who gathers what a kind says. Each reads only.
BUILDERS: Mapping[Kind, Callable[[Session, str], Content]] = {
    Kind.INVOICE: _invoice,
    Kind.CREDIT_NOTE: _credit_note,
    Kind.STATEMENT: statement_papers.content_of,
}


def content_of(session: Session, kind: str, object_id: str) -> Content:
    """Gather what a document says.

    Raises: NotFound; ValueError when it contradicts itself. Transaction: caller's, reads only.
    """
    return BUILDERS[Kind(kind)](session, object_id)


def bill(shown: Shown) -> Bill:
    """Put an invoice or a credit note into the printer's words."""
    is_credit = shown.kind == "credit_note"
    of = None if shown.of is None else contents.Reference(*shown.of)
    return Bill(
        document=_document(shown),
        number=shown.number,
        asset=str(shown.asset),
        issued_on=shown.issued_on,
        seller=_party(shown.seller, identifier=shown.merchant_id),
        buyer=_party(shown.buyer) if shown.buyer is not None else None,
        lines=tuple(
            contents.Line(
                line.description,
                f"{line.quantity:f}",
                line.unit.minor,
                line.net.minor,
                f"{line.rate:f}",
            )
            for line in shown.lines
        ),
        taxes=_taxes(shown.own.taxes),
        net_minor=shown.own.net.minor,
        tax_minor=shown.own.tax.minor,
        total_minor=shown.own.gross.minor,
        order_id=shown.order_id,
        deducted=tuple(
            contents.Deducted(contents.Reference(each.number, each.issued_on), _taxes(each.taxes))
            for each in shown.deducted
        ),
        due_on=shown.due_on,
        of=of if is_credit else None,
        supersedes=None if is_credit else of,
        reference=shown.reference or shown.order_reference,
        reason=shown.reason,
        note=shown.note,
        is_test=not shown.livemode,
    )


def _document(shown: Shown) -> str:
    if shown.kind == "credit_note":
        return contents.CREDIT_NOTE
    return contents.DEPOSIT_INVOICE if shown.purpose == "deposit" else contents.INVOICE


def _party(party: SheetParty, *, identifier: str | None = None) -> contents.Party:
    home = party.address
    lines = (home.line1, home.line2) if home else ()
    return contents.Party(
        name=party.name,
        address=tuple(line for line in lines if line),
        postcode=(home.postal_code or None) if home else None,
        city=(home.city or None) if home else None,
        country=(home.country or None) if home else None,
        vat_id=party.vat_id,
        email=party.email,
        identifier=identifier,
    )


def _taxes(rows: tuple[TaxRow, ...]) -> tuple[contents.Tax, ...]:
    return tuple(contents.Tax(f"{row.rate:f}", row.base.minor, row.tax.minor) for row in rows)

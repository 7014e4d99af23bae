"""The page of one invoice: what it says, who pays it, what was credited, its document and who has read it."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from core.book_states import Document as Printing
from core.permissions import Permission
from dashboard import invoice_words, payments, render, states, words
from dashboard.journal_words import on
from dashboard.shapes import Fact, View
from domain import desk, naming
from domain.actors import Actor
from domain.database import reading
from domain.desk import Session
from domain.invoices import (
    content,
    document_views,
    electronic,
    invoice_desk,
    invoice_queries,
    readers,
)
from domain.invoices.invoice_desk import Paying
from domain.invoices.sheets import Party, Sheet
from models.invoices import Invoice
from web import access

routes = Blueprint("desk_invoice", __name__)
_OWN = "staff but engineers, others their own; support their numbers and states"
SHOWN_VIEWS = 8
# While a document is being printed the page looks again by itself.
PRINTING_PACE = "2s"


def _view(invoice_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        row = invoice_queries.get_invoice(session, invoice_id, actor=actor)
        view = _head(row, actor)
        if actor.may(Permission.INVOICES_READ):
            view |= _whole(session, row, actor)
    return view


def _head(row: Invoice, actor: Actor) -> View:
    """Prepare what everybody may know who may know of it at all: its number and how it stands."""
    return {
        "invoice": {
            "id": row.id,
            "number": row.number,
            "state": invoice_words.state_of(row),
            "ref": words.ref("invoice id", row.id),
            "order": words.ref("order id", row.order_id, href=f"/orders/{row.order_id}"),
            "demo": row.demo,
        },
        "whole": None,
        "links": {"body": f"/invoices/{row.id}/body", "pace": None},
        "is_staff": actor.is_staff,
    }


def _whole(session: Session, row: Invoice, actor: Actor) -> View:
    near = invoice_queries.around(session, [row])
    readers.assert_may_know_buyer(session, row, actor)
    sheet = content.sheet_of(session, row)
    numbers = invoice_desk.named(
        session, [each for each in (row.supersedes_id, near.followers.get(row.id)) if each]
    )
    found = invoice_desk.documents_of(session, "invoice", [row.id]).get(row.id)
    document = invoice_words.document_view(found, f"/api/invoices/{row.id}.pdf", actor)
    has_xml = document["href"] and found is not None and found.has_xml
    document["xml_href"] = f"/api/invoices/{row.id}.xml" if has_xml else None
    document["no_xml"] = None if has_xml else _no_xml(session, row)
    notes, notes_wait = _notes(session, row, actor)
    is_waiting = document["is_waiting"] or notes_wait
    return {
        "whole": {
            "title": invoice_words.title(row),
            "total": words.money(row.total_minor, row.asset),
            "overdue": invoice_words.overdue(row),
            "acts": invoice_words.acts(row, actor) if not _is_only_reader(actor) else [],
            "issued": on(row.issued_on),
            "due_on": on(row.due_on) if row.due_on else None,
            "void_reason": row.void_reason,
            "sums": invoice_words.progress(row),
        },
        "paper": _paper(sheet, actor),
        "payments": [
            _paying(each, row) for each in invoice_desk.payments_of(session, row, actor=actor)
        ],
        "notes": notes,
        "document": document,
        "facts": _facts(session, row, actor, near.followers.get(row.id), numbers),
        "views": _views(session, row, actor),
        "links": {
            "body": f"/invoices/{row.id}/body",
            "pace": PRINTING_PACE if is_waiting else None,
        },
    }


def _no_xml(session: Session, row: Invoice) -> str | None:
    """Say why there is no electronic invoice, or none will be; None where there is no reason."""
    found = electronic.lacks(session, row.id)
    return electronic.sentence(found) if found else None


def _is_only_reader(actor: Actor) -> bool:
    """Tell whether a person is shown no acts at all: those who are billed, and sellers."""
    return not actor.is_staff and not actor.may(Permission.INVOICES_ISSUE)


def _paper(sheet: Sheet, actor: Actor) -> View:
    """Prepare what the invoice says, as its document does.

    Addresses and tax numbers staff read in the document only, of which each reading is noted.
    """
    own, full = sheet.own, not actor.is_staff
    return {
        "seller": _party(sheet.seller, full=full),
        "buyer": _party(sheet.buyer, full=full) if sheet.buyer else None,
        "is_full": full,
        "lines": [
            {
                "description": line.description,
                "quantity": f"{line.quantity:f}",
                "unit": words.shown(line.unit),
                "rate": f"{line.rate:f} %",
                "net": words.shown(line.net),
            }
            for line in sheet.lines
        ],
        "deducted": [
            {
                "number": each.number,
                "href": f"/invoices/{each.invoice_id}",
                "amount": words.shown(-each.totals.gross),
            }
            for each in sheet.deducted
        ],
        "whole": words.shown(sheet.whole.gross) if sheet.deducted else None,
        "net": words.shown(own.net),
        "taxes": [
            {"rate": f"{row.rate:f} %", "base": words.shown(row.base), "tax": words.shown(row.tax)}
            for row in own.taxes
        ],
        "total": words.shown(own.gross),
        "note": sheet.note,
    }


def _party(party: Party, *, full: bool) -> View:
    if not full:
        return {"name": party.name, "lines": [], "vat_id": None, "email": None}
    home = party.address
    place = []
    if home is not None:
        town = " ".join(filter(None, (home.postal_code, home.city)))
        place = [each for each in (home.line1, home.line2, town, home.country) if each]
    return {"name": party.name, "lines": place, "vat_id": party.vat_id, "email": party.email}


def _paying(found: Paying, invoice: Invoice) -> View:
    payment, share = found.payment, found.share
    counts = words.money(share.paid_minor, invoice.asset) if share and share.paid_minor else None
    is_final = bool(share and share.paid_minor and share.confirmed_minor == share.paid_minor)
    return {
        "id": payment.id,
        "href": f"/payments/{payment.id}",
        "title": payments.purpose(payment),
        "sub": f"{words.rail(payment.rail, payment.provider).label} · {words.short(payment.id)}",
        "state": states.of_payment(payment),
        "amount": counts or words.money(payment.amount_minor, payment.asset),
        "counts": ("paid, final" if is_final else "paid, not final") if counts else "asked",
        "created": words.moment(payment.created_at),
    }


def _notes(session: Session, row: Invoice, actor: Actor) -> tuple[list[View], bool]:
    """Prepare the credit notes, and say whether the document of one is still being printed."""
    found = invoice_desk.credit_notes_of(session, row.id)
    documents = invoice_desk.documents_of(session, "credit_note", [each.id for each in found])
    waits = any(each.state == Printing.WAITING for each in documents.values())
    return [
        invoice_words.note_view(each, documents.get(each.id), actor, row.number) for each in found
    ], waits


def _facts(
    session: Session, row: Invoice, actor: Actor, follower: str | None, numbers: dict[str, str]
) -> list[Fact]:
    merchants = desk.merchants_of(session, [row.merchant_id])
    names = desk.names_of(session, [row.buyer_id, row.seller_id], actor=actor)
    found = [
        Fact("Order", ref=words.ref("order id", row.order_id, href=f"/orders/{row.order_id}")),
        Fact("Merchant", merchants.get(row.merchant_id, row.merchant_id)),
    ]
    for label, person in (("Buyer", row.buyer_id), ("Seller", row.seller_id)):
        if person:
            found.append(Fact(label, names.get(person, person)))
    for label, other in (("Issued anew for", row.supersedes_id), ("Issued anew as", follower)):
        if other:
            found.append(Fact(label, numbers.get(other, other), href=f"/invoices/{other}"))
    if row.reference:
        found.append(Fact("Reference", ref=words.ref("reference", row.reference)))
    if actor.may(Permission.JOURNAL_READ):
        found.append(Fact("In the books", "Its entries", href=f"/journal?invoice={row.id}"))
    found.append(Fact("Made", at=words.moment(row.created_at)))
    found.append(Fact("Money", "Live" if row.livemode else "Test mode"))
    return found


def _views(session: Session, row: Invoice, actor: Actor) -> View | None:
    """Say who was shown the document last; None for who may not know."""
    if not actor.may(Permission.INVOICES_VIEWS):
        return None
    found = document_views.list_views(session, row.id, actor=actor, limit=SHOWN_VIEWS + 1)
    names = naming.actor_names(session, [each.actor for each in found], for_staff=True)
    shown: Sequence[View] = [
        {
            "actor": words.person(each.actor, names),
            "role": each.role.capitalize(),
            "part": each.part.upper(),
            "at": words.moment(each.at),
        }
        for each in found[:SHOWN_VIEWS]
    ]
    return {"rows": shown, "more": len(found) > SHOWN_VIEWS}


@routes.get("/invoices/<invoice_id>")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def show(invoice_id: str) -> Response:
    return render.page("invoices/show.html", _view(invoice_id))


@routes.get("/invoices/<invoice_id>/body")
@access.page(Permission.INVOICES_STATUS, note=_OWN)
def body(invoice_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/invoices/{invoice_id}")
    return render.part("invoices/_body.html", _view(invoice_id))

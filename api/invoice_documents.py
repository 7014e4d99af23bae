"""Documents of invoices and credit notes: the bytes as they were printed, and who has read them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask import Blueprint, Response

from api.contract import (
    Answer,
    Call,
    Listed,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    endpoint,
    page,
    place_of,
)
from core import clock
from core.errors import Conflict
from core.permissions import Permission
from domain.database import reading, transaction
from domain.invoices import document_views
from domain.invoices.document_views import NotPrinted, Paper, View

blueprint = Blueprint("invoice_documents", __name__)
_PDF, _XML = "application/pdf", "application/xml"


class ViewOut(Out):
    """One time that the document was handed over. kind: what of it; actor: a user, or a key of a merchant."""

    at: str
    actor: str
    role: str
    kind: Literal["pdf", "xml"]


def _handed(paper: Paper | NotPrinted, media: str) -> Response:
    """Hand a document over: always whole, never kept by whoever carries it, with its hash.

    Raises: Conflict INVOICE_NOT_READY
    """
    if isinstance(paper, NotPrinted):
        raise Conflict(paper.said, code="INVOICE_NOT_READY", retry_after=paper.retry_after)
    response = Response(paper.body, content_type=media)
    response.headers.set("Content-Disposition", "attachment", filename=paper.name)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Content-SHA256"] = paper.sha256
    response.set_etag(paper.sha256)
    return response


@endpoint(
    blueprint,
    "GET",
    "/api/invoices/{orderId}.pdf",
    access=Permission.INVOICES_READ,
    answers={200: None},
    errors=("NOT_FOUND", "GONE", "INVOICE_NOT_READY"),
    events=("invoice.viewed",),
    media=_PDF,
    summary="Download an invoice: by its own id, or by its order's the newest that stands. PDF/A-3 with "
    "Factur-X, the same bytes every time; each reading is noted.",
    requirement="S78",
)
def pdf(call: Call[NoBody, NoQuery]) -> Response:
    with transaction() as session:
        paper = document_views.get_pdf(
            session, call.path["orderId"], actor=call.actor, source=call.source
        )
    return _handed(paper, _PDF)


@endpoint(
    blueprint,
    "GET",
    "/api/invoices/{invoiceId}.xml",
    access=Permission.INVOICES_READ,
    answers={200: None},
    errors=("NOT_FOUND", "GONE", "INVOICE_NOT_READY", "INVOICE_HAS_NO_XML"),
    events=("invoice.viewed",),
    media=_XML,
    summary="Download the machine's invoice (EN 16931) that lies in the PDF; each reading is noted.",
    requirement="S78",
)
def xml(call: Call[NoBody, NoQuery]) -> Response:
    with transaction() as session:
        paper = document_views.get_xml(
            session, call.path["invoiceId"], actor=call.actor, source=call.source
        )
    return _handed(paper, _XML)


@endpoint(
    blueprint,
    "GET",
    "/api/credit-notes/{creditNoteId}.pdf",
    access=Permission.INVOICES_READ,
    answers={200: None},
    errors=("NOT_FOUND", "GONE", "INVOICE_NOT_READY"),
    events=("invoice.viewed",),
    media=_PDF,
    summary="Download a credit note; each reading is noted.",
    requirement="S78",
)
def credit_note_pdf(call: Call[NoBody, NoQuery]) -> Response:
    with transaction() as session:
        paper = document_views.get_credit_note_pdf(
            session, call.path["creditNoteId"], actor=call.actor, source=call.source
        )
    return _handed(paper, _PDF)


@endpoint(
    blueprint,
    "GET",
    "/api/invoices/{invoiceId}/views",
    access=Permission.INVOICES_VIEWS,
    query=PageQuery,
    answers={200: Listed[ViewOut]},
    errors=("NOT_FOUND",),
    summary="List who has read an invoice's document, newest first.",
    requirement="S53",
)
def views(call: Call[NoBody, PageQuery]) -> Answer:
    place = place_of(call.query)
    with reading() as session:
        found = document_views.list_views(
            session,
            call.path["invoiceId"],
            actor=call.actor,
            limit=place.fetch,
            before=place.before,
        )

    def mark(view: View) -> tuple[datetime, str]:
        return view.at, view.mark

    return Answer(200, page(found, place, wire=_wire, mark=mark))


def _wire(view: View) -> dict[str, str | None]:
    return {
        "at": clock.rfc3339(view.at),
        "actor": view.actor,
        "role": view.role,
        "kind": view.part,
    }

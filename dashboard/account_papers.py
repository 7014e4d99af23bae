"""The statement of an account as a document: asked for from its page, printed by the worker, handed over here."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import Conflict
from core.money import Money
from core.permissions import Permission
from dashboard import account_spans, invoice_words, render
from dashboard.account_spans import Span
from dashboard.listing import Asked
from dashboard.shapes import Act, Alert, View
from domain.books import book_queries
from domain.database import transaction
from domain.desk import Session
from domain.invoices import statement_papers, statement_views
from domain.invoices.document_views import NotPrinted
from models.ledger import LedgerAccount
from web import access

routes = Blueprint("desk_account_papers", __name__)
# While a document is being printed the page looks again by itself.
PRINTING_PACE = "2s"


def view(session: Session, asked: Asked, row: LedgerAccount, span: Span, closing: Money) -> View:
    """Prepare how the document of a statement stands: the one that was asked for, or what may be asked for.

    closing: what the span ends with.
    """
    days = statement_papers.Span(span.since, span.until)
    wanted = statement_papers.of_account(session, row, days, closing=closing)
    statement_id = asked.get("statement")
    found = statement_papers.find(session, statement_id) if statement_id else None
    if found is None or not _is_of(statement_papers.read(found.asked), row):
        statement_id, found = wanted.id, statement_papers.find(session, wanted.id)
    page = f"/ledger/accounts/{row.address}"
    document = invoice_words.document_view(
        found, f"{page}/statements/{statement_id}.pdf", render.actor()
    )
    is_newer = found is not None and statement_id != wanted.id
    return document | {
        "pace": PRINTING_PACE if document["is_waiting"] else None,
        "is_newer": is_newer,
        "act": _act(asked, page, statement_papers.why_not(wanted))
        if found is None or is_newer
        else None,
    }


def _is_of(said: statement_papers.Asked, row: LedgerAccount) -> bool:
    return (said.account, said.asset) == (row.address, row.asset)


def _act(asked: Asked, page: str, why_not: str | None) -> Act:
    return Act(
        "print-statement",
        "Print as PDF",
        asked.href(f"{page}/statements", cursor=None, statement=None),
        enabled=why_not is None,
        reason=why_not,
        method="post",
        icon="file",
    )


@routes.post("/ledger/accounts/<address>/statements")
@access.page(Permission.LEDGER_TOTALS)
def ask(address: str) -> Response:
    """Have the statement printed that the page shows; its days stand in the address, as the page's do."""
    asked, actor = account_spans.of_page(address), render.actor()
    span = account_spans.span_of(asked)
    try:
        with transaction() as session:
            found = book_queries.get_accounts(session, address, actor=actor)
            row = account_spans.chosen(found, asked.get("currency"))
            wanted = statement_papers.Span(span.since, span.until)
            made = statement_views.ask(session, row, wanted, actor=actor, source=f"user:{actor.id}")
    except Conflict as refused:
        render.tell(Alert("warn", "This statement cannot be printed", refused.message))
        return render.to(asked.href(cursor=None, statement=None))
    return render.to(asked.href(cursor=None, statement=made.id))


@routes.get("/ledger/accounts/<address>/statements/<statement_id>.pdf")
@access.page(Permission.LEDGER_TOTALS)
def download(address: str, statement_id: str) -> Response:
    """Hand a statement over to whoever may read its account now; each time is noted."""
    actor = render.actor()
    with transaction() as session:
        paper = statement_views.get_pdf(
            session, address, statement_id, actor=actor, source=f"user:{actor.id}"
        )
    if isinstance(paper, NotPrinted):
        render.tell(Alert("info", "There is no document yet", paper.said))
        return render.to(f"/ledger/accounts/{address}?statement={statement_id}")
    answer = Response(paper.body, content_type="application/pdf")
    answer.headers.set("Content-Disposition", "attachment", filename=paper.name)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["X-Content-SHA256"] = paper.sha256
    return answer

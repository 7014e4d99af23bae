"""Statements as documents: asked for by whoever may read the account, handed over to nobody else, each time noted."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound
from core.strictjson import Json
from domain import audit
from domain.actors import Actor
from domain.books import book_queries
from domain.invoices import document_views, documents, statement_papers
from domain.invoices.document_views import NotPrinted, Paper
from domain.invoices.paper_kinds import Kind
from domain.invoices.statement_papers import Asked, Span
from models.invoices import Document
from models.ledger import LedgerAccount

ASK, VIEW = "statement.ask", "statement.view"


def ask(session: Session, row: LedgerAccount, span: Span, *, actor: Actor, source: str) -> Asked:
    """Have an account's statement over a span printed, as its books stand; once, however often it is asked for.

    row: as `book_queries.get_accounts` gave it to the actor. Writes: documents, audit_log.
    Raises: Conflict when it is too long or its days are none. Transaction: caller's.
    """
    asked = statement_papers.of_account(session, row, span)
    if (said := statement_papers.why_not(asked)) is not None:
        raise Conflict(said)
    if statement_papers.find(session, asked.id) is None:
        documents.ask_for(session, Kind.STATEMENT, asked.id, asked=asked.wire())
        after: dict[str, Json] = {"account": asked.account, "asset": asked.asset}
        _note(session, ASK, asked.id, after | {"lines": asked.lines}, actor=actor, source=source)
    return asked


def find(
    session: Session, address: str, statement_id: str, *, actor: Actor
) -> tuple[Document, Asked]:
    """Find a statement of an account that somebody may read now.

    Raises: NotFound, the same for one of another account. Transaction: caller's, reads only.
    """
    may_read = {row.asset for row in book_queries.get_accounts(session, address, actor=actor)}
    found = statement_papers.find(session, statement_id)
    if found is None:
        raise NotFound
    asked = statement_papers.read(found.asked)
    if asked.account != address or asked.asset not in may_read:
        raise NotFound
    return found, asked


def get_pdf(
    session: Session, address: str, statement_id: str, *, actor: Actor, source: str
) -> Paper | NotPrinted:
    """Give a statement's document.

    Writes: audit_log. Raises: NotFound. Transaction: caller's.
    """
    _, asked = find(session, address, statement_id, actor=actor)
    row = document_views.printed(session, Kind.STATEMENT, statement_id)
    if isinstance(row, NotPrinted):
        return row
    name = f"statement-{asked.through}-{statement_id[-6:]}.pdf"
    paper = document_views.opened(row, "pdf", row.sealed_pdf, name=name)
    after: dict[str, Json] = {"account": address, "kind": "pdf", "sha256": paper.sha256}
    _note(session, VIEW, statement_id, after, actor=actor, source=source)
    return paper


def _note(
    session: Session,
    action: str,
    statement_id: str,
    after: dict[str, Json],
    *,
    actor: Actor,
    source: str,
) -> None:
    audit.write(
        session,
        action,
        actor=actor,
        object_kind=Kind.STATEMENT.value,
        object_id=statement_id,
        source=source,
        after=after,
    )

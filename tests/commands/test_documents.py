"""`flask print-again` gives documents that were given up another chance, and only those."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from sqlalchemy import select

from domain import database
from domain.actors import system
from domain.books import book_queries
from domain.invoices import statement_views
from domain.invoices.statement_papers import Span
from models.audit import AuditRow
from printing.printers import Unprintable
from tests.api.personas import Personas
from tests.api.till import Till
from tests.domain import papers


@pytest.fixture
def who(app: Flask) -> Personas:
    del app
    return Personas()


def test_documents_that_were_given_up_are_printed_after_all(
    app: Flask, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, run = Till.open(app), app.test_cli_runner().invoke
    with papers.faked(monkeypatch) as press:
        for _ in range(3):
            till.order(who.bo)
        press.failures = [Unprintable("refused")] * 2
        papers.print_all()
        dead = [row.id for row in papers.rows() if row.state == "dead"]
        (printed,) = [row.id for row in papers.rows() if row.state == "printed"]
        assert len(dead) == 2

        done = run(args=["print-again", "--reason", "mended", "--json"])
        assert done.exit_code == 0, done.output
        said = {"items": [{"documentId": each, "queued": True} for each in dead]}
        assert json.loads(done.output) == said
        assert papers.print_all() == 2
        assert {row.state for row in papers.rows()} == {"printed"}

        refused = run(args=["print-again", printed, "--reason", "again"])
        assert refused.exit_code == 1 and "was not given up" in refused.output
        nothing = run(args=["print-again", "--reason", "again"])
        assert nothing.exit_code == 0 and "No document was given up" in nothing.output
        assert papers.print_all() == 0
    with database.reading() as session:
        noted = select(AuditRow).where(AuditRow.action == "document.print_again")
        assert [row.reason for row in session.scalars(noted)] == ["mended", "mended"]


def test_a_statement_that_was_given_up_is_printed_after_all(
    app: Flask, who: Personas, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, run = Till.open(app), app.test_cli_runner().invoke
    till.settle(till.payment(who.mels_key, buyerId=who.bo.id))
    actor = system("test")
    with papers.faked(monkeypatch) as press:
        papers.print_all()
        with database.transaction() as session:
            found = book_queries.get_accounts(session, "provider:stripe:clearing", actor=actor)
            statement_views.ask(session, found[0], Span(None, None), actor=actor, source="test")
        press.failures = [Unprintable("refused")]
        papers.print_all()
        (dead,) = [row for row in papers.rows() if row.state == "dead"]
        assert dead.object_kind == "statement"
        done = run(args=["print-again", dead.id, "--reason", "mended"])
        assert done.exit_code == 0 and "waits for the printer" in done.output
        assert papers.print_all() == 1
        assert {row.state for row in papers.rows()} == {"printed"}

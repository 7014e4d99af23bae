"""Imported statements: the list, and the page of one with its balances and the lines that it said first."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import bank_words, listing, render, words
from dashboard.bank_words import LINES, STATEMENTS
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Empty, Fact, Link, View
from domain.actors import Actor
from domain.bank import bank_accounts, bank_queries, importing
from domain.bank.bank_queries import StatementFilter
from domain.database import reading
from domain.naming import actor_names
from web import access

routes = Blueprint("desk_bank_statements", __name__)
NAMES = ("account", "from", "to")
_BAR = BarWords("Filter statements", "Search statements", "")


def rows_view(asked: Asked, actor: Actor) -> View:
    """Prepare a page of statements."""
    page = listing.page_of(asked)
    begin, end = listing.day_of(asked, "from")[0], listing.day_of(asked, "to")[0]
    wanted = StatementFilter(
        account=(asked.get("account"),) if asked.get("account") else (),
        since=begin.date() if begin else None,
        until=end.date() if end else None,
    )
    with reading() as session:
        found = bank_queries.list_statements(session, wanted, page=page)
        shown = found[: page.limit]
        counts = importing.counts(session, [row.id for row in shown])
        names = {row.name: row.name for row in bank_accounts.list_all(session)}
    last = shown[-1] if len(found) > page.limit else None
    inputs = [
        listing.select(asked, "account", "Account", {"": "Any account"} | names),
        *listing.day_inputs(asked),
    ]
    return {
        "rows": [bank_words.statement_view(row, counts[row.id]) for row in shown],
        "rows_url": asked.href(f"{STATEMENTS}/rows"),
        "page": listing.pages(asked, len(shown), (last.imported_at, last.id) if last else None),
        "empty_note": _empty(asked, actor),
        "inputs": inputs,
        "clear_href": STATEMENTS if asked.is_narrowed(*NAMES) else None,
    }


def _empty(asked: Asked, actor: Actor) -> Empty:
    if asked.values:
        text = "Clear the filters to see all of them."
        return Empty(
            "No statement matches", text, "search", href=STATEMENTS, label="Clear all filters"
        )
    text = (
        "Import a file of your bank, CAMT.053 or CSV: each line is then matched with what it shows."
    )
    may = actor.may(Permission.BANK_IMPORT)
    return Empty(
        "No statement was imported yet",
        text,
        "file",
        href=f"{bank_words.HERE}/import" if may else None,
        label="Import a statement" if may else None,
    )


@routes.get(STATEMENTS)
@access.page(Permission.BANK_STATEMENTS)
def index() -> Response:
    asked, actor = listing.read(STATEMENTS, NAMES), render.actor()
    view = rows_view(asked, actor) | {
        "places": bank_words.places(actor, STATEMENTS),
        "acts": [bank_words.import_act(actor)],
    }
    return render.page("bank/statements.html", view)


@routes.get(f"{STATEMENTS}/rows")
@access.page(Permission.BANK_STATEMENTS)
def rows() -> Response:
    asked = listing.read(STATEMENTS, NAMES)
    view = rows_view(asked, render.actor())
    return render.fragment("bank/_statements.html", view, page_href=asked.href())


@routes.get(f"{STATEMENTS}/<statement_id>")
@access.page(Permission.BANK_STATEMENTS)
def show(statement_id: str) -> Response:
    with reading() as session:
        row = bank_queries.get_statement(session, statement_id)
        counts = importing.counts(session, [row.id])[row.id]
        names = actor_names(session, [row.imported_by], for_staff=True)
    known = row.lines - counts.total()
    facts = [Fact("Account", row.account), Fact("Days", bank_words.days(row))]
    if row.opening_minor is not None and row.closing_minor is not None:
        facts += [
            Fact("Balance before", money=words.money(row.opening_minor, row.asset)),
            Fact("Balance after", money=words.money(row.closing_minor, row.asset)),
        ]
    else:
        facts.append(Fact("Balances", "The file says none"))
    facts += [
        Fact("Lines", words.counted(row.lines, "line"), note=f"{known} known before"),
        Fact("Matched", str(counts["matched"]), href=_lines(row.id, "matched")),
        Fact("Suggested", str(counts["suggested"]), href=_lines(row.id, "suggested")),
        Fact("Nothing suggested", str(counts["unmatched"]), href=_lines(row.id, "unmatched")),
        Fact("Format", "CAMT.053" if row.format == "camt053" else "CSV"),
        Fact("Imported", at=words.moment(row.imported_at)),
        Fact("Imported by", names.get(row.imported_by, "Somebody")),
        Fact("SHA-256 of the file", ref=words.ref("SHA-256", row.file_sha256)),
    ]
    view: View = {
        "statement": bank_words.statement_view(row, counts),
        "trail": [Link("Statements", STATEMENTS)],
        "short": words.short(row.id),
        "facts": facts,
        "lines_href": _lines(row.id),
    }
    return render.page("bank/statement.html", view, live=False)


def _lines(statement_id: str, state: str = "") -> str:
    return Asked(LINES, {"statement": statement_id}).href(state=state)

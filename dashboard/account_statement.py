"""The statement of one account: what it held before, each line with the balance after it, what it holds then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from core import chart, clock
from core.chart import RESERVED
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from dashboard import (
    account_papers,
    account_spans,
    book_exports,
    book_names,
    books,
    journal_words,
    ledger_words,
    listing,
    render,
    words,
)
from dashboard.account_spans import RANGES, Span
from dashboard.journal_words import Near
from dashboard.listing import Asked
from dashboard.shapes import Empty, Fact, Input, Tab, View
from domain.actors import Actor
from domain.books import book_queries, statements
from domain.books.book_queries import Line
from domain.books.statements import Statement
from domain.database import reading
from domain.desk import Session
from models.ledger import JournalEntry, LedgerAccount
from web import access

routes = Blueprint("desk_account_statement", __name__)
# Whose page an account leads to, by the part of its address.
_OWNERS: Mapping[str, tuple[str, str, Permission]] = {
    "order": ("Order", "/orders/", Permission.ORDERS_READ),
    "payment": ("Payment", "/payments/", Permission.PAYMENTS_READ),
    "dispute": ("Dispute", "/disputes/", Permission.DISPUTES_READ),
    "buyer": ("Wallet of the buyer", "/wallets/", Permission.WALLETS_READ),
    "user": ("Wallet", "/wallets/", Permission.WALLETS_READ),
}


def _view(address: str) -> View:
    asked = account_spans.of_page(address)
    actor, span = render.actor(), account_spans.span_of(asked)
    with reading() as session:
        found = book_queries.get_accounts(session, address, actor=actor)
        row = account_spans.chosen(found, asked.get("currency"))
        ends = statements.of_accounts(session, [row], since=span.since, until=span.until)
        now = statements.of_accounts(session, [row])
        reserved = statements.reserved_of(session, [row])
        lines, more = _lines(session, row, asked, span)
        entries = book_queries.entries_named(session, [line.entry_id for line in lines])
        near = journal_words.near(session, list(entries.values()), actor)
        names = book_names.of_accounts(session, [address], actor)
        key = row.address, row.asset
        paper = account_papers.view(session, asked, row, span, ends[key].closing)
    after = ledger_words.write_place(more[0], str(more[1])) if more else None
    return {
        "account": _head(row, now[key], names),
        "facts": _facts(row, actor, names),
        "reserved": words.shown(reserved[key]) if reserved[key].minor else None,
        "reserved_href": ledger_words.href_of(f"{row.address}{RESERVED}", row.asset),
        "statement": _ends(ends[key], span),
        "currencies": _currencies(asked, found, row),
        "ranges": _ranges(asked, span),
        "inputs": _inputs(asked),
        "kept": {"currency": asked.get("currency")} if asked.get("currency") else {},
        "paper": paper,
        "rows": [_row(line, entries[line.entry_id], row, near) for line in lines],
        "page": ledger_words.line_pages(asked, len(lines), after),
        "is_last": after is None,
        "is_first": not asked.get("cursor"),
        "empty_note": _empty(asked),
        "exports": book_exports.statement(row, span.since, span.until),
        "journal_href": f"/journal?account={row.address}",
        "body_url": asked.href(f"/ledger/accounts/{address}/body"),
    }


def _lines(
    session: Session, row: LedgerAccount, asked: Asked, span: Span
) -> tuple[list[Line], tuple[str, int] | None]:
    place = ledger_words.read_place(asked.get("cursor"))
    if place is not None and not place[1].isdecimal():
        raise invalid("cursor", "This page of the list cannot be found. Begin at the top.")
    return book_queries.list_lines(
        session,
        row,
        limit=listing.ROWS,
        before=(place[0], int(place[1])) if place else None,
        posted_from=span.since,
        posted_to=span.until,
    )


def _head(row: LedgerAccount, now: Statement, names: Mapping[str, str]) -> View:
    return {
        "id": row.address,
        "title": books.account(row.address, names),
        "short": books.short_address(row.address),
        "balance": words.shown(now.closing),
        "ref": words.ref("account address", row.address, text=books.short_address(row.address)),
        "opened": words.moment(row.created_at),
    }


def _facts(row: LedgerAccount, actor: Actor, names: Mapping[str, str]) -> list[Fact]:
    pattern = chart.find(row.address)
    found = [
        Fact("Kind", row.kind.capitalize(), note=ledger_words.side_words(row.kind)),
        Fact("Currency", asset(row.asset).code),
    ]
    if pattern is None:
        return [*found, Fact("Line", "Not of the chart")]
    href = f"/ledger?line={ledger_words.slug(pattern)}"
    found.append(Fact("Ledger of", ledger_words.SIDES[pattern.side]))
    found.append(Fact("Line", books.line(pattern), href=href))
    found.append(Fact("Holds", pattern.means))
    for part, value in book_names.parts_of(row.address).items():
        if part in _OWNERS and actor.may(_OWNERS[part][2]):
            label, place, _ = _OWNERS[part]
            text = names.get(value) or words.short(value)
            found.append(Fact(label, text, href=f"{place}{value}"))
    if pattern.is_limited:
        found.append(Fact("Limit", "Nothing can be taken of it that is not there"))
    if pattern.must_be_zero:
        found.append(Fact("At month's end", "Must hold nothing before the month closes"))
    return found


def _ends(found: Statement, span: Span) -> View:
    return {
        "words": span.words,
        "opening": words.shown(found.opening),
        "debits": words.shown(found.debits),
        "credits": words.shown(found.credits),
        "closing": words.shown(found.closing),
        "is_over": span.until is not None and span.until <= clock.now(),
    }


def _currencies(asked: Asked, found: Sequence[LedgerAccount], row: LedgerAccount) -> list[Tab]:
    """Lead to the other currencies of the address; none when there is one only."""
    if len(found) == 1:
        return []
    return [
        Tab(code, asked.href(currency=code, cursor=None, statement=None), each.asset == row.asset)
        for each in found
        if (code := asset(each.asset).code)
    ]


def _ranges(asked: Asked, span: Span) -> list[Tab]:
    chosen = None if span.is_custom else asked.one_of("range", list(RANGES))
    cleared: dict[str, str | None] = {"from": None, "to": None, "cursor": None, "statement": None}
    return [
        Tab(label, asked.href(**{**cleared, "range": value}), value == chosen)
        for value, label in RANGES.items()
    ]


def _inputs(asked: Asked) -> list[Input]:
    return listing.day_inputs(asked)


def _row(line: Line, entry: JournalEntry, account: LedgerAccount, near: Near) -> View:
    others = {
        credit if line.is_debit else debit
        for debit, credit, amount in near.movements[entry.id]
        if (debit if line.is_debit else credit) == account.address
        and str(amount.asset) == account.asset
    }
    took_effect = journal_words.day_words(entry.effective_at)
    posted = journal_words.day_words(entry.posted_at)
    said = [words.short(entry.id), entry.note]
    return {
        "id": f"{entry.id}-{line.no}",
        "href": f"/journal/{entry.id}",
        "title": books.entry_words(entry),
        "others": [books.account(each, near.names) for each in sorted(others)],
        "sub": " · ".join(filter(None, said)),
        "ties": journal_words.ties(entry),
        "marks": journal_words.marks(entry, near.reversals.get(entry.id)),
        "debit": words.shown(line.amount) if line.is_debit else None,
        "credit": None if line.is_debit else words.shown(line.amount),
        "after": words.shown(line.after),
        "posted": words.moment(line.at),
        "effective": f"took effect {took_effect}" if took_effect != posted else None,
        "demo": entry.demo,
    }


def _empty(asked: Asked) -> Empty:
    href = asked.href(range="all", cursor=None, **{"from": None, "to": None})
    said = "Nothing came and nothing went, so it opens and closes with the same balance."
    return Empty("No lines in this time", said, "calendar", href=href, label="Show everything")


@routes.get("/ledger/accounts/<address>")
@access.page(Permission.LEDGER_TOTALS)
def show(address: str) -> Response:
    return render.page("ledger/account.html", _view(address))


@routes.get("/ledger/accounts/<address>/body")
@access.page(Permission.LEDGER_TOTALS)
def body(address: str) -> Response:
    if not render.wants_fragment():
        asked = account_spans.of_page(address)
        return render.to(asked.href())
    return render.part("ledger/_account.html", _view(address))

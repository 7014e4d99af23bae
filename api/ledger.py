"""The books, read only: journal entries, accounts with their balances and lines, the last verification."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api import book_exports, places
from api.book_shapes import AccountOut, EntryOut, LineOut, VerificationOut, account, entry, line
from api.contract import (
    Answer,
    Call,
    Instant,
    Listed,
    NoBody,
    NoQuery,
    PageQuery,
    Query,
    RangeQuery,
    Several,
    csv_answer,
    endpoint,
    json_stream,
    place_of,
)
from api.contract.paging import cursor
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from domain.books import book_queries, verification
from domain.books.book_queries import AccountFilter, EntryFilter
from domain.database import reading
from domain.payments.payments import Page
from models.ledger import LedgerAccount

blueprint = Blueprint("ledger", __name__)
AROUND = (b'{"items":[', b'],"nextCursor":null}')


class EntryQuery(RangeQuery):
    """Which entries. account: an address they touch; manual: those that people wrote."""

    order_id: Several = ()
    invoice_id: Several = ()
    payment_id: Several = ()
    account: str | None = Field(default=None, max_length=200)
    source: str | None = Field(default=None, max_length=64)
    manual: bool | None = None
    format: Literal["csv", "json"] | None = None


class AccountsQuery(PageQuery):
    """Which accounts. asOf: as the books stood then, by when each entry took effect."""

    prefix: str | None = Field(default=None, max_length=200)
    currency: str | None = Field(default=None, max_length=16)
    as_of: Instant | None = None


class AccountQuery(Query):
    """Which of an address's currencies, and when."""

    currency: str | None = Field(default=None, max_length=16)
    as_of: Instant | None = None


class LinesQuery(RangeQuery):
    """Which postings of an account."""

    currency: str | None = Field(default=None, max_length=16)
    format: Literal["csv", "json"] | None = None


@endpoint(
    blueprint,
    "GET",
    "/api/journal/entries",
    access=Permission.JOURNAL_READ,
    query=EntryQuery,
    answers={200: Listed[EntryOut]},
    summary="List journal entries, newest first, or export them.",
    requirement="S32",
)
def entries(call: Call[NoBody, EntryQuery]) -> Answer | Response:
    asked, place = call.query, place_of(call.query)
    wanted = EntryFilter(
        order_id=asked.order_id,
        invoice_id=asked.invoice_id,
        payment_id=asked.payment_id,
        account=asked.account,
        source=asked.source,
        manual=asked.manual,
        posted_from=asked.since,
        posted_to=asked.until,
    )
    if asked.format == "csv":
        rows = book_exports.entry_cells(wanted)
        return csv_answer("journal", book_exports.ENTRY_COLUMNS, rows)
    if asked.format == "json":
        return json_stream(book_exports.entry_documents(wanted), around=AROUND)
    with reading() as session:
        page = Page(place.limit, place.before)
        rows_found, more = book_queries.list_entries(session, wanted, page=page)
        ids = [row.id for row in rows_found]
        movements = book_queries.movements_of(session, ids)
        reversals = book_queries.reversals_of(session, ids)
    items = [entry(row, movements[row.id], reversals.get(row.id)) for row in rows_found]
    return Answer(200, {"items": items, "nextCursor": cursor(more) if more else None})


@endpoint(
    blueprint,
    "GET",
    "/api/journal/entries/{entryId}",
    access=Permission.JOURNAL_READ,
    answers={200: EntryOut},
    summary="Read one journal entry with its movements.",
    requirement="S32",
)
def show_entry(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = book_queries.get_entry(session, call.path["entryId"])
        movements = book_queries.movements_of(session, [row.id])
        reversals = book_queries.reversals_of(session, [row.id])
    return Answer(200, entry(row, movements[row.id], reversals.get(row.id)))


def _asset_name(currency: str | None) -> str | None:
    if currency is None:
        return None
    try:
        return str(asset(currency))
    except ValueError as error:
        raise invalid("currency", f"{currency!r} is no currency we know.") from error


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/accounts",
    access=Permission.LEDGER_READ,
    query=AccountsQuery,
    answers={200: Listed[AccountOut]},
    summary="List accounts by address with their balances; a merchant sees their own.",
    requirement="S32",
)
def accounts(call: Call[NoBody, AccountsQuery]) -> Answer:
    asked = call.query
    wanted = AccountFilter(prefix=asked.prefix, asset_name=_asset_name(asked.currency))
    with reading() as session:
        rows = book_queries.list_accounts(
            session,
            wanted,
            actor=call.actor,
            limit=asked.limit + 1,
            after=places.read_words(asked.cursor),
        )
        shown = rows[: asked.limit]
        balances = book_queries.balances_of(session, shown, as_of=asked.as_of)
    items = [account(row, balances[row.address, row.asset]) for row in shown]
    more = len(rows) > asked.limit
    after = places.write(shown[-1].address, shown[-1].asset) if more else None
    return Answer(200, {"items": items, "nextCursor": after})


def _one(found: list[LedgerAccount], currency: str | None) -> LedgerAccount:
    """Choose the currency of an address that is kept in several.

    Raises: InvalidInput
    """
    wanted = _asset_name(currency)
    chosen = [row for row in found if wanted is None or row.asset == wanted]
    if len(chosen) != 1:
        kept = ", ".join(asset(row.asset).code for row in found)
        raise invalid("currency", f"This account is kept in {kept}: name one of them.")
    return chosen[0]


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/accounts/{address}",
    access=Permission.LEDGER_READ,
    query=AccountQuery,
    answers={200: AccountOut},
    summary="Read one account; with several currencies, name one.",
    requirement="S32",
)
def show_account(call: Call[NoBody, AccountQuery]) -> Answer:
    with reading() as session:
        found = book_queries.get_accounts(session, call.path["address"], actor=call.actor)
        row = _one(found, call.query.currency)
        balances = book_queries.balances_of(session, [row], as_of=call.query.as_of)
    return Answer(200, account(row, balances[row.address, row.asset]))


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/accounts/{address}/postings",
    access=Permission.LEDGER_READ,
    query=LinesQuery,
    answers={200: Listed[LineOut]},
    summary="List an account's postings, newest first, each with the balance after it.",
    requirement="S32",
)
def lines(call: Call[NoBody, LinesQuery]) -> Answer | Response:
    asked = call.query
    with reading() as session:
        found = book_queries.get_accounts(session, call.path["address"], actor=call.actor)
        row = _one(found, asked.currency)
    if asked.format == "csv":
        rows = book_exports.line_cells(row, since=asked.since, until=asked.until)
        return csv_answer("postings", book_exports.LINE_COLUMNS, rows)
    if asked.format == "json":
        documents = book_exports.line_documents(row, since=asked.since, until=asked.until)
        return json_stream(documents, around=AROUND)
    with reading() as session:
        shown, more = book_queries.list_lines(
            session,
            row,
            limit=asked.limit,
            before=places.read_line(asked.cursor),
            posted_from=asked.since,
            posted_to=asked.until,
        )
    after = places.write(*more) if more else None
    return Answer(200, {"items": [line(each) for each in shown], "nextCursor": after})


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/verification",
    access=Permission.LEDGER_VERIFICATION,
    answers={200: VerificationOut},
    summary="Read what the last run of `flask verify` proved.",
    requirement="S32",
)
def verified(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        report = verification.last_report(session)
    if report is None:
        # Nothing was proved yet, so nothing is claimed.
        return Answer(200, {"ok": None, "at": None, "rows": 0, "chainHead": None, "checks": []})
    known: dict[str, Any] = {name: report.get(name) for name in ("ok", "at", "rows", "chainHead")}
    return Answer(200, known | {"checks": report.get("checks", [])})

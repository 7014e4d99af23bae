"""The accounts of the books, read only: balances, statements, each posting; the last verification."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api import book_exports, places
from api.book_shapes import AccountOut, LinesOut, VerificationOut, account, line
from api.contract import (
    Answer,
    Call,
    Instant,
    Listed,
    NoBody,
    NoQuery,
    Query,
    RangeQuery,
    Session,
    csv_answer,
    endpoint,
    json_stream,
    money_out,
)
from api.journal import AROUND
from core.errors import invalid
from core.money import asset
from core.permissions import Permission
from domain.books import book_queries, statements, verification
from domain.books.book_queries import AccountFilter
from domain.books.statements import Statement
from domain.database import reading
from models.ledger import LedgerAccount

blueprint = Blueprint("ledger", __name__)


class AccountsQuery(RangeQuery):
    """Which accounts. asOf: as the books stood then, by when each entry took effect. from, to: draw each
    account's statement over this span, by when entries were posted. side: whose ledger.
    """

    prefix: str | None = Field(default=None, max_length=200)
    side: Literal["buyer", "seller", "house"] | None = None
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


def _asset_name(currency: str | None) -> str | None:
    if currency is None:
        return None
    try:
        return str(asset(currency))
    except ValueError as error:
        raise invalid("currency", f"{currency!r} is no currency we know.") from error


def _shown(
    session: Session, rows: list[LedgerAccount], asked: AccountsQuery
) -> list[dict[str, Any]]:
    keys = [(row.address, row.asset) for row in rows]
    balances = book_queries.balances_of(session, rows, as_of=asked.as_of)
    reserved = statements.reserved_of(session, rows, as_of=asked.as_of)
    drawn: dict[tuple[str, str], Statement] = {}
    if asked.since is not None or asked.until is not None:
        drawn = statements.of_accounts(session, rows, since=asked.since, until=asked.until)
    return [
        account(row, balances[key], reserved[key], drawn.get(key))
        for row, key in zip(rows, keys, strict=True)
    ]


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
    wanted = AccountFilter(
        prefix=asked.prefix,
        asset_name=_asset_name(asked.currency),
        side=asked.side,
        with_parts=False,
    )
    with reading() as session:
        rows = book_queries.list_accounts(
            session,
            wanted,
            actor=call.actor,
            limit=asked.limit + 1,
            after=places.read_words(asked.cursor),
        )
        shown = rows[: asked.limit]
        items = _shown(session, shown, asked)
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
        key = (row.address, row.asset)
        balance = book_queries.balances_of(session, [row], as_of=call.query.as_of)[key]
        reserved = statements.reserved_of(session, [row], as_of=call.query.as_of)[key]
    return Answer(200, account(row, balance, reserved))


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/accounts/{address}/postings",
    access=Permission.LEDGER_READ,
    query=LinesQuery,
    answers={200: LinesOut},
    summary="List an account's postings, newest first, as a statement: opening, each balance, closing.",
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
        drawn = statements.of_accounts(session, [row], since=asked.since, until=asked.until)
    after = places.write(*more) if more else None
    page = {"items": [line(each) for each in shown], "nextCursor": after}
    over = drawn[row.address, row.asset]
    ends = {"opening": money_out(over.opening), "closing": money_out(over.closing)}
    return Answer(200, page | ends)


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

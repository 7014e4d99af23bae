"""The bank desk: payments searched for, references checked, statements imported and listed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import Field, StringConstraints

from api import bank_shapes, shapes
from api.bank_shapes import StatementOut
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    MoneyOut,
    NoBody,
    NoQuery,
    Out,
    PageQuery,
    Query,
    Session,
    Several,
    Text,
    endpoint,
    page,
    place_of,
    run_once,
)
from core import bank_references, clock, strictjson
from core.bank_references import GENERIC, SCHEMES
from core.errors import invalid
from core.permissions import Permission
from core.strictjson import Unreadable
from domain.bank import asking_banks, bank_accounts, bank_queries, csv_maps, importing, search
from domain.bank.bank_queries import StatementFilter
from domain.bank.csv_maps import CsvMap
from domain.bank.importing import Wanted
from domain.bank.search import MOST_DAYS, SOURCES, Asked, Found
from domain.database import reading
from domain.payments.payments import Page
from providers import registry

blueprint = Blueprint("bank", __name__)
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Short = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class BankSearchQuery(Query):
    """What is looked for. from, to: the days about which; source: ours, statement, provider; all of them
    unless some are named, and then a provider that cannot be asked is an error.
    """

    reference: Short = ""
    amount: Short = ""
    currency: Annotated[str, StringConstraints(max_length=16)] = ""
    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")
    window_days: Days = search.DAYS
    source: Several = ()


class FoundOut(Out):
    """One thing that may be the payment. source: ours, statement (a line of one) or provider; score: 0 to 100."""

    payment_id: str | None
    line_id: str | None
    provider: str | None
    provider_reference: str | None
    bank_reference: str | None
    amount: MoneyOut | None
    status: str
    at: str
    source: Literal["ours", "statement", "provider"]
    score: int
    why: str


class UnaskedOut(Out):
    """A provider that could not be asked, and why."""

    provider: str
    why: str


class BankSearchOut(Out):
    """What was found within `windowDays`; widened: nothing was nearer, so that it was looked further."""

    items: list[FoundOut]
    widened: bool
    window_days: int
    unasked: list[UnaskedOut]


class ReferenceIn(In):
    """A reference and how it shall travel; scheme goes before provider, and neither means any bank."""

    reference: Annotated[str, StringConstraints(max_length=500)]
    provider: Text | None = None
    scheme: Literal["faster_payments", "sepa", "bacs", "generic"] | None = None


class ReferenceOut(Out):
    """The reference as it would be sent, and what keeps it from being sent."""

    ok: bool
    reference: str
    problems: list[str]
    scheme: str


class StatementIn(In):
    """What a file is. mapping: how a CSV reads, as JSON; without it as the account's last one."""

    format: Literal["camt053", "csv"]
    account_id: Annotated[str, StringConstraints(min_length=1, max_length=bank_accounts.LONGEST)]
    mapping: Annotated[str, StringConstraints(max_length=4096)] | None = None


class StatementsQuery(PageQuery):
    """Which statements; from, to: days of which they say something."""

    account_id: Several = ()
    since: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")


@endpoint(
    blueprint,
    "GET",
    "/api/bank/search",
    access=Permission.BANK_SEARCH,
    query=BankSearchQuery,
    answers={200: BankSearchOut},
    errors=("PROVIDER_UNAVAILABLE", "RAIL_NOT_CONFIGURED"),
    summary="Search for a bank payment that was not found, further when nothing is near.",
    requirement="S59",
    deviation="Also says how far it looked (`windowDays`), why each hit is one, and which provider"
    " could not be asked; 503 only where `source` names the providers.",
)
def find(call: Call[NoBody, BankSearchQuery]) -> Answer:
    query = call.query
    if unknown := [each for each in query.source if each not in SOURCES]:
        raise invalid("source", f"{unknown[0][:40]!r} is none of {', '.join(SOURCES)}.")
    asked = Asked(
        reference=query.reference,
        amount=query.amount,
        currency=query.currency,
        since=query.since,
        until=query.until,
        window_days=query.window_days,
        sources=query.source,
    )
    with reading() as session:
        found = search.search(session, asked, actor=call.actor)
    found, unasked = asking_banks.widen(asked, found)
    return Answer(
        200,
        {
            "items": [_found(each) for each in found.items],
            "widened": found.widened,
            "windowDays": found.days,
            "unasked": [{"provider": each.provider, "why": each.why} for each in unasked],
        },
    )


def _found(said: Found) -> dict[str, Any]:
    amount = said.amount
    return {
        "paymentId": said.payment_id,
        "lineId": said.line_id,
        "provider": said.provider,
        "providerReference": said.provider_reference,
        "bankReference": said.bank_reference,
        "amount": shapes.amount(amount.minor, amount.asset) if amount else None,
        "status": said.status,
        "at": clock.rfc3339(said.at),
        "source": said.source,
        "score": said.score,
        "why": said.why,
    }


@endpoint(
    blueprint,
    "POST",
    "/api/bank/references/validate",
    access=Permission.SELF_READ,
    body=ReferenceIn,
    answers={200: ReferenceOut},
    summary="Check whether a bank carries a reference, and write it as it would be sent.",
    requirement="S59",
)
def validate(call: Call[ReferenceIn, NoQuery]) -> Answer:
    body = call.body
    scheme = body.scheme or _scheme_of(body.provider)
    checked = bank_references.check(body.reference, scheme)
    return Answer(
        200,
        {
            "ok": checked.ok,
            "reference": checked.reference,
            "problems": list(checked.problems),
            "scheme": scheme,
        },
    )


def _scheme_of(provider: str | None) -> str:
    """Name the scheme by which a provider sends; any bank's where it says none."""
    if provider is None:
        return GENERIC
    if provider not in registry.names():
        raise invalid("provider", "There is no such provider.", code="unknown_value")
    said = registry.get(provider).reference_scheme
    return str(said) if said in SCHEMES else GENERIC


@endpoint(
    blueprint,
    "POST",
    "/api/bank/statements",
    access=Permission.BANK_IMPORT,
    body=StatementIn,
    takes_file=True,
    answers={201: StatementOut},
    key="R",
    errors=("STATEMENT_UNREADABLE", "BALANCE_MISMATCH", "STATEMENT_IMPORTED", "OTHER_ACCOUNT"),
    events=("statement.imported",),
    summary="Import a bank statement: CAMT.053, or CSV by a mapping. All of it or nothing.",
    requirement="S59",
    deviation="Balances are null for a CSV without a column that says them.",
)
def put(call: Call[StatementIn, NoQuery]) -> Answer:
    body = call.body
    wanted = Wanted(body.account_id, body.format, call.file, _mapping(body))
    checked = importing.check(wanted)

    def work(session: Session) -> Answer:
        row = importing.put(session, checked, actor=call.actor, source=call.source)
        said = bank_shapes.statements(session, [row])[row.id]
        return Answer(201, said, location=f"/api/bank/statements/{row.id}")

    return run_once(call, work)


def _mapping(body: StatementIn) -> CsvMap | None:
    if body.format != "csv":
        return None
    if body.mapping is None:
        with reading() as session:
            return bank_accounts.mapping_of(session, body.account_id)
    try:
        return csv_maps.read(strictjson.loads_object(body.mapping.encode()))
    except Unreadable as error:
        raise invalid("mapping", f"The mapping is no JSON object: {error}.") from error


@endpoint(
    blueprint,
    "GET",
    "/api/bank/statements",
    access=Permission.BANK_STATEMENTS,
    query=StatementsQuery,
    answers={200: Listed[StatementOut]},
    summary="List imported statements, the last imported first.",
    requirement="S59",
)
def index(call: Call[NoBody, StatementsQuery]) -> Answer:
    asked, place = call.query, place_of(call.query)
    wanted = StatementFilter(account=asked.account_id, since=asked.since, until=asked.until)
    with reading() as session:
        rows = bank_queries.list_statements(session, wanted, page=Page(place.limit, place.before))
        written = bank_shapes.statements(session, rows)
    body = page(
        rows, place, wire=lambda row: written[row.id], mark=lambda row: (row.imported_at, row.id)
    )
    return Answer(200, body)


@endpoint(
    blueprint,
    "GET",
    "/api/bank/statements/{statementId}",
    access=Permission.BANK_STATEMENTS,
    answers={200: StatementOut},
    errors=("NOT_FOUND",),
    summary="Read one statement.",
    requirement="S59",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row = bank_queries.get_statement(session, call.path["statementId"])
        return Answer(200, bank_shapes.statements(session, [row])[row.id])

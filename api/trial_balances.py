"""What all accounts come to, and what each rail holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    Instant,
    MoneyOut,
    NoBody,
    Out,
    Query,
    endpoint,
    money_out,
)
from core import chart, clock, csvsafe
from core.csvsafe import Cell
from core.permissions import Permission
from domain.books import floats, trial_balance
from domain.books.floats import Float
from domain.books.trial_balance import AccountTotal, Totals, When
from domain.database import reading
from web import wire
from web.exports import Kept

blueprint = Blueprint("trial_balance", __name__)
COLUMNS = "account label kind currency debits credits balance".split()


class TrialBalanceQuery(Query):
    """As of when. asOf: by when entries took effect; knownAt: by when they were posted."""

    as_of: Instant | None = None
    known_at: Instant | None = None
    format: Literal["csv", "json"] | None = Field(
        default=None, description="`csv`: one row per account, then one per currency; else JSON"
    )


class FloatQuery(Query):
    """Which rail."""

    rail: str | None = Field(default=None, max_length=64)


class CurrencyTotalOut(Out):
    """One currency over all accounts. difference: debits less credits, which must be nothing."""

    currency: str
    debits: str
    credits: str
    difference: str


class AccountTotalOut(Out):
    """One account: all that was debited and credited, and the balance on its own side."""

    address: str
    label: str
    kind: Literal["asset", "liability", "income", "expense", "equity"]
    currency: str
    debits: str
    credits: str
    balance: str


class TrialBalanceOut(Out):
    """Every account, with what all of them come to. asOf, knownAt: as asked for, else when it was drawn."""

    as_of: str
    known_at: str
    totals: list[CurrencyTotalOut]
    accounts: list[AccountTotalOut]


class FloatOut(Out):
    """One currency on one rail. float: received there for us and not paid out; medianSettlementHours:
    from arrival to payout, medianAvailableHours: until it may be paid out; null before the first.
    """

    rail: str
    provider: str
    livemode: bool
    float_: MoneyOut = Field(alias="float")
    in_transit: MoneyOut
    in_suspense: MoneyOut
    median_settlement_hours: int | None
    median_available_hours: int | None
    oldest_unsettled_at: str | None


class FloatsOut(Out):
    """What every rail holds."""

    items: list[FloatOut]


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/trial-balance",
    access=Permission.LEDGER_TOTALS,
    query=TrialBalanceQuery,
    answers={200: TrialBalanceOut},
    summary="Draw the trial balance: as of a moment, and as it was known at another.",
    requirement="S46",
)
def balances(call: Call[NoBody, TrialBalanceQuery]) -> Response:
    asked, drawn_at = call.query, clock.now()
    when, totals = When(asked.as_of, asked.known_at), Totals()
    write = _line if asked.format == "csv" else _item
    with reading() as session:
        # All of it is written down before anything is sent: one moment, and no reader holds it open.
        kept = Kept(map(write, _counted(trial_balance.rows(session, when), totals)))
    if asked.format == "csv":
        return _closing(_csv(kept.read(), totals), kept)
    said = {
        "asOf": clock.rfc3339(asked.as_of or drawn_at),
        "knownAt": clock.rfc3339(asked.known_at or drawn_at),
        "totals": [
            {
                "currency": debits.asset.code,
                "debits": debits.major(),
                "credits": credited.major(),
                "difference": difference.major(),
            }
            for debits, credited, difference in totals.rows()
        ],
    }
    parts = _json(wire.dumps(said), kept.read())
    return _closing(Response(parts, content_type=wire.CONTENT_TYPE), kept)


def _closing(response: Response, kept: Kept) -> Response:
    response.call_on_close(kept.close)
    return response


def _counted(rows: Iterator[AccountTotal], totals: Totals) -> Iterator[AccountTotal]:
    for row in rows:
        totals.add(row)
        yield row


def _item(row: AccountTotal) -> bytes:
    said = {
        "address": row.address,
        "label": chart.label_of(row.address),
        "kind": row.kind,
        "currency": row.debits.asset.code,
        "debits": row.debits.major(),
        "credits": row.credits.major(),
        "balance": row.balance.major(),
    }
    return b"," + wire.dumps(said)


def _json(head: bytes, written: Iterator[bytes]) -> Iterator[bytes]:
    yield head[:-1] + b',"accounts":['
    # Each account has a comma before it; the first needs none.
    yield next(written, b",")[1:]
    yield from written
    yield b"]}"


def _line(row: AccountTotal) -> bytes:
    cells: list[Cell] = [row.address, chart.label_of(row.address), row.kind]
    amounts = [each.as_decimal() for each in (row.debits, row.credits, row.balance)]
    return csvsafe.line([*cells, row.debits.asset.code, *amounts]).encode()


def _csv(written: Iterator[bytes], totals: Totals) -> Response:
    """Give the accounts, then a row for each currency whose last cell is the difference."""

    def parts() -> Iterator[bytes]:
        yield csvsafe.line(COLUMNS).encode()
        yield from written
        for row in totals.rows():
            amounts = [each.as_decimal() for each in row]
            cells: list[Cell] = ["TOTAL", "Debits, credits and their difference", None]
            yield csvsafe.line([*cells, row[0].asset.code, *amounts]).encode()

    response = Response(parts(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="trial-balance.csv"'
    return response


@endpoint(
    blueprint,
    "GET",
    "/api/ledger/float",
    access=Permission.LEDGER_TOTALS,
    query=FloatQuery,
    answers={200: FloatsOut},
    summary="Read what each rail holds for us, and how long money takes on it.",
    requirement="S219",
)
def held(call: Call[NoBody, FloatQuery]) -> Answer:
    with reading() as session:
        found = floats.list_floats(session, rail=call.query.rail)
    return Answer(200, {"items": [_float(each) for each in found]})


def _float(found: Float) -> dict[str, Any]:
    return {
        "rail": found.rail,
        "provider": found.provider,
        "livemode": found.livemode,
        "float": money_out(found.held),
        "inTransit": money_out(found.in_transit),
        "inSuspense": money_out(found.in_suspense),
        "medianSettlementHours": found.settlement_hours,
        "medianAvailableHours": found.available_hours,
        "oldestUnsettledAt": clock.rfc3339(found.oldest_unsettled_at),
    }

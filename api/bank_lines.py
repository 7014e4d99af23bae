"""Lines of bank accounts: listed with what they may show, matched, and the match taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import StringConstraints

from api import bank_shapes
from api.bank_shapes import LineOut
from api.contract import (
    Answer,
    Call,
    In,
    Listed,
    NoBody,
    NoQuery,
    PageQuery,
    Reference,
    Session,
    Several,
    csv_answer,
    endpoint,
    page,
    place_of,
    run_once,
)
from core.csvsafe import Cell
from core.errors import invalid
from core.permissions import Permission
from domain.actors import Actor
from domain.bank import bank_queries, matching
from domain.bank.bank_queries import LineFilter
from domain.bank.matching import Act, Target
from domain.database import reading
from domain.payments.payments import LONGEST_PAGE, Page

blueprint = Blueprint("bank_lines", __name__)
STATES = ("matched", "suggested", "unmatched")
COLUMNS = (
    "lineId accountId bookedOn amount currency reference endToEndId bankReference counterparty state"
    " paymentId payoutId refundId entryId note"
).split()
Note = Annotated[
    str,
    StringConstraints(
        min_length=matching.SHORTEST_NOTE,
        max_length=matching.LONGEST_NOTE,
        strip_whitespace=True,
    ),
]
Named = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class LinesQuery(PageQuery):
    """Which lines. q: a reference, however it is written, an id or an amount."""

    state: Several = ()
    statement_id: Named | None = None
    account_id: Several = ()
    q: Annotated[str, StringConstraints(max_length=200)] = ""
    format: Literal["csv"] | None = None


class LineMatchIn(In):
    """What the line shows: exactly one of the three."""

    payment_id: Named | None = None
    payout_id: Named | None = None
    refund_id: Named | None = None
    note: Note
    reference: Reference | None = None


class LineUnmatchIn(In):
    """Why the match is taken back."""

    note: Note
    reference: Reference | None = None


@endpoint(
    blueprint,
    "GET",
    "/api/bank/lines",
    access=Permission.BANK_LINES,
    query=LinesQuery,
    answers={200: Listed[LineOut]},
    summary="List lines of bank accounts with what each may show, or export them.",
    requirement="S59",
)
def index(call: Call[NoBody, LinesQuery]) -> Answer | Response:
    asked, place = call.query, place_of(call.query)
    if unknown := [each for each in asked.state if each not in STATES]:
        raise invalid("state", f"{unknown[0][:40]!r} is none of {', '.join(STATES)}.")
    wanted = LineFilter(asked.state, asked.statement_id, account=asked.account_id, q=asked.q)
    if asked.format == "csv":
        return csv_answer("bank-lines", COLUMNS, _cells(wanted, call.actor))
    with reading() as session:
        rows = bank_queries.list_lines(session, wanted, page=Page(place.limit, place.before))
        written = bank_shapes.lines(session, rows, actor=call.actor)
    body = page(
        rows, place, wire=lambda row: written[row.id], mark=lambda row: (row.created_at, row.id)
    )
    return Answer(200, body)


def _cells(wanted: LineFilter, actor: Actor) -> Iterator[list[Cell]]:
    """Walk every page; each is read by itself, so that a slow reader holds nothing open."""
    before = None
    while True:
        with reading() as session:
            rows = bank_queries.list_lines(session, wanted, page=Page(LONGEST_PAGE, before))
            shown = rows[:LONGEST_PAGE]
            written = bank_shapes.lines(session, shown, actor=actor)
        for row in shown:
            said = written[row.id]
            said |= {**said["amount"], "counterparty": said["counterparty"]["name"]}
            yield [said[name] for name in COLUMNS]
        if len(rows) <= LONGEST_PAGE:
            return
        before = (shown[-1].created_at, shown[-1].id)


def _line(session: Session, line_id: str, actor: Actor) -> dict[str, Any]:
    row = matching.get_line(session, line_id)
    return bank_shapes.lines(session, [row], actor=actor)[row.id]


@endpoint(
    blueprint,
    "POST",
    "/api/bank/lines/{lineId}/match",
    access=Permission.BANK_MATCH,
    body=LineMatchIn,
    answers={200: LineOut},
    key="R",
    errors=("NOT_FOUND", "ALREADY_MATCHED", "AMOUNT_EXCEEDED", "CONFLICT"),
    events=("line.matched", "journal.posted"),
    summary="Say what a line shows: a payout moves to the bank in the books, the others are evidence.",
    requirement="S59",
)
def match(call: Call[LineMatchIn, NoQuery]) -> Answer:
    body = call.body
    given = [
        Target(kind, found)
        for kind, found in (
            ("payment", body.payment_id),
            ("payout", body.payout_id),
            ("refund", body.refund_id),
        )
        if found is not None
    ]
    if len(given) != 1:
        raise invalid("paymentId", "Name one of paymentId, payoutId and refundId.")

    def work(session: Session) -> Answer:
        act = Act(call.actor, call.source, body.note)
        matching.match(session, call.path["lineId"], given[0], act)
        return Answer(200, _line(session, call.path["lineId"], call.actor))

    return run_once(call, work)


@endpoint(
    blueprint,
    "POST",
    "/api/bank/lines/{lineId}/unmatch",
    access=Permission.BANK_MATCH,
    body=LineUnmatchIn,
    answers={200: LineOut},
    key="R",
    errors=("NOT_FOUND", "CONFLICT"),
    events=("line.unmatched", "journal.posted"),
    summary="Take a match back; what it posted is reversed in the open month.",
    requirement="S59",
    deviation="Never PERIOD_CLOSED: a reversal is booked in the open month, as every late fact is.",
)
def unmatch(call: Call[LineUnmatchIn, NoQuery]) -> Answer:
    line_id = call.path["lineId"]

    def work(session: Session) -> Answer:
        act = Act(call.actor, call.source, call.body.note)
        said = _line(session, line_id, call.actor)
        if matching.unmatch(session, line_id, act) is not None:
            return Answer(200, _line(session, line_id, call.actor))
        # It was typed by hand and goes with its match: what was typed may have been wrong.
        free = dict.fromkeys(("paymentId", "payoutId", "refundId", "note", "entryId"))
        return Answer(200, said | free | {"state": "unmatched", "suggestions": []})

    return run_once(call, work)

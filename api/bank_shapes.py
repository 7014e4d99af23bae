"""Bank statements and their lines as the API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from api import shapes
from api.contract import MoneyOut, Out, Session
from core import clock
from core.money import asset
from core.permissions import Permission
from domain.actors import Actor
from domain.bank import counterparties, importing, matching, suggesting
from domain.bank.seen import seen_of
from domain.bank.suggesting import Suggestion
from models.statements import BankLine, BankStatement

LineState = Literal["matched", "suggested", "unmatched"]


class StatementOut(Out):
    """An imported statement. lines: of the file; known: how many of them an earlier statement had said;
    matched, suggested, unmatched: of the others. Balances are null where a CSV says none.
    """

    statement_id: str
    account_id: str
    format: Literal["camt053", "csv"]
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    lines: int
    known: int
    matched: int
    suggested: int
    unmatched: int
    opening_balance: MoneyOut | None
    closing_balance: MoneyOut | None
    currency: str
    imported_at: str
    imported_by: str
    demo: bool


class CounterpartyOut(Out):
    """The other side of a line; masked for support."""

    name: str | None
    number: str | None


class SuggestionOut(Out):
    """What a line may show. score: 0 to 100; certain: exactly its amount and its own reference, and no other."""

    kind: Literal["payment", "payout", "refund"]
    id: str
    score: int
    why: str
    certain: bool


class LineOut(Out):
    """One line of an account, and what it shows once it is matched. amount is signed."""

    line_id: str
    statement_id: str | None
    account_id: str
    booked_on: str
    value_on: str | None
    amount: MoneyOut
    reference: str
    end_to_end_id: str | None
    bank_reference: str | None
    counterparty: CounterpartyOut
    state: LineState
    suggestions: list[SuggestionOut]
    payment_id: str | None
    payout_id: str | None
    refund_id: str | None
    match_no: int
    note: str | None
    entry_id: str | None
    demo: bool


def statement(row: BankStatement, counts: Counter[str]) -> dict[str, Any]:
    """Write a statement. counts: its own lines by state."""
    unit = asset(row.asset)
    ends = [
        shapes.amount(minor, unit) if minor is not None else None
        for minor in (row.opening_minor, row.closing_minor)
    ]
    return {
        "statementId": row.id,
        "accountId": row.account,
        "format": row.format,
        "from": str(row.from_on),
        "to": str(row.to_on),
        "lines": row.lines,
        "known": row.lines - counts.total(),
        "matched": counts["matched"],
        "suggested": counts["suggested"],
        "unmatched": counts["unmatched"],
        "openingBalance": ends[0],
        "closingBalance": ends[1],
        "currency": unit.code,
        "importedAt": clock.rfc3339(row.imported_at),
        "importedBy": row.imported_by,
        "demo": row.demo,
    }


def statements(session: Session, rows: Sequence[BankStatement]) -> dict[str, dict[str, Any]]:
    """Write statements by their ids. Transaction: caller's, reads only."""
    counted = importing.counts(session, [row.id for row in rows])
    return {row.id: statement(row, counted[row.id]) for row in rows}


def lines(session: Session, rows: Sequence[BankLine], *, actor: Actor) -> dict[str, dict[str, Any]]:
    """Write lines by their ids, with what they may show. Transaction: caller's, reads only."""
    open_rows = [row for row in rows if row.state != "matched"]
    found = suggesting.suggest(session, [seen_of(row) for row in open_rows])
    return {row.id: _line(row, found, actor) for row in rows}


def _line(row: BankLine, found: Mapping[str, Sequence[Suggestion]], actor: Actor) -> dict[str, Any]:
    other = counterparties.open_line(row)
    if not actor.may(Permission.BANK_STATEMENTS):
        other = other.masked()
    suggestions = found.get(row.id, ())
    state = row.state
    if matching.target_of(row) is None:
        # What was found just now counts, not what was when somebody last looked.
        state = "suggested" if suggestions else "unmatched"
    return {
        "lineId": row.id,
        "statementId": row.statement_id,
        "accountId": row.account,
        "bookedOn": str(row.booked_on),
        "valueOn": str(row.value_on) if row.value_on else None,
        "amount": shapes.amount(row.amount_minor, asset(row.asset)),
        "reference": row.reference,
        "endToEndId": row.end_to_end_id,
        "bankReference": row.bank_reference,
        "counterparty": {"name": other.name, "number": other.number},
        "state": state,
        "suggestions": [
            {
                "kind": each.kind,
                "id": each.id,
                "score": each.score,
                "why": each.why,
                "certain": each.is_certain,
            }
            for each in suggestions
        ],
        "paymentId": row.payment_id,
        "payoutId": row.payout_id,
        "refundId": row.refund_id,
        "matchNo": row.match_no,
        "note": row.note,
        "entryId": row.entry_id,
        "demo": row.demo,
    }

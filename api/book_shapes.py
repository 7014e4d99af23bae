"""The books as the API shows them: the records that document them and what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from api.contract import Listed, MoneyOut, Out, money_out
from core import chart, clock, entry_kinds
from core.chart import Side
from core.money import Money
from domain import calendar
from domain.books.book_queries import Line
from domain.books.statements import Statement
from models.ledger import JournalEntry, LedgerAccount


class MovementOut(Out):
    """One amount that leaves `credit` and arrives at `debit`."""

    debit: str
    credit: str
    amount: MoneyOut


class EntryOut(Out):
    """One balanced fact of the books; it is never edited, only reversed.

    period: the month it is booked in; lateOf: the closed one in which it took effect. details: what else
    belongs to it for ever, such as a rate with its source and date, or who agreed to it.
    """

    entry_id: str
    at: str
    kind: str
    source_key: str
    order_id: str | None
    invoice_id: str | None
    payment_id: str | None
    provider_reference: str | None
    note: str | None
    postings: list[MovementOut]
    reverses: str | None
    reversed_by: str | None
    reversal_due_on: str | None
    period: str
    hash: str
    label: str
    late_of: str | None
    details: dict[str, Any]
    effective_at: str
    source: str
    livemode: bool
    demo: bool


class StatementOut(Out):
    """An account over a span of time, by when entries were posted."""

    opening: MoneyOut
    debits: MoneyOut
    credits: MoneyOut
    closing: MoneyOut


class AccountOut(Out):
    """One account. The balance is positive on the account's own side: what an asset holds, a liability owes.

    balance: what is free; reserved: what is set aside beside it. side: whose ledger it belongs to; a
    buyer's and a seller's are never one. statement: of the span that was asked for, or null.
    """

    address: str
    kind: Literal["asset", "liability", "income", "expense", "equity"]
    balance: MoneyOut
    reserved: MoneyOut
    label: str
    side: Literal["buyer", "seller", "house"]
    statement: StatementOut | None


class LineOut(Out):
    """One posting of an account, with the balance once it was posted."""

    posting_id: str
    entry_id: str
    amount: MoneyOut
    side: Literal["debit", "credit"]
    balance_after: MoneyOut
    at: str


class LinesOut(Listed[LineOut]):
    """A page of an account's postings, with what it held before the span and after it."""

    opening: MoneyOut
    closing: MoneyOut


class CheckOut(Out):
    """One proof; firstBad: the first row that fails it, and how."""

    name: str
    ok: bool
    rows: int
    first_bad: str | None


class VerificationOut(Out):
    """The last verification; all null before the first one."""

    ok: bool | None
    at: str | None
    rows: int
    chain_head: str | None
    checks: list[CheckOut]


def entry(
    row: JournalEntry, movements: Sequence[tuple[str, str, Money]], reversed_by: str | None
) -> dict[str, Any]:
    """Write a journal entry with its movements."""
    return {
        "entryId": row.id,
        "at": clock.rfc3339(row.posted_at),
        "kind": row.kind,
        "sourceKey": row.source_key,
        "orderId": row.order_id,
        "invoiceId": row.invoice_id,
        "paymentId": row.payment_id,
        "providerReference": row.provider_reference,
        "note": row.note,
        "postings": [
            {"debit": debit, "credit": credit, "amount": money_out(amount)}
            for debit, credit, amount in movements
        ],
        "reverses": row.reverses_id,
        "reversedBy": reversed_by,
        "reversalDueOn": row.reversal_due_on.isoformat() if row.reversal_due_on else None,
        # Entries of before there were periods took effect in the month they are of.
        "period": row.period or calendar.month_of(row.effective_at),
        "hash": row.content_hash,
        "label": entry_kinds.label_of(row.kind),
        "lateOf": row.late_of,
        "details": row.details,
        "effectiveAt": clock.rfc3339(row.effective_at),
        "source": row.source,
        "livemode": row.livemode,
        "demo": row.demo,
    }


def account(
    row: LedgerAccount, balance: Money, reserved: Money, statement: Statement | None = None
) -> dict[str, Any]:
    """Write an account with what of it is free and what is set aside."""
    pattern = chart.find(row.address)
    return {
        "address": row.address,
        "kind": row.kind,
        "balance": money_out(balance),
        "reserved": money_out(reserved),
        "label": chart.label_of(row.address),
        "side": (pattern.side if pattern else Side.HOUSE).value,
        "statement": None
        if statement is None
        else {
            "opening": money_out(statement.opening),
            "debits": money_out(statement.debits),
            "credits": money_out(statement.credits),
            "closing": money_out(statement.closing),
        },
    }


def line(found: Line) -> dict[str, Any]:
    """Write one posting of an account."""
    return {
        "postingId": f"{found.entry_id}-{found.no}",
        "entryId": found.entry_id,
        "amount": money_out(found.amount),
        "side": "debit" if found.is_debit else "credit",
        "balanceAfter": money_out(found.after),
        "at": clock.rfc3339(found.at),
    }

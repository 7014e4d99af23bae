"""The books as the API shows them: the records that document them and what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from api import shapes
from api.contract import MoneyOut, Out, money_out
from core import clock
from core.money import Money
from domain.books.book_queries import Line
from models.ledger import JournalEntry, LedgerAccount


class MovementOut(Out):
    """One amount that leaves `credit` and arrives at `debit`."""

    debit: str
    credit: str
    amount: MoneyOut


class EntryOut(Out):
    """One balanced fact of the books; it is never edited, only reversed."""

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
    period: str | None
    hash: str
    effective_at: str
    source: str
    livemode: bool
    demo: bool


class AccountOut(Out):
    """One account. The balance is positive on the account's own side: what an asset holds, a liability owes."""

    address: str
    kind: Literal["asset", "liability", "income", "expense", "equity"]
    balance: MoneyOut
    reserved: MoneyOut


class LineOut(Out):
    """One posting of an account, with the balance once it was posted."""

    posting_id: str
    entry_id: str
    amount: MoneyOut
    side: Literal["debit", "credit"]
    balance_after: MoneyOut
    at: str


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
        "reversalDueOn": None,
        "period": None,
        "hash": row.content_hash,
        "effectiveAt": clock.rfc3339(row.effective_at),
        "source": row.source,
        "livemode": row.livemode,
        "demo": row.demo,
    }


def account(row: LedgerAccount, balance: Money) -> dict[str, Any]:
    """Write an account; nothing is reserved while nothing is paid out."""
    return {
        "address": row.address,
        "kind": row.kind,
        "balance": money_out(balance),
        "reserved": shapes.nothing(balance.asset),
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

"""Statements of accounts: what each held before a span of time, what came and went, what it held after.

By when entries were posted. A buyer's side and a seller's side are never one account, so neither are
they one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from core.chart import RESERVED
from core.money import Money, asset
from domain.books import balances
from models.ledger import JournalEntry, LedgerAccount, Posting


@dataclass(frozen=True)
class Statement:
    """One account over a span. Opening and closing on the account's own side; debits and credits between."""

    opening: Money
    debits: Money
    credits: Money
    closing: Money


def of_accounts(
    session: Session,
    accounts: Sequence[LedgerAccount],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[tuple[str, str], Statement]:
    """Draw the statements of several accounts in one question, by (address, asset).

    since: inclusive; until: exclusive; None: from the beginning, up to now.
    Transaction: caller's, reads only.
    """
    if not accounts:
        return {}
    wanted = [and_(Posting.address == row.address, Posting.asset == row.asset) for row in accounts]
    amount = Posting.amount_minor
    before, within = _before(since), and_(~_before(since), _up_to(until))
    statement = (
        select(
            Posting.address,
            Posting.asset,
            func.sum(case((before, amount), else_=0)),
            func.sum(case((and_(within, amount > 0), amount), else_=0)),
            func.sum(case((and_(within, amount < 0), -amount), else_=0)),
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(or_(*wanted))
        .group_by(Posting.address, Posting.asset)
    )
    sums = {
        (address, unit): (int(opening), int(debits), int(credited))
        for address, unit, opening, debits, credited in session.execute(statement)
    }
    return {
        (row.address, row.asset): _statement(row, *sums.get((row.address, row.asset), (0, 0, 0)))
        for row in accounts
    }


def _before(since: datetime | None) -> ColumnElement[bool]:
    # A span from the beginning has nothing before it.
    return literal(0) > literal(1) if since is None else JournalEntry.posted_at < since


def _up_to(until: datetime | None) -> ColumnElement[bool]:
    return literal(1) > literal(0) if until is None else JournalEntry.posted_at < until


def _statement(row: LedgerAccount, opening: int, debits: int, credited: int) -> Statement:
    side, of = balances.own_side(row.kind), asset(row.asset)
    return Statement(
        opening=Money(side * opening, of),
        debits=Money(debits, of),
        credits=Money(credited, of),
        closing=Money(side * (opening + debits - credited), of),
    )


def reserved_of(
    session: Session, accounts: Sequence[LedgerAccount], *, as_of: datetime | None = None
) -> dict[tuple[str, str], Money]:
    """Say what of several accounts is set aside in their reserved parts, by (address, asset).

    as_of: only entries that took effect up to and at this instant. Transaction: caller's, reads only.
    """
    if not accounts:
        return {}
    parts = {f"{row.address}{RESERVED}" for row in accounts}
    statement = select(Posting.address, Posting.asset, func.sum(Posting.amount_minor))
    if as_of is not None:
        statement = statement.join(JournalEntry, JournalEntry.id == Posting.entry_id)
        statement = statement.where(JournalEntry.effective_at <= as_of)
    grouped = statement.where(Posting.address.in_(parts)).group_by(Posting.address, Posting.asset)
    sums = {(address, unit): int(total) for address, unit, total in session.execute(grouped)}
    return {
        (row.address, row.asset): Money(
            balances.own_side(row.kind) * sums.get((f"{row.address}{RESERVED}", row.asset), 0),
            asset(row.asset),
        )
        for row in accounts
    }

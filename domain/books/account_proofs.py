"""Accounts proved: each is of the chart, and what is kept of limited ones is what their postings say."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import chart
from domain.books import balances
from models.ledger import AccountBalance, LedgerAccount, Posting

_CHUNK = 1000


def charted(session: Session) -> Iterator[str | None]:
    """Check that each account is one that the chart knows, and of the kind it says."""
    statement = select(LedgerAccount.address, LedgerAccount.kind).order_by(LedgerAccount.address)
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for address, kind in rows:
            pattern = chart.find(address)
            if pattern is None:
                yield f"{address} is no account of the chart"
            else:
                same = pattern.kind == kind
                yield (
                    None
                    if same
                    else f"{address} is booked as {kind}, the chart says {pattern.kind}"
                )


def kept(session: Session) -> Iterator[str | None]:
    """Check that each kept balance is the sum of its postings, and that none is missing."""
    sums = (
        select(Posting.address, Posting.asset, func.sum(Posting.amount_minor).label("total"))
        .group_by(Posting.address, Posting.asset)
        .subquery()
    )
    same_account = (LedgerAccount.address == sums.c.address) & (LedgerAccount.asset == sums.c.asset)
    same_balance = (AccountBalance.address == LedgerAccount.address) & (
        AccountBalance.asset == LedgerAccount.asset
    )
    statement = (
        select(
            LedgerAccount.address, LedgerAccount.kind, sums.c.total, AccountBalance.balance_minor
        )
        .outerjoin(sums, same_account)
        .outerjoin(AccountBalance, same_balance)
        .where(balances.kept_addresses(LedgerAccount.address))
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for address, kind, total, held in rows:
            if not balances.is_kept(address):
                continue
            said = balances.own_side(kind) * int(total or 0)
            same = (held or 0) == said
            yield None if same else f"{address} keeps {held or 0}, its postings say {said}"

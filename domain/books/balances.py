"""Balances that are kept: of accounts from which nothing may be taken that is not there.

All other balances are sums over postings: a row that everybody writes would make all wait for each other.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import chart
from core.chart import RESERVED, Kind
from core.errors import Conflict
from core.money import Money
from domain import pending
from domain.books.accounts import Account
from models.ledger import AccountBalance, LedgerAccount, Posting

_DEBIT_KINDS = frozenset({Kind.ASSET.value, Kind.EXPENSE.value})


def own_side(kind: str) -> int:
    """Give the sign with which a debit counts on an account's own side."""
    return 1 if kind in _DEBIT_KINDS else -1


def is_kept(address: str) -> bool:
    """Tell whether an account's balance is kept: its pattern is limited, or it is a reserved part."""
    pattern = chart.find(address)
    return address.endswith(RESERVED) or (pattern is not None and pattern.is_limited)


def move(session: Session, debit: Account, credit: Account, amount: Money) -> None:
    """Keep what a movement changes of kept balances, to be written with its entry.

    Writes: account_balances, at commit. Transaction: caller's.
    """
    for account, minor in ((debit, amount.minor), (credit, -amount.minor)):
        if is_kept(account.address):
            key = (account.address, str(amount.asset))
            pending.add(session, AccountBalance, key, own_side(account.kind) * minor)


def assert_holds(
    session: Session, account: Account, amount: Money, *, promised: Money | None = None
) -> None:
    """Check that an account holds an amount, and keep others from taking it until the transaction ends.

    promised: what of it is on its way out already, and is not there to be taken.
    Raises: Conflict AMOUNT_EXCEEDED. Transaction: caller's, writing.
    """
    pending.write_rows(session)
    kept = promised.minor if promised else 0
    taken = (
        update(AccountBalance)
        .where(
            AccountBalance.address == account.address,
            AccountBalance.asset == str(amount.asset),
            AccountBalance.balance_minor >= amount.minor + kept,
        )
        .values(version=AccountBalance.version + 1)
        .returning(AccountBalance.version)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(taken) is None:
        held = Money(held_minor(session, account.address, str(amount.asset)), amount.asset)
        away = f", {promised.major()} of it on its way back by refunds" if promised and kept else ""
        raise Conflict(
            f"{chart.label_of(account.address)} holds {held.major()} {held.asset.code}{away};"
            f" {amount.major()} was asked for.",
            code="AMOUNT_EXCEEDED",
        )


def held_minor(session: Session, address: str, asset_name: str) -> int:
    """Give what a kept account holds, in minor units on its own side; 0 when it never held anything."""
    row = session.get(AccountBalance, (address, asset_name), populate_existing=True)
    return 0 if row is None else row.balance_minor


def rebuild(connection: Connection) -> None:
    """Compute every kept balance anew from the postings; for data that was loaded around `post`.

    Writes: account_balances. Transaction: caller's, with nobody posting.
    """
    own = func.sum(Posting.amount_minor)
    statement = (
        select(Posting.address, Posting.asset, LedgerAccount.kind, own)
        .join(
            LedgerAccount,
            (LedgerAccount.address == Posting.address) & (LedgerAccount.asset == Posting.asset),
        )
        .where(kept_addresses(Posting.address))
        .group_by(Posting.address, Posting.asset, LedgerAccount.kind)
    )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(AccountBalance.__table__)
    write = insert.values(version=1).on_conflict_do_update(
        index_elements=["address", "asset"],
        set_={"balance_minor": insert.excluded.balance_minor},
    )
    for part in connection.execute(statement).partitions(1000):
        rows = [
            {"address": address, "asset": unit, "balance_minor": own_side(kind) * int(total)}
            for address, unit, kind, total in part
            if is_kept(address)
        ]
        if rows:
            connection.execute(write, rows)


def kept_addresses(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Choose rows that may be of kept accounts; `is_kept` tells for certain."""
    heads = sorted({each.template.split(":")[0] for each in chart.CHART if each.is_limited})
    return or_(*[column.like(f"{head}:%") for head in heads], column.like(f"%{RESERVED}"))

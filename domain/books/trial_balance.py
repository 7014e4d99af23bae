"""The trial balance: every account with what was debited and credited, and what all of them come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from core.money import Asset, Money, asset
from domain.books import balances
from models.ledger import JournalEntry, LedgerAccount, Posting

_CHUNK = 1000


@dataclass(frozen=True)
class When:
    """Which entries count. as_of: those that took effect up to then; known_at: those posted up to then."""

    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class AccountTotal:
    """One account in one asset: all that was debited and credited."""

    address: str
    kind: str
    debits: Money
    credits: Money

    @property
    def balance(self) -> Money:
        """What is left, on the account's own side."""
        left = self.debits.minor - self.credits.minor
        return Money(balances.own_side(self.kind) * left, self.debits.asset)


@dataclass
class Totals:
    """Per asset what all accounts come to; what was debited must be what was credited."""

    debits: dict[Asset, int] = field(default_factory=dict)
    credits: dict[Asset, int] = field(default_factory=dict)

    def add(self, row: AccountTotal) -> None:
        """Count one account."""
        of = row.debits.asset
        self.debits[of] = self.debits.get(of, 0) + row.debits.minor
        self.credits[of] = self.credits.get(of, 0) + row.credits.minor

    def rows(self) -> list[tuple[Money, Money, Money]]:
        """List debits, credits and their difference, per asset."""
        return [
            (
                Money(self.debits[of], of),
                Money(self.credits[of], of),
                Money(self.debits[of] - self.credits[of], of),
            )
            for of in sorted(self.debits, key=str)
        ]


def rows(session: Session, when: When) -> Iterator[AccountTotal]:
    """Go through every account by address: one statement, so that all of it is of one moment.

    Transaction: caller's, reads only, open while they are gone through.
    """
    amount = Posting.amount_minor
    debits: ColumnElement[int] = func.sum(case((amount > 0, amount), else_=0))
    credited: ColumnElement[int] = func.sum(case((amount < 0, -amount), else_=0))
    per = select(Posting.address, Posting.asset, debits.label("debits"), credited.label("credits"))
    if when.as_of is not None or when.known_at is not None:
        per = per.join(JournalEntry, JournalEntry.id == Posting.entry_id)
    if when.as_of is not None:
        per = per.where(JournalEntry.effective_at <= when.as_of)
    if when.known_at is not None:
        per = per.where(JournalEntry.posted_at <= when.known_at)
    sums = per.group_by(Posting.address, Posting.asset).subquery()
    account = (LedgerAccount.address == sums.c.address) & (LedgerAccount.asset == sums.c.asset)
    statement = (
        select(LedgerAccount.address, LedgerAccount.asset, LedgerAccount.kind, sums)
        .join(sums, account)
        .order_by(LedgerAccount.address, LedgerAccount.asset)
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as found:
        for address, unit, kind, _, _, debited, taken in found:
            of = asset(unit)
            yield AccountTotal(address, kind, Money(int(debited), of), Money(int(taken), of))

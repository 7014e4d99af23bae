"""What each line of the chart holds, and its accounts: sums over the postings, also as of a day or as known then."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import chart
from core.chart import CHART, RESERVED, Pattern
from core.money import asset
from domain.books import balances
from domain.books.trial_balance import When
from models.ledger import JournalEntry, LedgerAccount, Posting
from providers import registry

_PART = re.compile(r"\{\w+\}")
# Lines of which there is an account per order, payment or person are tried first: most accounts are theirs.
_TRIED = sorted(CHART, key=lambda each: len(_PART.findall(each.template)) == 0)


NOW = When()


@dataclass(frozen=True)
class LineSum:
    """One line of the chart in one asset. pattern: None for accounts that the chart does not know.

    accounts: how many addresses; one that is kept in several assets counts with the first of them.
    Minor units; reserved_minor: of the balance, what is set aside, on the line's own side.
    """

    pattern: Pattern | None
    asset: str
    accounts: int
    debit_minor: int
    credit_minor: int
    reserved_minor: int

    @property
    def balance_minor(self) -> int:
        """What the line holds on its own side, its reserved parts included."""
        total = self.debit_minor - self.credit_minor
        return total if self.pattern is None else balances.own_side(self.pattern.kind) * total


@dataclass(frozen=True)
class AccountSum:
    """One account in one asset. Minor units on its own side; balance_minor: without what is reserved."""

    address: str
    asset: str
    pattern: Pattern | None
    balance_minor: int
    reserved_minor: int


def of_chart(session: Session, when: When = NOW) -> list[LineSum]:
    """Sum every line of the chart per asset, in the chart's order; all postings count.

    Transaction: caller's, reads only.
    """
    per = _per_account(when).subquery()
    place = case(
        *[(_of(per.c.address, each), CHART.index(each)) for each in _TRIED], else_=len(CHART)
    )
    is_reserved = per.c.address.like(f"%{RESERVED}")
    nth = func.row_number().over(partition_by=per.c.address, order_by=per.c.asset)
    is_new = case((nth == 1, 1), else_=0)
    held = case((is_reserved, per.c.debits - per.c.credits), else_=0)
    each = select(
        place.label("place"),
        per.c.asset,
        case((is_reserved, 0), else_=is_new).label("is_new"),
        per.c.debits,
        per.c.credits,
        held.label("held"),
    ).subquery()
    key = (each.c.place, each.c.asset)
    numbers = (each.c.is_new, each.c.debits, each.c.credits, each.c.held)
    sums = [func.sum(number) for number in numbers]
    statement = select(*key, *sums).group_by(*key).order_by(*key)
    return [
        _line(at, unit, [int(number) for number in found])
        for at, unit, *found in session.execute(statement)
    ]


def currencies(session: Session) -> list[str]:
    """List the codes of the currencies that providers have received money in.

    Transaction: caller's, reads only.
    """
    clearing = [chart.CLEARING.at(provider=name) for name in registry.names()]
    found = select(LedgerAccount.asset).where(LedgerAccount.address.in_(clearing)).distinct()
    return sorted(asset(each).code for each in session.scalars(found))


def count_since(session: Session, at: datetime, *, most: int) -> int:
    """Count the entries posted after an instant, up to a number. Transaction: caller's, reads only."""
    newer = select(JournalEntry.id).where(JournalEntry.posted_at > at).limit(most)
    return session.scalar(select(func.count()).select_from(newer.subquery())) or 0


def _line(place: int, unit: str, numbers: Sequence[int]) -> LineSum:
    pattern = CHART[place] if place < len(CHART) else None
    accounts, debits, credits_, held = numbers
    side = balances.own_side(pattern.kind) if pattern else 1
    return LineSum(pattern, unit, accounts, debits, credits_, side * held)


def _per_account(when: When) -> Select[str, str, int, int]:
    amount = Posting.amount_minor
    debits: ColumnElement[int] = func.sum(case((amount > 0, amount), else_=0))
    credits_: ColumnElement[int] = func.sum(case((amount < 0, -amount), else_=0))
    both = debits.label("debits"), credits_.label("credits")
    statement = select(Posting.address, Posting.asset, *both)
    if when != NOW:
        statement = statement.join(JournalEntry, JournalEntry.id == Posting.entry_id)
    if when.as_of is not None:
        statement = statement.where(JournalEntry.effective_at <= when.as_of)
    if when.known_at is not None:
        statement = statement.where(JournalEntry.posted_at <= when.known_at)
    return statement.group_by(Posting.address, Posting.asset)


def _of(
    address: ColumnElement[str] | InstrumentedAttribute[str], pattern: Pattern
) -> ColumnElement[bool]:
    """Tell whether an address, or its reserved part, is of a pattern."""
    like = _PART.sub("%", pattern.template.replace("_", r"\_"))
    reserved = f"{like}{RESERVED}"
    return or_(address.like(like, escape="\\"), address.like(reserved, escape="\\"))


@dataclass(frozen=True)
class Named:
    """What a text may mean among accounts: any of these."""

    addresses: Sequence[str] = ()
    patterns: Sequence[Pattern] = ()
    prefix: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Which accounts: of these lines of the chart, and of what was named; in one asset or all."""

    patterns: Sequence[Pattern] | None = None
    named: Named | None = None
    asset: str | None = None


def list_accounts(
    session: Session,
    wanted: Wanted,
    when: When = NOW,
    *,
    limit: int,
    after: tuple[str, str] | None = None,
) -> list[AccountSum]:
    """List accounts with what they hold, by address, after a place (address, asset) when one is given.

    A reserved part is told with its account. Transaction: caller's, reads only.
    """
    key = (LedgerAccount.address, LedgerAccount.asset)
    found: list[ColumnElement[bool]] = [~LedgerAccount.address.like(f"%{RESERVED}")]
    if wanted.patterns is not None:
        found.append(or_(false(), *[_within(each) for each in wanted.patterns]))
    if wanted.named is not None:
        found.append(_means(wanted.named))
    if wanted.asset:
        found.append(LedgerAccount.asset == wanted.asset)
    if after:
        found.append(tuple_(*key) > after)
    statement = select(*key).where(*found).order_by(*key).limit(limit)
    keys = [(address, unit) for address, unit in session.execute(statement)]
    sums = _sums(session, [address for address, _ in keys], when)
    return [_account(address, unit, sums) for address, unit in keys]


def _means(named: Named) -> ColumnElement[bool]:
    found = [
        LedgerAccount.address.in_(named.addresses),
        *[_within(each) for each in named.patterns],
    ]
    if named.prefix:
        found.append(_begins(named.prefix))
    return or_(*found)


def _begins(text: str) -> ColumnElement[bool]:
    """Choose the addresses that begin so, as a range: it uses the key's index."""
    return and_(LedgerAccount.address >= text, LedgerAccount.address < f"{text}\U0010ffff")


def _within(pattern: Pattern) -> ColumnElement[bool]:
    """Choose a pattern's accounts by the range of its first words, which has an index, then by its form."""
    head = pattern.template.split("{")[0]
    return and_(_begins(head), _of(LedgerAccount.address, pattern))


def _sums(session: Session, addresses: Sequence[str], when: When) -> dict[tuple[str, str], int]:
    if not addresses:
        return {}
    every = {*addresses, *(f"{each}{RESERVED}" for each in addresses)}
    statement = _per_account(when).where(Posting.address.in_(every))
    return {
        (address, unit): int(debits) - int(credits_)
        for address, unit, debits, credits_ in session.execute(statement)
    }


def _account(address: str, unit: str, sums: Mapping[tuple[str, str], int]) -> AccountSum:
    pattern = chart.find(address)
    side = balances.own_side(pattern.kind) if pattern else 1
    return AccountSum(
        address,
        unit,
        pattern,
        side * sums.get((address, unit), 0),
        side * sums.get((f"{address}{RESERVED}", unit), 0),
    )

"""What the books said of a month when it was closed: each account's opening, movements and closing.

The opening is what the closing of the month before says, so that a snapshot reads one month and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from core import hashing
from domain import calendar, database
from domain.periods import months
from domain.periods.months import Span
from models.audit import ChainLink
from models.ledger import JournalEntry, Posting
from models.periods import PeriodBalance, PeriodClosing

_CHUNK = 1000
_COLUMNS = ("address", "asset", "opening_minor", "debit_minor", "credit_minor", "closing_minor")


@dataclass(frozen=True)
class Balance:
    """One account of a month. Minor units, debits positive."""

    address: str
    asset: str
    opening: int
    debit: int
    credit: int
    closing: int

    def written(self) -> bytes:
        """Write it as the snapshot's hash covers it."""
        sums = f"{self.opening}|{self.debit}|{self.credit}|{self.closing}"
        return f"{self.address}|{self.asset}|{sums}\n".encode()


def digest(rows: Iterable[Balance]) -> str:
    """Hash the balances of a month, which come in the order of their accounts."""
    return hashing.sha256_of(row.written() for row in rows)


def opening_of(
    session: Session, month: str, *, known_at: PeriodClosing | None = None
) -> str | None:
    """Name the closing from which a month opens: that of the month before; None before all closings.

    known_at: a closing of the month, for the one that stood when it was made.
    """
    statement = select(PeriodClosing.id).where(PeriodClosing.period_id == calendar.preceding(month))
    if known_at is not None:
        statement = statement.where(PeriodClosing.closed_at <= known_at.closed_at)
    return session.scalar(statement.order_by(PeriodClosing.no.desc()).limit(1))


def computed(
    session: Session, span: Span, opening: str | None, *, up_to: int | None = None
) -> Iterator[Balance]:
    """Compute a month's balances from the postings, in the order of the accounts.

    opening: the closing of the month before. up_to: how long the journal chain was that is meant;
    None: all that is booked. Transaction: caller's, reads only.
    """
    statement = _sums(span, opening, up_to)
    accounts = list(statement.selected_columns)[:2]
    return _stream(session, statement.order_by(*_in_order(accounts)))


def stored(session: Session, closing_id: str) -> Iterator[Balance]:
    """Read the balances that a closing kept, in the order of the accounts."""
    columns = [PeriodBalance.__table__.c[name] for name in _COLUMNS]
    statement = select(*columns).where(PeriodBalance.closing_id == closing_id)
    return _stream(session, statement.order_by(*_in_order(columns[:2])))


def keep(session: Session, closing_id: str, span: Span, opening: str | None) -> None:
    """Write the balances of a month down, computed by the database itself.

    Writes: period_balances. Transaction: caller's, with nobody posting.
    """
    sums = _sums(span, opening, None).subquery()
    rows = select(literal(closing_id), *sums.c)
    session.execute(insert(PeriodBalance).from_select(["closing_id", *_COLUMNS], rows))


def count_entries(session: Session, span: Span, *, up_to: int | None = None) -> int:
    """Count the entries booked in a month. up_to: how long the journal chain was that is meant."""
    statement = select(func.count()).select_from(JournalEntry)
    if up_to is not None:
        statement = statement.where(is_linked(up_to))
    return sum(session.scalar(statement.where(each)) or 0 for each in months.booked_in(span))


def is_linked(up_to: int) -> ColumnElement[bool]:
    """Give the condition of the entries that the journal chain held when it had a length."""
    return exists().where(
        ChainLink.chain == "journal", ChainLink.row_id == JournalEntry.id, ChainLink.seq <= up_to
    )


def _sums(
    span: Span, opening: str | None, up_to: int | None
) -> Select[str, str, int, int, int, int]:
    parts = [_movements(condition, up_to) for condition in months.booked_in(span)]
    if opening is not None:
        parts.append(_opened(opening))
    each = union_all(*parts).subquery().c
    # Sums of integers are of a wider type on PostgreSQL.
    opened, debit, credit = (
        cast(func.sum(each[name]), BigInteger) for name in ("opening", "debit", "credit")
    )
    return select(
        each.address,
        each.asset,
        opened.label("opening_minor"),
        debit.label("debit_minor"),
        credit.label("credit_minor"),
        (opened + debit - credit).label("closing_minor"),
    ).group_by(each.address, each.asset)


def _movements(
    condition: ColumnElement[bool], up_to: int | None
) -> Select[str, str, int, int, int]:
    amount = Posting.amount_minor
    statement = (
        select(
            Posting.address.label("address"),
            Posting.asset.label("asset"),
            literal(0).label("opening"),
            case((amount > 0, amount), else_=0).label("debit"),
            case((amount < 0, -amount), else_=0).label("credit"),
        )
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(condition)
    )
    return statement if up_to is None else statement.where(is_linked(up_to))


def _opened(closing_id: str) -> Select[str, str, int, int, int]:
    return select(
        PeriodBalance.address.label("address"),
        PeriodBalance.asset.label("asset"),
        PeriodBalance.closing_minor.label("opening"),
        literal(0).label("debit"),
        literal(0).label("credit"),
    ).where(PeriodBalance.closing_id == closing_id, PeriodBalance.closing_minor != 0)


def _in_order(columns: Sequence[ColumnElement[str]]) -> list[ColumnElement[str]]:
    """Order by bytes, whatever language the database sorts its texts by: the hash depends on it."""
    if database.is_sqlite():
        return list(columns)
    return [column.collate("C") for column in columns]


def _stream(session: Session, statement: Select[str, str, int, int, int, int]) -> Iterator[Balance]:
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for address, asset, opening, debit, credit, closing in rows:
            yield Balance(address, asset, int(opening), int(debit), int(credit), int(closing))

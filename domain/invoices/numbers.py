"""The numbers of invoices and credit notes: one series per merchant, kind, year and mode, without a gap.

The next number is taken by an update of the series' row, which stays locked until the document that bears
it is committed, or is rolled back together with it. So it is taken last, when all else is decided.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from domain import database
from models.invoices import NumberSeries

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
_LETTERS = {INVOICE: "INV", CREDIT_NOTE: "CN"}
_DIGITS = 6


def written(kind: str, year: int, number: int) -> str:
    """Write a number as documents bear it, such as `INV-2026-000123`."""
    return f"{_LETTERS[kind]}-{year}-{number:0{_DIGITS}d}"


def take(
    session: Session, merchant_id: str, kind: str, *, day: date, livemode: bool
) -> tuple[int, str]:
    """Take the next number of a merchant's series of a day's year. Gives it bare and as it is written.

    day: the day of issue on the house's calendar. Whoever else wants one of the same series waits
    until this transaction has ended. Writes: number_series. Transaction: caller's.
    """
    number = take_many(session, merchant_id, kind, year=day.year, livemode=livemode, count=1)
    return number, written(kind, day.year, number)


def take_many(
    session: Session, merchant_id: str, kind: str, *, year: int, livemode: bool, count: int
) -> int:
    """Take the next numbers of a series at once. Gives the last of them. As `take`.

    Writes: number_series. Transaction: caller's.
    """
    dialect = sqlite if database.is_sqlite() else postgresql
    first = dialect.insert(NumberSeries).values(
        merchant_id=merchant_id, kind=kind, year=year, livemode=livemode, last=count
    )
    key = [column.name for column in NumberSeries.__table__.primary_key]
    following = first.on_conflict_do_update(
        index_elements=key, set_={"last": NumberSeries.last + count}
    ).returning(NumberSeries.last)
    done = session.execute(following.execution_options(synchronize_session=False))
    return int(done.scalar_one())

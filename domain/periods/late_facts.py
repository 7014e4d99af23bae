"""What became known of a month after it was closed, and the difference that it makes: known then, known now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from domain.periods import months, snapshots
from domain.periods.months import Month, Span
from models.ledger import JournalEntry, Posting
from models.periods import PeriodBalance, PeriodClosing

MOST_LISTED = 200


@dataclass(frozen=True)
class Difference:
    """One account at a month's end: as it was known when the month was closed, and as it is known now.

    Minor units, debits positive.
    """

    address: str
    asset: str
    then: int
    now: int


def ids_of(session: Session, month: str) -> list[str]:
    """Name the entries that took effect in a month and are booked in a later one, oldest first."""
    late = select(JournalEntry.id).where(JournalEntry.late_of == month)
    return list(session.scalars(late.order_by(JournalEntry.posted_at, JournalEntry.id)))


def counts(session: Session, names: Sequence[str]) -> dict[str, int]:
    """Count the late facts of several months. Transaction: caller's, reads only."""
    statement = (
        select(JournalEntry.late_of, func.count())
        .where(JournalEntry.late_of.in_(names))
        .group_by(JournalEntry.late_of)
    )
    return {str(month): count for month, count in session.execute(statement)}


def list_late(
    session: Session, month: str, *, limit: int = MOST_LISTED
) -> tuple[list[JournalEntry], int]:
    """List the newest late entries of a month, with how many there are."""
    late = JournalEntry.late_of == month
    newest = (JournalEntry.posted_at.desc(), JournalEntry.id.desc())
    rows = session.scalars(select(JournalEntry).where(late).order_by(*newest).limit(limit))
    count = session.scalar(select(func.count()).select_from(JournalEntry).where(late)) or 0
    return list(rows), count


def after(closing: PeriodClosing, span: Span) -> ColumnElement[bool]:
    """Give the condition of what took effect up to a month's end and is not in a closing of it.

    Late facts are booked after the month; what came while it was reopened is booked in it, and later
    in the chain than the closing reached.
    """
    late = and_(JournalEntry.late_of <= span.id, JournalEntry.period > span.id)
    if closing.reopened_at is None:
        return late
    booked = months.booked_until(span)
    return or_(late, and_(booked, ~snapshots.is_linked(closing.journal_seq)))


def compare(session: Session, month: Month, closing: PeriodClosing) -> list[Difference]:
    """Say for each account that differs what it held at the month's end: known then, known now.

    Known then is what the closing kept; known now is that with every late fact. So the two differ
    exactly by those; `domain/periods/period_proofs.py` proves it from the postings.
    Transaction: caller's, reads only.
    """
    changes = (
        select(Posting.address, Posting.asset, func.sum(Posting.amount_minor))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(after(closing, month.span))
        .group_by(Posting.address, Posting.asset)
        .order_by(Posting.address, Posting.asset)
    )
    changed = [(address, unit, int(total)) for address, unit, total in session.execute(changes)]
    held = _held(session, closing.id, [address for address, _, _ in changed])
    return [
        Difference(
            address, unit, held.get((address, unit), 0), held.get((address, unit), 0) + total
        )
        for address, unit, total in changed
        if total
    ]


def _held(
    session: Session, closing_id: str, addresses: Sequence[str]
) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for begin in range(0, len(addresses), 500):
        part = addresses[begin : begin + 500]
        statement = select(
            PeriodBalance.address, PeriodBalance.asset, PeriodBalance.closing_minor
        ).where(PeriodBalance.closing_id == closing_id, PeriodBalance.address.in_(part))
        found |= {(address, unit): minor for address, unit, minor in session.execute(statement)}
    return found

"""Where disputes and the holds of orders stand, proved from facts, the journal and the rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.disputes import CLOSED, Status
from domain.books import ledger
from domain.disputes import dispute_books
from domain.orders import release_holds
from models.disputes import Dispute, ReleaseHold
from models.ledger import JournalEntry, Posting
from models.orders import Order

_CHUNK = 1000


def disputes(session: Session) -> Iterator[str | None]:
    """Check that each dispute counts what the books say, and that its open claim is what is undecided."""
    statement = select(Dispute).order_by(Dispute.id).execution_options(yield_per=_CHUNK)
    with session.scalars(statement) as rows:
        for row in rows:
            yield _books_problem(session, row) or _hold_problem(session, row)


def _books_problem(session: Session, row: Dispute) -> str | None:
    address = dispute_books.at_risk(row).address
    booked = (
        select(JournalEntry.kind, func.sum(Posting.amount_minor))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(Posting.address == address)
        .group_by(JournalEntry.kind)
    )
    totals = {kind: int(total) for kind, total in session.execute(booked)}
    taken, back = totals.get("dispute_withdrawn", 0), -totals.get("dispute_reinstated", 0)
    if (row.withdrawn_minor, row.reinstated_minor) != (taken, back):
        counted = (row.withdrawn_minor, row.reinstated_minor)
        return f"{row.id} counts {counted} as taken and brought back, booked {(taken, back)}"
    left = ledger.balance(session, address, row.asset)
    wanted = 0 if row.status == Status.LOST else taken - back
    if left != min(wanted, taken - back):
        return f"{row.id} is {row.status}, {left} of it lies at risk, {wanted} should"
    return None


def _hold_problem(session: Session, row: Dispute) -> str | None:
    if row.order_id is None:
        return None
    name = row.provider_reference
    is_held = name in release_holds.standing(session, release_holds.DISPUTE, [name])
    if is_held != (row.status not in CLOSED):
        return f"{row.id} is {row.status}, its order is {'held' if is_held else 'not held'} for it"
    return None


def holds(session: Session) -> Iterator[str | None]:
    """Check that each order says it is held exactly when something holds it."""
    standing = select(ReleaseHold.order_id).where(ReleaseHold.lifted_at.is_(None))
    held = set(session.scalars(standing))
    flagged = set(session.scalars(select(Order.id).where(Order.release_hold.is_not(None))))
    for order_id in sorted(held | flagged):
        same = order_id in held and order_id in flagged
        yield (
            None
            if same
            else f"{order_id} says it is held: {order_id in flagged}, has a hold: {order_id in held}"
        )

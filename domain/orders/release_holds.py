"""Why nothing of an order is released: one row per reason, and the flag on the order that sums them up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock, ids
from domain import pending
from domain.orders import order_progress
from domain.transitions import Why, move_together
from models.disputes import ReleaseHold
from models.orders import Order
from models.payments import Payment

DISPUTE, WARNING, REVIEW = "dispute", "early_fraud_warning", "review"
LATE_FAILURE = "late_failure"
# They end when their case is settled, too; a dispute holds until the bank has decided.
_BY_CASE = (WARNING, REVIEW, LATE_FAILURE)


@dataclass(frozen=True)
class Wanted:
    """What holds a release. reference: the provider's name of it; reason: a sentence for people.

    stays_over: once lifted it never begins again, in whatever order its events come.
    """

    kind: str
    reference: str
    reason: str
    case_id: str | None = None
    stays_over: bool = False


def place(session: Session, payment: Payment, wanted: Wanted, *, is_on: bool, why: Why) -> bool:
    """Hold the release of a locked payment's order for a reason, or end that. Gives whether it changed.

    Writes: release_holds, orders.release_hold. Transaction: caller's.
    """
    if payment.order_id is None:
        return False
    pending.write_rows(session)
    order = order_progress.lock_order(session, payment.order_id)
    key = (ReleaseHold.kind == wanted.kind, ReleaseHold.reference == wanted.reference)
    row = session.scalars(select(ReleaseHold).where(*key)).first()
    now = clock.now()
    if row is None:
        row = ReleaseHold(
            id=ids.new("hld"),
            order_id=order.id,
            payment_id=payment.id,
            kind=wanted.kind,
            reference=wanted.reference,
            reason=wanted.reason,
            case_id=wanted.case_id,
            placed_at=now,
            lifted_at=None if is_on else now,
        )
        session.add(row)
    elif (row.lifted_at is None) == is_on or (is_on and wanted.stays_over):
        return False
    else:
        row.lifted_at = None if is_on else now
    session.flush()
    return _sum_up(session, order, why=why)


def case_settled(session: Session, case_id: str, *, why: Why) -> None:
    """End what waited only for a person's look, now that its case is settled.

    Writes: release_holds, orders.release_hold. Transaction: caller's, with payment and order locked.
    """
    pending.write_rows(session)
    lifted = (
        update(ReleaseHold)
        .where(
            ReleaseHold.case_id == case_id,
            ReleaseHold.kind.in_(_BY_CASE),
            ReleaseHold.lifted_at.is_(None),
        )
        .values(lifted_at=clock.now())
        .returning(ReleaseHold.order_id)
        .execution_options(synchronize_session=False)
    )
    for order_id in set(session.scalars(lifted)):
        _sum_up(session, order_progress.lock_order(session, order_id), why=why)


def reasons(session: Session, order_id: str) -> list[str]:
    """List why an order is held now, the oldest reason first. Transaction: caller's, reads only."""
    statement = select(ReleaseHold.reason).where(
        ReleaseHold.order_id == order_id, ReleaseHold.lifted_at.is_(None)
    )
    return list(session.scalars(statement.order_by(ReleaseHold.placed_at, ReleaseHold.reference)))


def standing(session: Session, kind: str, references: Collection[str]) -> dict[str, str]:
    """Give the reasons of those holds of a kind that stand. Transaction: caller's, reads only."""
    statement = select(ReleaseHold).where(
        ReleaseHold.kind == kind,
        ReleaseHold.reference.in_(references),
        ReleaseHold.lifted_at.is_(None),
    )
    return {row.reference: row.reason for row in session.scalars(statement)}


def _sum_up(session: Session, order: Order, *, why: Why) -> bool:
    """Write the reasons that stand on the order; the last one to go takes the flag with it."""
    said = " ".join(reasons(session, order.id)) or None
    if order.release_hold == said:
        return False
    values: dict[str, object] = {"release_hold": said, "updated_at": clock.now()}
    move_together(session, order, moves={}, values=values, why=why)
    return True

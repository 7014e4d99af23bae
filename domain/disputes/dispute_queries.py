"""Reading disputes within one's own tenancy: one, a page of many, a payment's own, those that are due soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from core.disputes import NEEDS_ANSWER, OPEN
from core.errors import NotFound
from domain.actors import Actor
from domain.orders.orders import visible
from domain.payments.payments import Page
from models.base import UtcInstant
from models.disputes import Dispute
from models.operations import Operation
from models.payments import Payment

WAITING = tuple(sorted(status.value for status in NEEDS_ANSWER))
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
NOT_DECIDED = tuple(sorted(status.value for status in OPEN))


@dataclass(frozen=True)
class DisputeFilter:
    """What to list; empty means all. q: an id of ours or the provider's, of dispute, payment or order."""

    status: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    order_id: Sequence[str] = ()
    due_before: datetime | None = None
    q: str | None = None


def get_dispute(session: Session, dispute_id: str, *, actor: Actor) -> tuple[Dispute, Payment]:
    """Fetch a dispute with its payment, which the actor must be able to see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = (
        select(Dispute, Payment)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(Dispute.id == dispute_id, *visible(actor, Payment))
    )
    found = session.execute(statement).first()
    if found is None:
        raise NotFound
    return found[0], found[1]


def list_disputes(
    session: Session, wanted: DisputeFilter, *, actor: Actor, page: Page
) -> Sequence[Dispute]:
    """List disputes, newest first, one more than the page holds when there are more."""
    conditions = [*visible(actor, Payment), *_conditions(wanted)]
    if page.before is not None:
        at, row_id = page.before
        older = and_(Dispute.created_at == at, Dispute.id < row_id)
        conditions.append(or_(Dispute.created_at < at, older))
    statement = (
        select(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(*conditions)
        .order_by(Dispute.created_at.desc(), Dispute.id.desc())
        .limit(page.limit + 1)
    )
    return session.scalars(statement).all()


def list_by_deadline(
    session: Session, wanted: DisputeFilter, *, actor: Actor, page: Page
) -> Sequence[Dispute]:
    """List disputes by the moment their answer is due, the soonest first; those without one come last.

    One more than the page holds when there are more; a place is such a moment and an id.
    """
    due = func.coalesce(Dispute.evidence_due_at, literal(_NEVER, UtcInstant()))
    conditions = [*visible(actor, Payment), *_conditions(wanted)]
    if page.before is not None:
        at, row_id = page.before
        conditions.append(or_(due > at, and_(due == at, Dispute.id > row_id)))
    statement = (
        select(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(*conditions)
        .order_by(due, Dispute.id)
        .limit(page.limit + 1)
    )
    return session.scalars(statement).all()


def due_of(row: Dispute) -> datetime:
    """Give the moment by which `list_by_deadline` orders a dispute."""
    return row.evidence_due_at or _NEVER


def _conditions(wanted: DisputeFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.status:
        found.append(Dispute.status.in_(wanted.status))
    if wanted.payment_id:
        found.append(Dispute.payment_id.in_(wanted.payment_id))
    if wanted.order_id:
        found.append(Dispute.order_id.in_(wanted.order_id))
    if wanted.due_before:
        found.append(Dispute.evidence_due_at < wanted.due_before)
    if wanted.q:
        names = (Dispute.id, Dispute.provider_reference, Dispute.payment_id, Dispute.order_id)
        found.append(or_(*(name == wanted.q for name in names)))
    return found


def of_payment(session: Session, payment_id: str) -> Sequence[Dispute]:
    """List a payment's disputes, oldest first; whoever may see the payment may see them."""
    statement = select(Dispute).where(Dispute.payment_id == payment_id)
    return session.scalars(statement.order_by(Dispute.opened_at, Dispute.id)).all()


def of_order(session: Session, order_id: str) -> Sequence[Dispute]:
    """List an order's disputes, oldest first; whoever may see the order may see them."""
    statement = select(Dispute).where(Dispute.order_id == order_id)
    return session.scalars(statement.order_by(Dispute.opened_at, Dispute.id)).all()


def has_open(session: Session, payment_id: str) -> bool:
    """Tell whether a dispute of a payment is not decided."""
    statement = select(Dispute.id).where(
        Dispute.payment_id == payment_id, Dispute.status.in_(NOT_DECIDED)
    )
    return session.scalar(statement.limit(1)) is not None


def due_soon(
    session: Session, *, actor: Actor, before: datetime, limit: int
) -> tuple[Sequence[Dispute], int]:
    """List the disputes that wait for our answer and are due before a moment, and count all of them."""
    waits = (
        *visible(actor, Payment),
        Dispute.status.in_(WAITING),
        Dispute.evidence_submitted_at.is_(None),
        Dispute.evidence_due_at < before,
    )
    joined = select(Dispute).join(Payment, Payment.id == Dispute.payment_id).where(*waits)
    rows = session.scalars(joined.order_by(Dispute.evidence_due_at, Dispute.id).limit(limit)).all()
    number = (
        select(func.count())
        .select_from(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(*waits)
    )
    return rows, session.scalar(number) or 0


def counts(session: Session, *, actor: Actor) -> Mapping[str, int]:
    """Count a person's disputes that are not decided, by status."""
    statement = (
        select(Dispute.status, func.count())
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(*visible(actor, Payment), Dispute.status.in_(NOT_DECIDED))
        .group_by(Dispute.status)
    )
    found = dict.fromkeys(NOT_DECIDED, 0)
    for status, number in session.execute(statement):
        found[status] = number
    return found


def operations_of(session: Session, dispute: Dispute) -> Sequence[Operation]:
    """List what was asked of the provider for a dispute, oldest first."""
    statement = select(Operation).where(
        Operation.payment_id == dispute.payment_id,
        Operation.business_key.like(f"dispute_%:{dispute.id}:%"),
    )
    return session.scalars(statement.order_by(Operation.created_at, Operation.id)).all()

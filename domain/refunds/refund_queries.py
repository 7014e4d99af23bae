"""Reading refunds within one's own tenancy: one, a page of many, a payment's own, and what holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.states import Operation as OperationState
from core.states import Refund as State
from domain.actors import Actor
from domain.control import freezes
from domain.orders.orders import visible
from domain.payments.payments import Page
from models.control import Freeze
from models.operations import Operation
from models.payments import Payment
from models.refunds import Refund

ON_ITS_WAY = (State.PENDING.value, State.UNKNOWN.value)
NOT_OVER = (State.PENDING_APPROVAL.value, *ON_ITS_WAY)


@dataclass(frozen=True)
class RefundFilter:
    """What to list; empty means all."""

    status: Sequence[str] = ()
    payment_id: Sequence[str] = ()
    order_id: Sequence[str] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None


def get_refund(session: Session, refund_id: str, *, actor: Actor) -> tuple[Refund, Payment]:
    """Fetch a refund with its payment, which the actor must be able to see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.id == refund_id, *visible(actor, Payment))
    )
    found = session.execute(statement).first()
    if found is None:
        raise NotFound
    return found[0], found[1]


def named_by_provider(session: Session, reference: str, *, actor: Actor) -> Sequence[Refund]:
    """List the refunds that a provider calls so, of those the actor may see; two are enough to tell."""
    statement = (
        select(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.provider_reference == reference, *visible(actor, Payment))
        .limit(2)
    )
    return session.scalars(statement).all()


def list_refunds(
    session: Session, wanted: RefundFilter, *, actor: Actor, page: Page
) -> Sequence[Refund]:
    """List refunds, newest first, one more than the page holds when there are more."""
    conditions = [*visible(actor, Payment), *_conditions(wanted)]
    if page.before is not None:
        at, row_id = page.before
        older = and_(Refund.created_at == at, Refund.id < row_id)
        conditions.append(or_(Refund.created_at < at, older))
    statement = (
        select(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(*conditions)
        .order_by(Refund.created_at.desc(), Refund.id.desc())
        .limit(page.limit + 1)
    )
    return session.scalars(statement).all()


def _conditions(wanted: RefundFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.status:
        found.append(Refund.state.in_(wanted.status))
    if wanted.payment_id:
        found.append(Refund.payment_id.in_(wanted.payment_id))
    if wanted.order_id:
        found.append(Refund.order_id.in_(wanted.order_id))
    if wanted.created_from:
        found.append(Refund.created_at >= wanted.created_from)
    if wanted.created_to:
        found.append(Refund.created_at < wanted.created_to)
    return found


def of_payment(session: Session, payment_id: str) -> Sequence[Refund]:
    """List a payment's refunds, oldest first; whoever may see the payment may see them."""
    statement = select(Refund).where(Refund.payment_id == payment_id)
    return session.scalars(statement.order_by(Refund.created_at, Refund.id)).all()


def is_on_its_way(session: Session, payment_id: str) -> bool:
    """Tell whether the provider has a refund of this payment that is not over yet."""
    statement = select(Refund.id).where(
        Refund.payment_id == payment_id,
        Refund.state.in_(ON_ITS_WAY),
        Refund.provider_reference.is_not(None),
    )
    return session.scalar(statement.limit(1)) is not None


def holds(session: Session, payment: Payment) -> Freeze | None:
    """Give the freeze that holds money going out for a payment now, or None; nothing is locked."""
    condition = freezes.holding(
        rail=payment.rail, merchant_id=payment.merchant_id, order_id=payment.order_id
    )
    return session.scalars(select(Freeze).where(condition).order_by(Freeze.engaged_at)).first()


def unsent(session: Session, refunds: Sequence[Refund]) -> Mapping[str, bool]:
    """Tell of several refunds whether each still lies here: it may be taken back, and a freeze holds it."""
    operation_ids = [row.operation_id for row in refunds if row.operation_id]
    statement = select(Operation.id).where(
        Operation.id.in_(operation_ids), Operation.state == OperationState.PREPARED.value
    )
    prepared = set(session.scalars(statement))
    return {
        row.id: row.state == State.PENDING_APPROVAL
        or (row.state == State.PENDING and row.operation_id in prepared)
        for row in refunds
    }


def payments_of(session: Session, refunds: Sequence[Refund]) -> Mapping[str, Payment]:
    """Give the payments of several refunds, by their ids."""
    names = {row.payment_id for row in refunds}
    return {row.id: row for row in session.scalars(select(Payment).where(Payment.id.in_(names)))}


def holding(session: Session, refunds: Sequence[Refund]) -> Mapping[str, Freeze]:
    """Give of several refunds those that a freeze holds now, by id, each with the first one that does."""
    on = list(session.scalars(select(Freeze).where(freezes.is_on()).order_by(Freeze.engaged_at)))
    found: dict[str, Freeze] = {}
    for row in refunds:
        places = {
            ("all", ""),
            ("rail", row.rail),
            ("merchant", row.merchant_id),
            ("order", row.order_id),
        }
        for freeze in on:
            if (freeze.scope, freeze.scope_id) in places:
                found.setdefault(row.id, freeze)
    return found


def counts(session: Session, *, actor: Actor) -> Mapping[str, int]:
    """Count a person's refunds that are not over, by state."""
    statement = (
        select(Refund.state, func.count())
        .join(Payment, Payment.id == Refund.payment_id)
        .where(*visible(actor, Payment), Refund.state.in_(NOT_OVER))
        .group_by(Refund.state)
    )
    found = dict.fromkeys(NOT_OVER, 0)
    for state, number in session.execute(statement):
        found[state] = number
    return found

"""What a case is about, read in a bounded number of questions: its payment, order, event, approval.

From here come the sums that verbs move: what is missing, what is too much, what lies unapplied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from core.book_states import Rule
from core.money import Asset, Money, asset
from core.purposes import owed_minor
from core.states import OPEN_PAYMENT
from core.states import Order as OrderStatus
from core.states import Payment as Status
from domain.refunds import refundable
from models.cases import ExceptionCase
from models.control import Approval
from models.disputes import Dispute
from models.inbound import InboundEvent
from models.orders import Order
from models.payments import Payment
from models.watch import Invariant

# The kinds of journal entry by which settling a case moves money.
CREDIT, WRITE_OFF = "case_credit", "write_off"
PAYABLE = frozenset({OrderStatus.AWAITING_DEPOSIT.value, OrderStatus.DEPOSIT_PAID.value})


@dataclass(frozen=True)
class Subject:
    """One case with what it is about. open_attempts: the order's open payments, by their purpose;
    sent_alone_minor: what of the payment went back on one person's word; charged_back_minor: what its
    bank has taken of it; has_open_dispute: the case's own dispute is not decided; is_red: the case's own
    rule of the books is still broken.
    """

    case: ExceptionCase
    payment: Payment | None = None
    order: Order | None = None
    inbound: InboundEvent | None = None
    approval: Approval | None = None
    open_attempts: Mapping[str, str] = field(default_factory=dict)
    sent_alone_minor: int = 0
    charged_back_minor: int = 0
    has_open_dispute: bool = False
    is_red: bool = False

    @property
    def unit(self) -> Asset | None:
        """The asset of the payment."""
        return asset(self.payment.asset) if self.payment else None

    @property
    def kept_minor(self) -> int:
        """What of the received money is still held for this payment."""
        payment = self.payment
        if payment is None:
            return 0
        gone = payment.refunded_minor + payment.refunding_minor + payment.credited_minor
        gone += payment.reversed_minor
        return payment.received_minor - gone - self.charged_back_minor

    @property
    def is_ended(self) -> bool:
        """Whether the attempt ended without being paid; what came later lies unapplied."""
        ended = (Status.FAILED.value, Status.CANCELLED.value)
        return self.payment is not None and self.payment.status in ended

    @property
    def is_open(self) -> bool:
        """Whether the attempt still waits for its money."""
        return self.payment is not None and self.payment.status in OPEN_PAYMENT

    def money(self, minor: int) -> Money:
        """Write minor units of the payment's asset as money; nothing where there is no payment."""
        assert self.unit is not None  # for the type checker; sums are asked only of payments
        return Money(max(0, minor), self.unit)


def due_minor(order: Order, purpose: str) -> int:
    """Say how much of a purpose an order still lacks."""
    wanted = order.total_minor
    if purpose == "deposit" and order.deposit_minor is not None:
        wanted = order.deposit_minor
    return max(0, wanted - order.paid_minor)


def missing(subject: Subject) -> Money:
    """Say what an underpaid payment lacks, and its order with it."""
    payment, order = subject.payment, subject.order
    if payment is None or order is None or payment.status != Status.COMPLETED:
        return subject.money(0)
    lacks = payment.amount_minor - payment.received_minor
    return subject.money(min(lacks, due_minor(order, payment.purpose)))


def excess(subject: Subject) -> Money:
    """Say what of an overpaid payment nobody asked for and nothing needs."""
    payment, order = subject.payment, subject.order
    if payment is None or payment.status != Status.COMPLETED:
        return subject.money(0)
    too_much = subject.kept_minor - owed_minor(payment.purpose, payment.amount_minor)
    if order is not None:
        too_much = min(too_much, order.paid_minor - _needed_minor(order))
    return subject.money(too_much)


def _needed_minor(order: Order) -> int:
    """Say what an order that stands where it stands must hold."""
    if order.status in (OrderStatus.PAID, OrderStatus.COMPLETED) or order.deposit_minor is None:
        return order.total_minor
    return order.deposit_minor


def unapplied(subject: Subject) -> Money:
    """Say what of a late receipt still lies unapplied."""
    if not subject.is_ended:
        return subject.money(0)
    at_risk = subject.case.risk_minor
    kept = subject.kept_minor
    return subject.money(kept if at_risk is None else min(kept, at_risk))


def load(session: Session, cases: Sequence[ExceptionCase]) -> dict[str, Subject]:
    """Read what several cases are about, by case id. Transaction: caller's, reads only."""
    payments = _by_id(session, Payment, (case.payment_id for case in cases))
    order_ids = [case.order_id for case in cases] + [each.order_id for each in payments.values()]
    orders = _by_id(session, Order, order_ids)
    inbound = _events(session, [case.inbound_id for case in cases if case.inbound_id])
    approvals = _by_id(session, Approval, (case.approval_id for case in cases))
    attempts = _open_attempts(session, list(orders))
    alone = refundable.sent_alone(session, list(payments)) if payments else {}
    gone = refundable.charged_back(session, list(payments)) if payments else {}
    disputed, red = _open_disputes(session, cases), _still_red(session, cases)
    found = {}
    for case in cases:
        payment = payments.get(case.payment_id or "")
        order_id = payment.order_id if payment else case.order_id
        found[case.id] = Subject(
            case,
            payment,
            orders.get(order_id or ""),
            inbound.get(case.inbound_id or ""),
            approvals.get(case.approval_id or ""),
            open_attempts=attempts.get(order_id or "", {}),
            sent_alone_minor=alone.get(case.payment_id or "", 0),
            charged_back_minor=gone.get(case.payment_id or "", 0),
            has_open_dispute=case.id in disputed,
            is_red=case.id in red,
        )
    return found


def load_one(session: Session, case: ExceptionCase) -> Subject:
    """Read what one case is about. Transaction: caller's, reads only."""
    return load(session, [case])[case.id]


_Row = TypeVar("_Row", Payment, Order, Approval)


def _by_id(session: Session, model: type[_Row], ids: Iterable[str | None]) -> dict[str, _Row]:
    wanted = sorted({each for each in ids if each})
    if not wanted:
        return {}
    rows = session.scalars(select(model).where(model.id.in_(wanted)))
    return {row.id: row for row in rows}


def _events(session: Session, ids: Sequence[str]) -> dict[str, InboundEvent]:
    if not ids:
        return {}
    # Bodies are large, and sealed.
    statement = select(InboundEvent).options(defer(InboundEvent.body_sealed))
    return {row.id: row for row in session.scalars(statement.where(InboundEvent.id.in_(ids)))}


def _open_disputes(session: Session, cases: Sequence[ExceptionCase]) -> set[str]:
    """Find the cases whose dispute the bank has not decided yet."""
    own = [case.id for case in cases if case.kind == "DISPUTE"]
    if not own:
        return set()
    statement = select(Dispute.case_id).where(Dispute.case_id.in_(own), Dispute.closed_at.is_(None))
    return {str(case_id) for case_id in session.scalars(statement)}


def _still_red(session: Session, cases: Sequence[ExceptionCase]) -> set[str]:
    """Find the cases whose rule of the books is still broken."""
    own = [case.id for case in cases if case.kind == "INVARIANT_RED"]
    if not own:
        return set()
    red = Invariant.state == Rule.RED.value
    statement = select(Invariant.case_id).where(Invariant.case_id.in_(own), red)
    return {str(case_id) for case_id in session.scalars(statement)}


def _open_attempts(session: Session, order_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    if order_ids:
        open_ones = select(Payment.order_id, Payment.purpose, Payment.id).where(
            Payment.order_id.in_(order_ids), Payment.open_key.is_not(None)
        )
        for order_id, purpose, payment_id in session.execute(open_ones):
            found.setdefault(str(order_id), {})[purpose] = payment_id
    return found

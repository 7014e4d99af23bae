"""Where payments, orders and events stand, proved from facts, histories and the books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Subquery, case, func, literal, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session, load_only

from core import clock
from core.fold import (
    CHARGE_KINDS,
    DISPUTE_KINDS,
    MARKED_CANCELLED,
    MARKED_COMPLETED,
    MARKED_FAILED,
    RANK,
    REFUND_KINDS,
    Fact,
    reversed_minor,
    standing,
)
from core.purposes import CHECKS, ONE_SHOT, owed_minor
from core.states import Case, Escrow, PaymentSub
from core.states import Operation as OperationState
from core.states import Order as OrderStatus
from core.states import Payment as Status
from domain import queue
from domain.cases import case_subjects
from domain.disputes import dispute_books
from domain.payments import captures, receipts
from domain.reconciliation import booking_entries
from domain.refunds import refund_proofs
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.ledger import JournalEntry, Posting
from models.operations import Operation
from models.orders import Order
from models.payments import Payment, PaymentFact, StateChange
from models.refunds import Refund

STUCK_AFTER = timedelta(hours=1)
# Facts that say nothing of where a payment stands.
KEPT_APART = REFUND_KINDS | DISPUTE_KINDS | CHARGE_KINDS
_CHUNK = 1000
_COMPARED = (
    Payment.id,
    Payment.purpose,
    Payment.status,
    Payment.amount_minor,
    Payment.received_minor,
    Payment.refunded_minor,
    Payment.reversed_minor,
)


def payments(session: Session) -> Iterator[str | None]:
    """Check that each payment stands where its facts put it (invariant I9)."""
    # A payment has many columns; those that are compared are few.
    statement = select(Payment).options(load_only(*_COMPARED)).order_by(Payment.id)
    with session.scalars(statement.execution_options(yield_per=_CHUNK)) as rows:
        for chunk in rows.partitions():
            known: dict[str, list[Fact]] = {payment.id: [] for payment in chunk}
            for payment_id, fact in _facts_of(session, known):
                known[payment_id].append(fact)
            for payment in chunk:
                yield _payment_problem(session, payment, known[payment.id])


def _facts_of(session: Session, payment_ids: Iterable[str]) -> Iterator[tuple[str, Fact]]:
    statement = select(
        PaymentFact.payment_id,
        PaymentFact.kind,
        PaymentFact.said_at,
        PaymentFact.amount_minor,
        PaymentFact.code,
        PaymentFact.message,
    ).where(PaymentFact.payment_id.in_(list(payment_ids)))
    for payment_id, kind, said_at, minor, code, message in session.execute(statement):
        yield payment_id, Fact(kind, said_at, minor, code, message)


def _payment_problem(session: Session, payment: Payment, facts: Sequence[Fact]) -> str | None:
    if unknown := {fact.kind for fact in facts} - RANK.keys() - KEPT_APART:
        return f"{payment.id} has facts of kinds that nobody writes: {', '.join(sorted(unknown))}"
    now = standing(
        facts, is_check=payment.purpose in CHECKS, is_one_shot=payment.purpose in ONE_SHOT
    )
    if payment.received_minor != now.received_minor:
        return f"{payment.id} has received {payment.received_minor}, its facts say {now.received_minor}"
    if payment.reversed_minor != min(reversed_minor(facts), payment.received_minor):
        return f"{payment.id} lost {payment.reversed_minor}, its facts say {reversed_minor(facts)}"
    if payment.reversed_minor and payment.status in (Status.FAILED, Status.REFUNDED):
        return None if _has_case(session, payment, "LATE_FAILURE") else f"{payment.id} has no case"
    if payment.status == _less_given_back(payment, now.status):
        return _amount_problem(session, payment)
    is_ended = payment.status in (Status.FAILED, Status.CANCELLED)
    late = now.status == Status.COMPLETED and is_ended
    if late and _has_case(session, payment, "PAID_LATE"):
        return None
    if is_ended and now.status in (Status.FAILED, Status.CANCELLED) and _is_told(payment, facts):
        return None
    return f"{payment.id} is {payment.status}, its facts say {now.status}"


_ENDS = {
    Status.FAILED: frozenset({"failed", "expired", "attempt_failed", MARKED_FAILED}),
    Status.CANCELLED: frozenset({"cancelled", MARKED_CANCELLED}),
}


def _is_told(payment: Payment, facts: Sequence[Fact]) -> bool:
    """Tell whether one of the facts is the end that a payment came to: of two ends the first one stays."""
    return any(fact.kind in _ENDS[Status(payment.status)] for fact in facts)


def _less_given_back(payment: Payment, told: Status) -> Status:
    """A completed payment of which everything was given back is refunded."""
    is_back = payment.refunded_minor == payment.received_minor > 0
    return Status.REFUNDED if told == Status.COMPLETED and is_back else told


def _amount_problem(session: Session, payment: Payment) -> str | None:
    """A completed payment that received another amount than was asked has a case for it."""
    due = owed_minor(payment.purpose, payment.amount_minor)
    if payment.status != Status.COMPLETED or payment.received_minor == due:
        return None
    kind = "OVERPAID" if payment.received_minor > due else "UNDERPAID"
    if _has_case(session, payment, kind) or captures.let_go(session, payment) is not None:
        return None
    return f"{payment.id} asked {due}, received {payment.received_minor}, no case says so"


def _has_case(session: Session, payment: Payment, kind: str) -> bool:
    statement = select(ExceptionCase.id).where(
        ExceptionCase.payment_id == payment.id, ExceptionCase.kind == kind
    )
    return session.scalar(statement.limit(1)) is not None


# kind → the rows' ids, where they stand, where all of them began
_Column = InstrumentedAttribute[str]
_HISTORIES: dict[str, tuple[_Column, _Column, str | ColumnElement[str]]] = {
    "payment": (Payment.id, Payment.status, Status.PENDING.value),
    "payment_sub": (Payment.id, Payment.sub_state, PaymentSub.NONE.value),
    "escrow": (Payment.id, Payment.escrow_state, Escrow.UNFUNDED.value),
    "order": (Order.id, Order.status, OrderStatus.AWAITING_DEPOSIT.value),
    "operation": (Operation.id, Operation.state, OperationState.PREPARED.value),
    "case": (ExceptionCase.id, ExceptionCase.state, Case.OPEN.value),
    "refund": (Refund.id, Refund.state, refund_proofs.FIRST),
}


def histories(session: Session) -> Iterator[str | None]:
    """Check that each state is the one to which its moves lead from the first."""
    for kind, (row_id, state, first) in _HISTORIES.items():
        ends = _ends(kind)
        began = literal(first) if isinstance(first, str) else first
        statement = select(row_id, state, ends.c.end, ends.c.start, ends.c.most, began).outerjoin(
            ends, ends.c.object_id == row_id
        )
        with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
            for object_id, found, end, start, most, one in rows:
                leads = (start or one) == one and (most or 0) <= 1
                same = leads and found == (end or one)
                yield None if same else f"{object_id} is {found}, its history ends at {end or one}"


def _ends(kind: str) -> Subquery:  # type: ignore[explicit-any]  # it has a default of Any
    """Find where each object's moves of a kind begin and end, whatever order they were written in.

    A state that was entered as often as it was left is neither.
    """
    moves = select(StateChange).where(StateChange.object_kind == kind).subquery().c
    steps = union_all(
        select(moves.object_id, moves.new.label("state"), literal(1).label("step")),
        select(moves.object_id, moves.old.label("state"), literal(-1).label("step")),
    ).subquery()
    net = (
        select(steps.c.object_id, steps.c.state, func.sum(steps.c.step).label("net"))
        .group_by(steps.c.object_id, steps.c.state)
        .subquery()
    )
    return (
        select(
            net.c.object_id,
            func.max(case((net.c.net > 0, net.c.state))).label("end"),
            func.max(case((net.c.net < 0, net.c.state))).label("start"),
            func.max(func.abs(net.c.net)).label("most"),
        )
        .group_by(net.c.object_id)
        .subquery()
    )


def asked(session: Session) -> Iterator[str | None]:
    """Check that each payment is over what was asked of its provider."""
    creation = Operation.business_key == literal("create:").concat(Payment.id)
    statement = select(Payment.id, Payment.amount_minor, Payment.asset, Operation.request).join(
        Operation, creation
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for payment_id, minor, unit, request in rows:
            same = (request.get("amountMinor"), request.get("asset")) == (minor, unit)
            wanted = f"{request.get('amountMinor')} {request.get('asset')}"
            yield None if same else f"{payment_id} is over {minor} {unit}, asked was {wanted}"


def booked(session: Session) -> Iterator[str | None]:
    """Check that what each payment received was debited to the provider, to suspense by hand, or to
    promotions when it is a coupon's.
    """
    totals = (
        select(JournalEntry.payment_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(
            or_(
                Posting.address.like("provider:%:clearing"),
                Posting.address.like("suspense:manual:%"),
                Posting.address.like("promotions:%"),
            ),
            JournalEntry.payment_id.is_not(None),
            # What disputes moved, and what providers booked themselves, is proved from their own rows.
            JournalEntry.kind.not_in((*dispute_books.KINDS, *booking_entries.KINDS)),
        )
        .group_by(JournalEntry.payment_id)
        .subquery()
    )
    kept = Payment.received_minor - Payment.refunded_minor - Payment.reversed_minor
    statement = select(Payment.id, kept, totals.c.total).outerjoin(
        totals, totals.c.payment_id == Payment.id
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for payment_id, left, total in rows:
            same = left == int(total or 0)
            yield (
                None
                if same
                else f"{payment_id} received {left} and kept it, booked {int(total or 0)}"
            )


def marked(session: Session) -> Iterator[str | None]:
    """Check that suspense holds what only people vouch for, and that each such payment has its case."""
    suspense = (
        select(JournalEntry.payment_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        # What people post by hand is tied to an order only, and proved from what they agreed to.
        .where(Posting.address.like("suspense:manual:%"), JournalEntry.payment_id.is_not(None))
        .group_by(JournalEntry.payment_id)
    )
    held = {str(payment_id): int(total) for payment_id, total in session.execute(suspense)}
    by_hand = select(PaymentFact.payment_id).where(PaymentFact.kind == MARKED_COMPLETED)
    for payment_id in sorted(held.keys() | set(session.scalars(by_hand))):
        facts = session.scalars(select(PaymentFact).where(PaymentFact.payment_id == payment_id))
        known = [Fact(row.kind, row.said_at, row.amount_minor) for row in facts]
        awaited = receipts.told(known).by_hand
        if held.get(payment_id, 0) != awaited:
            yield f"{payment_id} has {held.get(payment_id, 0)} in suspense, its facts say {awaited}"
        is_shown = _has_case(session, session.get_one(Payment, payment_id), "MARKED")
        yield None if is_shown else f"{payment_id} was marked by hand, no case says so"


def orders(session: Session) -> Iterator[str | None]:
    """Check that an order counts as paid what its payments brought and what was written off for it."""
    ended = (Status.FAILED.value, Status.CANCELLED.value)
    brought = Payment.received_minor - Payment.credited_minor
    paid = (
        select(Payment.order_id, func.sum(brought).label("total"))
        .where(Payment.status.not_in(ended))
        .group_by(Payment.order_id)
        .subquery()
    )
    given_up = (
        select(JournalEntry.order_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(JournalEntry.kind == case_subjects.WRITE_OFF, Posting.amount_minor > 0)
        .group_by(JournalEntry.order_id)
        .subquery()
    )
    statement = (
        select(Order.id, Order.paid_minor, paid.c.total, given_up.c.total)
        .outerjoin(paid, paid.c.order_id == Order.id)
        .outerjoin(given_up, given_up.c.order_id == Order.id)
    )
    with session.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        for order_id, counted, came, written_off in rows:
            total = int(came or 0) + int(written_off or 0)
            same = counted == total
            yield None if same else f"{order_id} counts {counted} as paid, its payments {total}"


def credited(session: Session) -> Iterator[str | None]:
    """Check that what each payment gave to its buyer's funds is what the books say."""
    totals = (
        select(JournalEntry.payment_id, func.sum(Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(JournalEntry.kind == case_subjects.CREDIT, Posting.amount_minor > 0)
        .group_by(JournalEntry.payment_id)
        .subquery()
    )
    statement = (
        select(Payment.id, Payment.credited_minor, totals.c.total)
        .outerjoin(totals, totals.c.payment_id == Payment.id)
        .where(or_(Payment.credited_minor > 0, totals.c.total.is_not(None)))
    )
    for payment_id, minor, booked_minor in session.execute(statement):
        total = int(booked_minor or 0)
        yield None if minor == total else f"{payment_id} credited {minor}, booked {total}"


def inbox(session: Session) -> Iterator[str | None]:
    """Check that no accepted event is stuck: applied, ignored with a reason, or with a person."""
    statement = select(InboundEvent.id, InboundEvent.state, InboundEvent.due_at).where(
        InboundEvent.state.in_(queue.WAITING)
    )
    for inbound_id, state, due_at in session.execute(statement):
        stuck = due_at < clock.now() - STUCK_AFTER
        yield f"{inbound_id} is {state} and was due at {clock.rfc3339(due_at)}" if stuck else None

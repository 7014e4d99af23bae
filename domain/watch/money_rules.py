"""Rules between the books and what came in: payments, the orders they are for, their providers' names for them.

Each rule is one statement, so that it sees payments and postings as of one instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from core.entry_kinds import RECEIPTS
from core.purposes import CHECKS
from core.states import Payment as Status
from domain.cases import case_subjects
from domain.watch.offences import (
    MOST,
    Offence,
    Rule,
    of_payment,
    recent_orders,
    recent_payments,
    said,
)
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment

_LIMIT = MOST + 1
# What a payment that succeeded is booked as; a coupon's credit is paid by nobody, and counts as received.
_BOOKED = (*RECEIPTS, "coupon")
_SUCCEEDED = (Status.COMPLETED.value, Status.RELEASED.value, Status.REFUNDED.value)


def _settled(session: Session, since: datetime | None) -> Iterator[Offence]:
    # The first line of a receipt says what came in; all others say where it went.
    receipts = (
        select(
            JournalEntry.payment_id,
            func.sum(Posting.amount_minor).label("total"),
            func.count().label("entries"),
        )
        .join(Posting, and_(Posting.entry_id == JournalEntry.id, Posting.line == 1))
        .where(JournalEntry.kind.in_(_BOOKED), JournalEntry.payment_id.is_not(None))
        .group_by(JournalEntry.payment_id)
    )
    if since is not None:
        receipts = receipts.where(JournalEntry.payment_id.in_(recent_payments(since)))
    booked = receipts.subquery()
    total = func.coalesce(booked.c.total, 0)
    unbooked = and_(
        Payment.status.in_(_SUCCEEDED),
        Payment.purpose.not_in(sorted(CHECKS)),
        Payment.received_minor <= 0,
    )
    statement = (
        select(Payment, total, func.coalesce(booked.c.entries, 0))
        .outerjoin(booked, booked.c.payment_id == Payment.id)
        .where(or_(total != Payment.received_minor, unbooked))
    )
    if since is not None:
        statement = statement.where(Payment.id.in_(recent_payments(since)))
    for payment, minor, entries in session.execute(statement.limit(_LIMIT)):
        received = said(payment.received_minor, payment.asset)
        yield of_payment(
            payment,
            f"{payment.id} is {payment.status} and received {received};"
            f" {entries} receipts of {said(int(minor), payment.asset)} are booked.",
        )


def _references(session: Session, _: datetime | None) -> Iterator[Offence]:
    twice = (
        select(Payment.provider, Payment.provider_reference, Payment.livemode)
        .where(Payment.provider_reference.is_not(None))
        .group_by(Payment.provider, Payment.provider_reference, Payment.livemode)
        .having(func.count() > 1)
        .subquery()
    )
    same = and_(
        twice.c.provider == Payment.provider,
        twice.c.provider_reference == Payment.provider_reference,
        twice.c.livemode == Payment.livemode,
    )
    statement = select(Payment).join(twice, same).order_by(Payment.provider_reference, Payment.id)
    for payment in session.scalars(statement.limit(_LIMIT)):
        name = payment.provider_reference
        yield of_payment(payment, f"{payment.id} is not the only payment known as {name}.")


def _orders(session: Session, since: datetime | None) -> Iterator[Offence]:
    ended = (Status.FAILED.value, Status.CANCELLED.value)
    brought = func.sum(Payment.received_minor - Payment.credited_minor)
    paid = (
        select(Payment.order_id, brought.label("total"))
        .where(Payment.status.not_in(ended), Payment.order_id.is_not(None))
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
    total = func.coalesce(paid.c.total, 0) + func.coalesce(given_up.c.total, 0)
    statement = (
        select(Order, total)
        .outerjoin(paid, paid.c.order_id == Order.id)
        .outerjoin(given_up, given_up.c.order_id == Order.id)
        .where(Order.paid_minor != total)
    )
    if since is not None:
        statement = statement.where(Order.id.in_(recent_orders(since)))
    for order, minor in session.execute(statement.limit(_LIMIT)):
        counted, came = said(order.paid_minor, order.asset), said(int(minor), order.asset)
        sentence = f"{order.id} counts {counted} as paid, its payments brought {came}."
        yield Offence(sentence, "order", order.id, order.id, order.merchant_id)


RULES = (
    Rule(
        "payments_settled_once",
        "Every payment that succeeded is booked once, with its amount",
        "What receipts in the journal say came in for a payment is what the payment says it received.",
        _settled,
    ),
    Rule(
        "references_used_once",
        "No provider's reference is used twice",
        "What a provider calls a payment belongs to one payment.",
        _references,
        has_recent=False,
    ),
    Rule(
        "orders_paid",
        "Orders count as paid what their payments brought",
        "What an order counts as paid is what its payments brought and what was written off for it.",
        _orders,
    ),
)

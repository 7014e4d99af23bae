"""Rules of what goes back out: refunds within what came in, each once, each agreed to by whoever had to.

Each rule is one statement, so that it sees payments and postings as of one instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.states import Approval as ApprovalState
from core.states import Refund as RefundState
from domain.watch.offences import MOST, Offence, Rule, of_payment, recent_payments, said
from models.control import Approval
from models.ledger import JournalEntry, Posting
from models.payments import Payment
from models.refunds import Refund

_LIMIT = MOST + 1


def _refund_references(session: Session, _: datetime | None) -> Iterator[Offence]:
    twice = (
        select(Payment.provider, Refund.provider_reference)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.provider_reference.is_not(None))
        .group_by(Payment.provider, Refund.provider_reference)
        .having(func.count() > 1)
        .subquery()
    )
    statement = (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .join(
            twice,
            and_(
                twice.c.provider == Payment.provider,
                twice.c.provider_reference == Refund.provider_reference,
            ),
        )
    )
    for refund, payment in session.execute(statement.limit(_LIMIT)):
        name = refund.provider_reference
        yield of_payment(payment, f"{refund.id} is not the only refund known as {name}.")


def _refunded(session: Session, since: datetime | None) -> Iterator[Offence]:
    back = (
        select(Refund.payment_id, func.sum(Refund.amount_minor).label("total"))
        .where(Refund.state == RefundState.SUCCEEDED.value)
        .group_by(Refund.payment_id)
        .subquery()
    )
    # A refund that failed after all is booked back by a reversal of its entry.
    reversed_ = aliased(JournalEntry)
    booked = (
        select(JournalEntry.payment_id, func.sum(-Posting.amount_minor).label("total"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .outerjoin(reversed_, reversed_.id == JournalEntry.reverses_id)
        .where(
            or_(JournalEntry.kind == "refund", reversed_.kind == "refund"),
            Posting.address.like("provider:%:clearing"),
        )
        .group_by(JournalEntry.payment_id)
        .subquery()
    )
    told, posted = func.coalesce(back.c.total, 0), func.coalesce(booked.c.total, 0)
    is_wrong = or_(told > Payment.received_minor, told != Payment.refunded_minor, told != posted)
    statement = (
        select(Payment, told, posted)
        .outerjoin(back, back.c.payment_id == Payment.id)
        .outerjoin(booked, booked.c.payment_id == Payment.id)
        .where(is_wrong)
    )
    if since is not None:
        statement = statement.where(Payment.id.in_(recent_payments(since)))
    for payment, refunds, books in session.execute(statement.limit(_LIMIT)):
        unit = payment.asset
        yield of_payment(
            payment,
            f"Of {payment.id}, which received {said(payment.received_minor, unit)},"
            f" {said(payment.refunded_minor, unit)} counts as given back; its refunds say"
            f" {said(int(refunds), unit)}, the books {said(int(books), unit)}.",
        )


def _agreed(session: Session, _: datetime | None) -> Iterator[Offence]:
    gone = (RefundState.PENDING.value, RefundState.UNKNOWN.value, RefundState.SUCCEEDED.value)
    is_agreed = and_(
        Approval.state == ApprovalState.EXECUTED.value,
        Approval.decided_by.is_not(None),
        Approval.decided_by != Approval.requested_by,
        Approval.amount_minor >= Refund.amount_minor,
    )
    statement = (
        select(Refund, Approval.state, Approval.amount_minor)
        .outerjoin(Approval, Approval.id == Refund.approval_id)
        .where(
            Refund.approval_id.is_not(None),
            Refund.state.in_(gone),
            or_(Approval.id.is_(None), ~is_agreed),
        )
    )
    for refund, state, minor in session.execute(statement.limit(_LIMIT)):
        agreed = said(int(minor or 0), refund.asset) if minor else "nothing"
        yield Offence(
            f"{refund.id} of {said(refund.amount_minor, refund.asset)} is {refund.state}; its"
            f" approval is {state or 'gone'} over {agreed}.",
            "refund",
            refund.id,
            order_id=refund.order_id,
            merchant_id=refund.merchant_id,
        )


RULES = (
    Rule(
        "refunds_within_received",
        "Refunds never exceed what was received",
        "What went back of a payment is at most what came, and payment, refunds and books agree on it.",
        _refunded,
    ),
    Rule(
        "refund_references_used_once",
        "No provider's refund counts twice",
        "What a provider calls a refund belongs to one refund.",
        _refund_references,
        has_recent=False,
    ),
    Rule(
        "refunds_agreed",
        "What a second person had to agree to was agreed to",
        "A refund that waited for a second person went out only after another than its asker agreed,"
        " and over no more than they agreed to.",
        _agreed,
        has_recent=False,
    ),
)

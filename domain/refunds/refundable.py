"""What of a payment may be given back, and setting it aside; `domain/refunds/refunds.py` asks for it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import clock, disputes
from core.errors import Conflict, IllegalTransition
from core.money import Money, asset
from core.states import Payment as PaymentStatus
from core.states import Refund as State
from domain.payments import receipts
from models.disputes import Dispute
from models.payments import Payment
from models.refunds import Refund

# Money that came for an ended attempt lies apart and is given back like any other.
REFUNDABLE = (PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.CANCELLED)
# What was given back or surely is on its way, as opposed to what waits for a second person.
GIVEN_BACK = (State.PENDING.value, State.UNKNOWN.value, State.SUCCEEDED.value)


def sent_alone(session: Session, payment_ids: Collection[str]) -> dict[str, int]:
    """Sum what went back of some payments on one person's word, in minor units; one without is absent.

    What a second person agreed to, and what the provider gave back outside Paydesk, does not count.
    Transaction: caller's, reads only.
    """
    statement = (
        select(Refund.payment_id, func.sum(Refund.amount_minor))
        .where(
            Refund.payment_id.in_(payment_ids),
            Refund.state.in_(GIVEN_BACK),
            Refund.requested_kind == "user",
            Refund.approval_id.is_(None),
        )
        .group_by(Refund.payment_id)
    )
    return {payment_id: int(total) for payment_id, total in session.execute(statement)}


def is_disputed(session: Session, payment_id: str) -> bool:
    """Tell whether the payer's bank asks this payment back; then it is not refunded as well.

    A mere inquiry takes no money and ends when the payment is given back in full, so it may be.
    Source: https://docs.stripe.com/disputes/how-disputes-work#inquiries
    Transaction: caller's, reads only.
    """
    open_ones = [status.value for status in disputes.OPEN - disputes.INQUIRY]
    statement = select(Dispute.id).where(
        Dispute.payment_id == payment_id, Dispute.status.in_(open_ones)
    )
    return session.scalar(statement.limit(1)) is not None


def charged_back(session: Session, payment_ids: Collection[str]) -> dict[str, int]:
    """Sum what payers' banks have taken of some payments and kept, in minor units; one without is absent.

    It is with the payer already, so it is not given back a second time. Transaction: caller's, reads only.
    """
    kept = func.sum(Dispute.withdrawn_minor - Dispute.reinstated_minor)
    statement = (
        select(Dispute.payment_id, kept)
        .where(Dispute.payment_id.in_(payment_ids))
        .group_by(Dispute.payment_id)
        .having(kept > 0)
    )
    return {payment_id: int(total) for payment_id, total in session.execute(statement)}


def assert_refundable(session: Session, payment: Payment) -> None:
    """Check that a payment stands where money of it may be given back.

    Raises: IllegalTransition. Transaction: caller's, reads only.
    """
    if payment.status == PaymentStatus.REFUNDED:
        return
    if payment.status not in REFUNDABLE or not payment.received_minor:
        raise IllegalTransition("payment", payment.status, PaymentStatus.REFUNDED.value)
    if is_disputed(session, payment.id):
        raise IllegalTransition("payment", "disputed", PaymentStatus.REFUNDED.value)


def left(payment: Payment, *, suspended: Money, charged_back_minor: int = 0) -> Money:
    """Say how much of a payment can still be given back: received, less what is back,
    asked back or credited to the buyer's funds, and less what only people vouch for.

    suspended: as `receipts.in_suspense` gives it; charged_back_minor: as `charged_back` gives it.
    """
    most = _kept_minor(payment) - suspended.minor - charged_back_minor
    return Money(max(0, most), asset(payment.asset))


def _kept_minor(payment: Payment) -> int:
    asked_back = payment.refunded_minor + payment.refunding_minor
    return payment.received_minor - asked_back - payment.credited_minor - payment.reversed_minor


def reserve(session: Session, payment: Payment, amount: Money) -> None:
    """Set the amount aside; the database decides, whoever asks at the same moment.

    What only people vouch for stays where it is: the provider may never have had it. What the payer's
    bank has taken is with the payer already.
    Writes: payments. Raises: Conflict AMOUNT_EXCEEDED. Transaction: caller's, with the payment locked.
    """
    suspended = receipts.in_suspense(session, payment)
    gone = charged_back(session, [payment.id]).get(payment.id, 0)
    asked_back = Payment.refunded_minor + Payment.refunding_minor
    kept = Payment.received_minor - asked_back - Payment.credited_minor - Payment.reversed_minor
    statement = (
        update(Payment)
        .where(Payment.id == payment.id, kept >= amount.minor + suspended.minor + gone)
        .values(
            refunding_minor=Payment.refunding_minor + amount.minor,
            updated_at=clock.now(),
        )
        .returning(Payment.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        most = left(payment, suspended=suspended, charged_back_minor=gone)
        raise _exceeded(payment, most, suspended)
    session.refresh(payment)


def _exceeded(payment: Payment, most: Money, suspended: Money) -> Conflict:
    said = f"At most {most.major()} {most.asset.code} of this payment can still be refunded."
    if suspended.minor:
        said += f" {receipts.awaited(payment, suspended)}"
    return Conflict(
        said,
        code="AMOUNT_EXCEEDED",
        details={"refundable": {"amount": most.major(), "currency": most.asset.code}},
    )


def assert_told(session: Session, payment: Payment, amount: Money) -> None:
    """Check that an amount that was set aside is not money that only people vouch for.

    Raises: Conflict AMOUNT_EXCEEDED. Transaction: caller's, with the payment locked.
    """
    suspended = receipts.in_suspense(session, payment)
    if not suspended.minor or _kept_minor(payment) >= suspended.minor:
        return
    most = max(0, _kept_minor(payment) + amount.minor - suspended.minor)
    raise _exceeded(payment, Money(most, asset(payment.asset)), suspended)

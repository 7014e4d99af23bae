"""Refund the difference, or all of it: money goes back to its payer through the one door of refunds."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.case_kinds import Verb
from core.money import Money
from core.states import Payment as Status
from core.states import Refund as RefundState
from domain.books import accounts
from domain.books.ledger import Movement
from domain.cases.case_subjects import Subject, excess
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal
from domain.control.thresholds import is_above_threshold
from domain.refunds import refunds
from models.control import Approval
from models.payments import Payment


def _plan_difference(subject: Subject) -> Answer:
    payment = subject.payment
    if payment is None:
        return Refusal("This case has no payment.")
    if subject.case.kind == "REFUND_FAILED":
        amount = subject.money(min(subject.case.risk_minor or 0, subject.kept_minor))
        if not amount.minor:
            return Refusal("Nothing of it is left to give back.")
        return _planned(subject, payment, amount)
    if subject.open_attempts:
        return Refusal("The order has an open payment that counts on this money. End it first.")
    amount = excess(subject)
    if not amount.minor:
        return Refusal("Nothing of it is too much any more.")
    return _planned(subject, payment, amount)


def _plan_all(subject: Subject) -> Answer:
    payment = subject.payment
    if payment is None:
        return Refusal("This case has no payment.")
    amount = subject.money(subject.kept_minor)
    if not amount.minor:
        return Refusal("Nothing of it is left to give back.")
    return _planned(subject, payment, amount)


def _planned(subject: Subject, payment: Payment, amount: Money) -> Answer:
    if not (subject.is_ended or payment.status in (Status.COMPLETED, Status.REFUNDED)):
        return Refusal(f"The payment is {payment.status}; nothing of it can be given back.")
    said = f"{amount.major()} {amount.asset.code}"
    large = is_above_threshold(amount + subject.money(subject.sent_alone_minor))
    effects = [f"{said} goes back to {refunds.destination_of(payment)}."]
    if large:
        effects.insert(0, "A second person must agree first, within a day.")
    effects.append("The provider is asked after that; what it answers is booked when it says so.")
    return Plan(effects, _movements(subject, payment, amount), amount, by_two=large, steps_up=True)


def _movements(subject: Subject, payment: Payment, amount: Money) -> list[Movement]:
    """Say what is posted once the provider has given the money back."""
    clearing = accounts.clearing(payment.provider)
    if subject.is_ended:
        return [Movement(accounts.unapplied(payment.id), clearing, amount)]
    funds = accounts.buyer_funds(payment.buyer_id, payment.id)
    movements = [Movement(funds, clearing, amount)]
    if payment.order_id:
        hold = accounts.escrow_hold(payment.order_id, payment.merchant_id)
        movements.insert(0, Movement(hold, funds, amount))
    return movements


def _do(session: Session, doing: Doing) -> Deed:
    """Ask for the refund; the same case never asks for a second one under the same decision.

    Writes, Emits, Raises: as `refunds.ask`. Transaction: caller's, with the payment locked and the
    gate of freezes passed.
    """
    payment, amount = doing.subject.payment, doing.plan.amount
    assert payment is not None and amount is not None  # the plan was made of them
    refund = refunds.ask(
        session,
        payment,
        amount,
        actor=doing.actor,
        reason=doing.wanted.note,
        source=doing.why.source,
        case_id=doing.subject.case.id,
    )
    said = f"{amount.major()} {amount.asset.code}"
    approval = None
    if refund.state == RefundState.PENDING_APPROVAL.value:
        approval = session.get_one(Approval, refund.approval_id)
    return Deed({"refundId": refund.id, "amount": said}, approval=approval)


KINDS = {
    Verb.REFUND_DIFFERENCE: Kind(
        "Refund the difference", "Give back what was too much.", _plan_difference, _do
    ),
    Verb.REFUND_ALL: Kind("Refund all", "Give back everything that is left of it.", _plan_all, _do),
}

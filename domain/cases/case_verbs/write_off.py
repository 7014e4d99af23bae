"""Write off: what is missing becomes our own expense, so that the order has what it asked for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.case_kinds import Verb
from core.money_out import Act
from domain.books import accounts
from domain.books.ledger import Movement
from domain.cases.case_subjects import PAYABLE, Subject, missing
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal
from domain.control import money_out
from domain.control.warrants import Content, Warrant
from models.control import Approval

EXPENSE = accounts.WRITE_OFFS


def _plan(subject: Subject) -> Answer:
    payment, order = subject.payment, subject.order
    if payment is None or order is None:
        return Refusal("Only what an order waits for can be written off.")
    if order.status not in PAYABLE:
        return Refusal(f"The order is {order.status.replace('_', ' ')}; it waits for nothing.")
    amount = missing(subject)
    if not amount.minor:
        return Refusal("Nothing is missing any more.")
    if payment.purpose in subject.open_attempts:
        return Refusal("The order has an open payment for this sum. End it first.")
    said = f"{amount.major()} {amount.asset.code}"
    effects = [
        "A second person must agree first, within a day.",
        f"Then {said} is our expense, and the order counts it as paid.",
        "The buyer is asked for nothing more of it.",
    ]
    hold = accounts.escrow_hold(order.id, order.merchant_id)
    movement = Movement(EXPENSE, hold, amount)
    return Plan(effects, [movement], amount, by_two=True, steps_up=True)


def content(subject: Subject) -> Content | None:
    """Say what writing this case off is, as it stands now; None when it no longer fits."""
    plan, payment, order = _plan(subject), subject.payment, subject.order
    if not isinstance(plan, Plan) or payment is None or order is None or plan.amount is None:
        return None
    said = f"{plan.amount.major()} {plan.amount.asset.code}"
    return Content(
        Act.WRITE_OFF,
        object_kind="case",
        object_id=subject.case.id,
        text=f"Write off {said} that an order lacks: {subject.case.sentence}",
        amount=plan.amount,
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=order.id,
        payment_id=payment.id,
        details={
            "receivedMinor": str(payment.received_minor),
            "paidMinor": str(order.paid_minor),
            "orderStatus": order.status,
        },
        livemode=payment.livemode,
        demo=payment.demo,
    )


def _do(session: Session, doing: Doing) -> Deed:
    """Ask for the write-off; `domain/control/acts/write_off.py` carries it out.

    Writes: approvals. Emits: approval.requested. Raises: Forbidden, Conflict. Transaction: caller's.
    """
    asked = content(doing.subject)
    assert asked is not None  # the plan was made a moment ago, with everything locked
    approval = money_out.ask(
        session, asked, actor=doing.actor, source=doing.why.source, reason=doing.wanted.note
    )
    if isinstance(approval, Warrant):
        raise TypeError("a write-off always takes two people")
    assert isinstance(approval, Approval)
    return Deed({"amount": _said(doing.plan)}, approval=approval)


def _said(plan: Plan) -> str:
    return f"{plan.amount.major()} {plan.amount.asset.code}" if plan.amount else ""


KINDS = {
    Verb.WRITE_OFF: Kind("Write off", "Take what is missing as our own expense.", _plan, _do),
}

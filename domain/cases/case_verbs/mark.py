"""Mark: two people say that the money came, where the provider does not."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.case_kinds import Verb
from core.errors import invalid
from core.states import Payment as Status
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal
from domain.payments import marking
from domain.payments.marking import Wanted


def _plan(subject: Subject) -> Answer:
    payment = subject.payment
    if payment is None:
        return Refusal("This case has no payment.")
    if not subject.is_open:
        return Refusal(f"The payment is {payment.status}; only an open one is marked.")
    amount = subject.money(payment.amount_minor)
    said = f"{amount.major()} {amount.asset.code}"
    effects = [
        "A second person must agree first, within a day.",
        f"Then {said} counts as received, on the word of two people.",
        "The sum lies in suspense until the provider says so itself; a case stays open for that.",
    ]
    return Plan(effects, amount=amount, by_two=True, steps_up=True)


def _do(session: Session, doing: Doing) -> Deed:
    """Ask that the payment be marked as completed.

    Writes: approvals. Emits: approval.requested. Raises: InvalidInput, Forbidden, Conflict.
    Transaction: caller's, with the payment locked.
    """
    payment = doing.subject.payment
    assert payment is not None  # the plan was made of it
    reference = doing.wanted.reference
    if not reference:
        raise invalid("reference", "Say under which reference the provider knows the money.")
    approval = marking.ask(
        session,
        payment.id,
        Wanted(Status.COMPLETED.value, reference),
        actor=doing.actor,
        source=doing.why.source,
        note=doing.wanted.note,
    )
    return Deed({"reference": reference}, approval=approval)


KINDS = {Verb.MARK: Kind("Mark", "Say that the money came; two people must.", _plan, _do)}

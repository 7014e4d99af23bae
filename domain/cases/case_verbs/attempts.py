"""Top up and reissue: the payer is asked again, by a new attempt with a pay link of its own."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.case_kinds import Verb
from core.errors import Conflict
from domain.cases.case_subjects import PAYABLE, Subject, due_minor, missing
from domain.cases.case_verbs import Answer, Call, Deed, Doing, Kind, Plan, Refusal
from domain.payments import intents, reattempting
from domain.payments.intents import Begun, PaymentWanted
from models.orders import Order
from models.payments import Payment

_ASKED_ALREADY = "The order has an open payment already; its pay link is on its page."


def _refusal(order: Order | None) -> Refusal | None:
    if order is None:
        return Refusal("There is no order that could be paid.")
    if order.status not in PAYABLE:
        return Refusal(f"The order is {order.status.replace('_', ' ')}; it takes no payment.")
    return None


def _plan_top_up(subject: Subject) -> Answer:
    if (refusal := _refusal(subject.order)) is not None:
        return refusal
    if subject.is_open:
        return Refusal("The payment is still open: its payer sends the rest the same way.")
    amount = missing(subject)
    if not amount.minor:
        return Refusal("Nothing is missing any more.")
    if subject.open_attempts:
        return Refusal(_ASKED_ALREADY)
    said = f"{amount.major()} {amount.asset.code}"
    effects = [
        f"A new payment of {said} is started for the order; its pay link is shown on its page.",
        "Nothing is posted until the payer has paid it.",
    ]
    return Plan(effects, amount=amount)


def _do_top_up(session: Session, doing: Doing) -> Deed:
    """Start a payment of what is missing.

    Writes, Emits, Raises: as `intents.begin`. Transaction: caller's, payment and order locked.
    """
    payment, order = _of(doing.subject)
    wanted = PaymentWanted(
        order.id,
        purpose="balance",
        method=intents.usual_method(payment.provider),
        provider=payment.provider,
        metadata={"case": doing.subject.case.id},
        amount=doing.plan.amount,
    )
    begun = intents.begin(session, wanted, actor=doing.actor, source=doing.why.source)
    return _begun(begun)


def _plan_reissue(subject: Subject) -> Answer:
    payment, order = subject.payment, subject.order
    if payment is None or order is None:
        return Refusal("There is no attempt of an order to start again.")
    if not subject.is_ended:
        word = "open" if subject.is_open else payment.status
        return Refusal(
            f"The payment is {word}; only an attempt that ended unpaid is started again."
        )
    if payment.superseded_by_id is not None:
        return Refusal("A later attempt follows it already.")
    if subject.kept_minor:
        return Refusal("Its late money is still here. Give it back or credit it first.")
    if (refusal := _refusal(order)) is not None:
        return refusal
    if subject.open_attempts:
        return Refusal(_ASKED_ALREADY)
    amount = subject.money(due_minor(order, payment.purpose))
    if not amount.minor:
        return Refusal("The order lacks nothing of it any more.")
    said = f"{amount.major()} {amount.asset.code}"
    effects = [
        f"A new attempt of {said} follows this one; its pay link is shown on its page.",
        "The ended attempt stays as it is. Nothing is posted until the payer has paid.",
    ]
    return Plan(effects, amount=amount)


def _do_reissue(session: Session, doing: Doing) -> Deed:
    """Start the attempt that follows an ended one.

    Writes, Emits, Raises: as `intents.begin`. Transaction: caller's, payment and order locked.
    """
    payment, _ = _of(doing.subject)
    wanted = reattempting.like(session, payment, provider=payment.provider)
    begun = reattempting.follow(session, payment, wanted, why=doing.why)
    return _begun(begun)


def _of(subject: Subject) -> tuple[Payment, Order]:
    assert subject.payment is not None and subject.order is not None  # the plan was made of them
    return subject.payment, subject.order


def _begun(begun: Begun) -> Deed:
    if not begun.is_new or begun.fence is None:
        raise Conflict(_ASKED_ALREADY)
    call = Call(begun.operation, begun.payment, begun.fence)
    return Deed({"paymentId": begun.payment.id}, call=call)


KINDS = {
    Verb.TOP_UP: Kind("Top up", "Ask the payer for what is missing.", _plan_top_up, _do_top_up),
    Verb.REISSUE: Kind(
        "Reissue", "Start a new attempt in place of the ended one.", _plan_reissue, _do_reissue
    ),
}

"""Marking a payment by hand: two people say what the provider does not; only the settle path writes it.

What is said becomes a fact like any other, so the payment still stands where its facts put it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, IllegalTransition
from core.fold import MARKED_CANCELLED, MARKED_COMPLETED, MARKED_FAILED, Fact
from core.hashing import Plain
from core.money import Money, asset
from core.money_out import Act
from core.states import OPEN_PAYMENT
from core.states import Payment as Status
from domain.actors import Actor
from domain.cases import cases
from domain.cases.cases import Finding
from domain.control import money_out
from domain.control.warrants import Content
from domain.payments import receipts, settlement
from domain.payments.payments import get_payment
from domain.transitions import Why
from models.control import Approval
from models.payments import Payment, PaymentFact, ProviderReference
from providers.said import KeyedFact, Reading

_KINDS = {
    Status.COMPLETED.value: MARKED_COMPLETED,
    Status.FAILED.value: MARKED_FAILED,
    Status.CANCELLED.value: MARKED_CANCELLED,
}
STATUSES = tuple(_KINDS)
LONGEST_REFERENCE, LONGEST_EVIDENCE, LONGEST_NOTE = 140, 1000, 500


@dataclass(frozen=True)
class Wanted:
    """What a payment shall be marked as. reference: under which the provider, or the bank, knows it.

    evidence: where else it can be seen, or None.
    """

    status: str
    reference: str
    evidence: str | None = None


def content(payment: Payment, wanted: Wanted) -> Content:
    """Say what marking a payment is, as it stands now."""
    amount = Money(payment.amount_minor, asset(payment.asset))
    details: dict[str, Plain] = {
        "from": payment.status,
        "to": wanted.status,
        "receivedMinor": str(payment.received_minor),
        "providerReference": wanted.reference,
        "evidence": wanted.evidence,
    }
    return Content(
        Act.MARK_PAYMENT,
        object_kind="payment",
        object_id=payment.id,
        text=f"Mark the payment of {amount.major()} {amount.asset.code} as {wanted.status}",
        amount=amount,
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=payment.order_id,
        payment_id=payment.id,
        details=details,
        livemode=payment.livemode,
        demo=payment.demo,
    )


def wanted_of(asked: Content) -> Wanted:
    """Give back what was wanted of a content that `content` made."""
    evidence = asked.details["evidence"]
    return Wanted(
        status=str(asked.details["to"]),
        reference=str(asked.details["providerReference"]),
        evidence=None if evidence is None else str(evidence),
    )


def ask(
    session: Session, payment_id: str, wanted: Wanted, *, actor: Actor, source: str, note: str
) -> Approval:
    """Ask that a payment be marked; a second person always agrees.

    Writes: approvals. Emits: approval.requested. Raises: NotFound, Forbidden, IllegalTransition,
    Conflict. Transaction: caller's.
    """
    payment = get_payment(session, payment_id, actor=actor)
    assert_markable(session, payment, wanted)
    asked = money_out.ask(
        session, content(payment, wanted), actor=actor, source=source, reason=note
    )
    assert isinstance(asked, Approval)  # for the type checker; the table always wants two people
    return asked


def assert_markable(session: Session, payment: Payment, wanted: Wanted) -> None:
    """Check that a payment may be marked so: it is open, and the money is nobody else's.

    Raises: IllegalTransition, Conflict. Transaction: caller's, reads only.
    """
    if payment.status not in OPEN_PAYMENT:
        raise IllegalTransition("payment", payment.status, wanted.status)
    if wanted.status != Status.COMPLETED:
        return
    key = receipts.mark_key(payment.provider, wanted.reference)
    named = select(ProviderReference.payment_id).where(
        ProviderReference.provider == payment.provider,
        ProviderReference.reference == wanted.reference,
        ProviderReference.payment_id != payment.id,
    )
    used = select(PaymentFact.payment_id).where(PaymentFact.fact_key == key)
    if (other := session.scalar(named) or session.scalar(used)) is not None:
        raise Conflict(
            "This reference belongs to another payment; its money is counted there.",
            details={"paymentId": other, "link": f"/payments/{other}"},
        )


def mark(session: Session, payment: Payment, wanted: Wanted, *, why: Why) -> str:
    """Mark a locked payment as two people agreed: a fact of theirs goes down the settle path.

    Money that they vouch for lies in suspense until the provider says it has it; a MARKED case stays
    open until somebody has looked again. Reached through an approval only. Gives the verdict.
    Writes: as `settlement.apply`, exception_cases. Emits: payment.*, order.*, exception.opened.
    Raises: Conflict, IllegalTransition, LostRace. Transaction: caller's.
    """
    assert_markable(session, payment, wanted)
    reading = Reading(facts=[_fact(payment, wanted, why)])
    applied = settlement.apply(session, payment, reading, why=why)
    if wanted.status == Status.COMPLETED:
        _tell_marked(session, payment, wanted, why)
    return applied.verdict


def _fact(payment: Payment, wanted: Wanted, why: Why) -> KeyedFact:
    completes = wanted.status == Status.COMPLETED
    minor = payment.amount_minor if completes else None
    fact = Fact(_KINDS[wanted.status], clock.now(), amount_minor=minor, message=why.reason)
    # The same money is vouched for once, whichever payment it is put to; the database says so.
    key = receipts.mark_key(payment.provider, wanted.reference) if completes else why.source
    return KeyedFact(key, fact)


def _tell_marked(session: Session, payment: Payment, wanted: Wanted, why: Why) -> None:
    amount = Money(payment.amount_minor, asset(payment.asset))
    sentence = (
        f"{amount.major()} {amount.asset.code} marked as received by hand, reference"
        f" {wanted.reference}. It lies in suspense until the provider says so itself."
    )
    finding = Finding(
        "MARKED",
        payment.id,
        sentence,
        expected="the provider's word",
        at_risk=amount,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)

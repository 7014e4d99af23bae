"""Capturing a hold: how much of it is written down before the provider is asked; the rest is let go."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import rail_words
from core.errors import Conflict, IllegalTransition
from core.money import Money, asset
from core.states import Payment as Status
from core.states import PaymentSub
from domain import audit
from domain.actors import Actor
from domain.payments import captures, operations
from domain.payments.payments import get_payment
from models.operations import Operation
from models.payments import Payment

Begun = tuple[Payment, Operation, int]


def lock(session: Session, payment_id: str, *, actor: Actor) -> Payment:
    """Load a payment that the actor may see, for change. Raises: NotFound. Transaction: caller's."""
    payment = get_payment(session, payment_id, actor=actor)
    statement = select(Payment).where(Payment.id == payment.id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def begin(
    session: Session,
    payment_id: str,
    amount: Money | None,
    *,
    actor: Actor,
    reason: str | None = None,
) -> Begun:
    """Write down that a hold shall be captured; the provider is asked after the commit.

    amount: None for all that is held. A hold is captured once: what is not taken is let go. The same
    amount asked again while the first answer is missing asks under the first key.
    Gives the payment with its operation and fencing token. Writes: operations, audit_log.
    Raises: NotFound, IllegalTransition when nothing is held, Conflict AMOUNT_EXCEEDED, LostRace.
    Transaction: caller's.
    """
    payment = lock(session, payment_id, actor=actor)
    assert_held(payment)
    held = Money(payment.capturable_minor, asset(payment.asset))
    wanted = amount or held
    if (known := captures.under_way(session, payment)) is not None:
        return payment, known, _go_on(session, known, wanted)
    if held < wanted:
        raise _exceeded(held)
    number = 1 + len(captures.list_captures(session, payment.id))
    asked = operations.Wanted(
        captures.KIND,
        f"capture:{payment.id}:{number}",
        payment,
        {
            "amountMinor": wanted.minor,
            "asset": payment.asset,
            "heldMinor": held.minor,
            "reason": reason,
        },
    )
    operation = operations.prepare(session, asked, actor=actor)
    audit.write(
        session,
        "payment.capture",
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=f"operation:{operation.id}",
        reason=reason,
        after={
            "amountMinor": wanted.minor,
            "letGoMinor": held.minor - wanted.minor,
            "asset": payment.asset,
        },
    )
    return payment, operation, operation.fence


def assert_held(payment: Payment) -> None:
    """Check that an amount is held that can be captured. Raises: IllegalTransition."""
    is_held = payment.sub_state == PaymentSub.REQUIRES_CAPTURE and payment.capturable_minor
    if payment.status != Status.PROCESSING or not is_held or not payment.provider_reference:
        refusal = IllegalTransition("payment", payment.status, "captured")
        refusal.message = (
            f"Nothing is held {rail_words.of(payment.rail).held_at_any} for this payment."
        )
        raise refusal


def _go_on(session: Session, known: Operation, wanted: Money) -> int:
    if known.kind != captures.KIND or known.request.get("amountMinor") != wanted.minor:
        raise captures.already_asked(known)
    return operations.take(session, known)


def _exceeded(held: Money) -> Conflict:
    return Conflict(
        f"At most {held.major()} {held.asset.code} is held and can be captured.",
        code="AMOUNT_EXCEEDED",
        details={"capturable": {"amount": held.major(), "currency": held.asset.code}},
    )

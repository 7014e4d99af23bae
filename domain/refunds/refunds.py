"""Refunds: asked for through the one door, reserved by the database, written down with their operation.

Sending them is `domain/jobs/refunding.py`; what providers say of them is `domain/refunds/refund_settlement.py`.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, ids, rail_words
from core.errors import Conflict, Forbidden, IllegalTransition, NotFound, invalid
from core.money import Money, asset
from core.money_out import RULES, Act
from core.permissions import Permission
from core.states import Approval as ApprovalState
from core.states import Operation as OperationState
from core.states import Refund as State
from domain import audit, database
from domain.actors import Actor
from domain.control import approvals, freezes, money_out
from domain.control.warrants import Content, Warrant
from domain.payments import operations
from domain.refunds import promises, refund_events, refundable, wallet_debits
from domain.refunds.refund_settlement import recount
from domain.transitions import Why, move, move_together
from models.operations import Operation
from models.payments import Payment
from models.refunds import Refund
from providers import registry


def ask(
    session: Session,
    payment: Payment,
    amount: Money,
    *,
    actor: Actor,
    reason: str,
    source: str,
    case_id: str | None = None,
    reference: str | None = None,
) -> Refund:
    """Ask to give money of a payment back to its payer.

    1. the table allows the asker and nothing holds it; 2. the payment is locked, and the amount
    reserved by a conditional update that a CHECK stands behind; 3. the one door decides: at once
    `pending` with its operation, or `pending_approval`. The same reference gives the same refund.
    Writes: refunds, payments, operations, approvals, event_log, audit_log. Emits: refund.requested or
    refund.created, approval.requested. Raises: Forbidden, also STEP_UP_REQUIRED; Frozen, InvalidInput,
    IllegalTransition, Conflict AMOUNT_EXCEEDED or WALLET_TOO_LOW, RailNotConfigured. Transaction: caller's.
    """
    if str(amount.asset) != payment.asset or amount.minor <= 0:
        raise invalid("amount", f"An amount above nothing, in {asset(payment.asset).code}.")
    refund = _draft(payment, amount, actor=actor, reason=reason)
    refund.case_id, refund.reference = case_id, reference
    probe = _content(refund, payment, given_back_minor=0)
    money_out.assert_may_ask(RULES[Act.REFUND], probe, actor=actor)
    registry.configured(payment.provider, livemode=payment.livemode)
    freezes.assert_open(session, probe)
    payment = lock_payment(session, payment.id)
    known = find_by_reference(session, payment.id, reference) if reference else None
    if known is not None:
        return _same(known, amount)
    wallet_debits.assert_given(payment)
    refundable.assert_refundable(session, payment)
    wallet_debits.assert_holds(session, payment, amount)
    refundable.reserve(session, payment, amount)
    promises.assert_hold_covers(session, payment, amount)
    wanted = content(session, refund, payment)
    got = money_out.ask(session, wanted, actor=actor, source=source, reason=reason)
    why = Why(actor, source, reason)
    if isinstance(got, Warrant):
        refund.operation_id = _prepare(session, refund, payment, actor=actor).id
    else:
        refund.approval_id, refund.state = got.id, State.PENDING_APPROVAL.value
    session.add(refund)
    session.flush()
    is_waiting = refund.state == State.PENDING_APPROVAL
    kind = "refund.requested" if is_waiting else "refund.created"
    refund_events.tell(session, kind, refund, payment, why=why)
    return refund


def _draft(payment: Payment, amount: Money, *, actor: Actor, reason: str) -> Refund:
    now = clock.now()
    return Refund(
        id=ids.new("ref"),
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        rail=payment.rail,
        amount_minor=amount.minor,
        asset=payment.asset,
        state=State.PENDING.value,
        reason=reason,
        requested_by=actor.id,
        requested_kind=actor.kind,
        event_sequence=0,
        livemode=payment.livemode,
        demo=payment.demo,
        created_at=now,
        updated_at=now,
    )


def lock_payment(session: Session, payment_id: str) -> Payment:
    """Load a payment for change; the gate of freezes is passed before, its order is locked after.

    Transaction: caller's.
    """
    statement = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def lock(session: Session, refund_id: str) -> tuple[Refund, Payment]:
    """Load a refund and its payment for change, the payment first.

    Raises: NotFound. Transaction: caller's.
    """
    payment_id = session.scalar(select(Refund.payment_id).where(Refund.id == refund_id))
    if payment_id is None:
        raise NotFound
    payment = lock_payment(session, payment_id)
    statement = select(Refund).where(Refund.id == refund_id).with_for_update()
    refund = session.scalars(statement.execution_options(populate_existing=True)).one()
    return refund, payment


def find_by_reference(session: Session, payment_id: str, reference: str) -> Refund | None:
    """Find the refund of a payment to which whoever asked gave this name.

    Transaction: caller's, reads only.
    """
    statement = select(Refund).where(Refund.payment_id == payment_id, Refund.reference == reference)
    return session.scalars(statement).first()


def _same(known: Refund, amount: Money) -> Refund:
    if known.amount_minor == amount.minor:
        return known
    raise Conflict(
        "This reference names another refund of this payment already.",
        details={"refundId": known.id, "link": f"/api/refunds/{known.id}"},
    )


def content(session: Session, refund: Refund, payment: Payment) -> Content:
    """Say what a refund is, as it is agreed to: with what was received and given back before it.

    Transaction: caller's, reads only.
    """
    statement = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id,
        Refund.id != refund.id,
        Refund.state.in_(refundable.GIVEN_BACK),
    )
    found = _content(refund, payment, given_back_minor=int(session.scalar(statement) or 0))
    before = refundable.sent_alone(session, [payment.id]).get(payment.id, 0)
    return replace(found, alone=Money(before, asset(payment.asset)))


def _content(refund: Refund, payment: Payment, *, given_back_minor: int) -> Content:
    of = asset(payment.asset)
    amount = Money(refund.amount_minor, of)
    received, before = Money(payment.received_minor, of), Money(given_back_minor, of)
    return Content(
        Act.REFUND,
        object_kind="refund",
        object_id=refund.id,
        text=(
            f"Refund {amount.major()} {of.code} to {destination_of(payment)}: of {received.major()}"
            f" received, {before.major()} was given back before"
        ),
        amount=amount,
        destination=destination_of(payment),
        rail=payment.rail,
        merchant_id=payment.merchant_id,
        order_id=payment.order_id,
        payment_id=payment.id,
        details={
            "receivedMinor": str(payment.received_minor),
            "givenBackMinor": str(given_back_minor),
        },
        livemode=payment.livemode,
        demo=payment.demo,
    )


def place(session: Session, refund_id: str) -> Content:
    """Say where a refund belongs, as far as freezes ask; read without a lock, since it never changes.

    Transaction: caller's, reads only.
    """
    refund = session.get_one(Refund, refund_id)
    return _content(refund, session.get_one(Payment, refund.payment_id), given_back_minor=0)


def destination_of(payment: Payment) -> str:
    """Name where a refund goes: the card or account that paid, as far as it is known."""
    words = rail_words.of(payment.rail)
    if payment.card_last4 is None:
        return words.payer_source
    brand = (payment.card_brand or "").replace("_", " ").title()
    return f"the payer's {brand} {words.pays} ending {payment.card_last4}".replace("  ", " ")


def _prepare(session: Session, refund: Refund, payment: Payment, *, actor: Actor) -> Operation:
    """Write down what to ask of the provider; the worker finds it there, whoever is killed."""
    asked = operations.Wanted(
        "refund",
        f"refund:{refund.id}",
        payment,
        {"refundId": refund.id, "amountMinor": refund.amount_minor, "asset": refund.asset},
    )
    database.mark(session, "work")
    return operations.prepare(session, asked, actor=actor, is_leased=False)


def carry_out(session: Session, warrant: Warrant) -> Refund:
    """Let a refund that waited for a second person go to its provider.

    Writes: refunds, operations, state_changes. Emits: refund.created. Raises: Conflict, also
    AMOUNT_EXCEEDED; IllegalTransition. Transaction: caller's.
    """
    refund, payment = lock(session, warrant.content.object_id)
    now = as_asked(session, refund, payment, warrant.content)
    if now is None:
        raise IllegalTransition("refund", refund.state, State.PENDING.value)
    warrant.assert_covers(now)
    amount = Money(refund.amount_minor, asset(refund.asset))
    refundable.assert_told(session, payment, amount)
    wallet_debits.assert_holds(session, payment, amount, besides=refund.id)
    promises.assert_hold_covers(session, payment, amount, besides=refund.id)
    why = Why(warrant.actor, warrant.source, warrant.reason)
    operation = _prepare(session, refund, payment, actor=warrant.actor)
    values: dict[str, object] = {"operation_id": operation.id, "updated_at": clock.now()}
    move_together(session, refund, moves={"refund": State.PENDING.value}, values=values, why=why)
    refund_events.tell(session, "refund.created", refund, payment, why=why)
    return refund


def as_asked(session: Session, refund: Refund, payment: Payment, asked: Content) -> Content | None:
    """Say what a waiting refund is now; None when it waits no more or may not go on.

    That we have learned which card or account it was since does not make it another one.
    """
    if refund.state != State.PENDING_APPROVAL or payment.status not in refundable.REFUNDABLE:
        return None
    if refundable.is_disputed(session, payment.id):
        return None
    now = content(session, refund, payment)
    unknown = rail_words.of(payment.rail).payer_source
    return replace(now, destination=unknown) if asked.destination == unknown else now


def take_back(session: Session, refund_id: str, *, why: Why) -> Refund:
    """End a refund that was not sent, and free what was set aside for it; ended ones stay as they are.

    Writes: refunds, payments, operations, state_changes. Emits: refund.cancelled.
    Raises: IllegalTransition once it was sent. Transaction: caller's.
    """
    refund, payment = lock(session, refund_id)
    if refund.state == State.CANCELLED:
        return refund
    if refund.operation_id is not None:
        statement = select(Operation).where(Operation.id == refund.operation_id).with_for_update()
        operation = session.scalars(statement.execution_options(populate_existing=True)).one()
        if operation.state != OperationState.PREPARED:
            raise IllegalTransition("refund", "sent", State.CANCELLED.value)
        # Whoever has leased it finds another token and lets go.
        operation.fence += 1
        operation.due_at, operation.error_code = None, "cancelled"
        move(session, "operation", operation, to=OperationState.FAILED, why=why)
    values: dict[str, object] = {"failure_reason": "cancelled", "updated_at": clock.now()}
    move_together(session, refund, moves={"refund": State.CANCELLED.value}, values=values, why=why)
    refund_events.tell(session, "refund.cancelled", refund, payment, why=why)
    recount(session, payment, why=why)
    return refund


def cancel(session: Session, refund_id: str, *, actor: Actor, reason: str, source: str) -> Refund:
    """Take a refund back before it is sent: whoever asked for it, finance or an admin.

    Writes, emits: as `take_back`, approval.cancelled. Raises: NotFound, Forbidden,
    IllegalTransition. Transaction: caller's.
    """
    refund = session.get(Refund, refund_id)
    if refund is None:
        raise NotFound
    if actor.id != refund.requested_by and not actor.may(Permission.APPROVALS_DECIDE):
        raise Forbidden("Only whoever asked for it, finance or an admin takes it back.")
    why = Why(actor, source, reason)
    if refund.approval_id is not None:
        _withdraw(session, refund.approval_id, actor=actor, reason=reason)
    refund = take_back(session, refund_id, why=why)
    audit.write(
        session,
        "refund.cancel",
        actor=actor,
        object_kind="refund",
        object_id=refund.id,
        source=source,
        reason=reason,
        after={"paymentId": refund.payment_id, "state": refund.state},
    )
    return refund


def _withdraw(session: Session, approval_id: str, *, actor: Actor, reason: str) -> None:
    """End the request first: whoever decides locks it before the refund, and so does this."""
    approval = approvals.get(session, approval_id, lock=True)
    if approval.state != ApprovalState.PENDING:
        return
    if approval.requested_by == actor.id:
        approvals.cancel(session, approval_id, actor=actor, reason=reason)
    else:
        approvals.void(session, approval, said=f"the refund was cancelled by {actor.id}")

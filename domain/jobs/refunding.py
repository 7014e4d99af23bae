"""Sending refunds: the prepared operations are the queue; the freezes are read before each one is sent.

What may have been sent is looked for at the provider before it is asked again, under the same key.
"""

from __future__ import annotations

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import AppError, Frozen, LostRace, ProviderRefused, ProviderUnavailable
from core.states import Operation as OperationState
from core.states import Refund as State
from domain import crash, database, queue
from domain.actors import system
from domain.control import freezes
from domain.delays import windows
from domain.jobs import janitor
from domain.payments import calls, operations, outcomes
from domain.refunds import refunds
from domain.transitions import Why, move
from models.control import Freeze
from models.operations import Operation
from models.payments import Payment
from models.refunds import Refund
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.said import Reading

REFUNDING = system("refunds")
LEASE_SECONDS = 60
ABSENCE_SECONDS = 600
UNFINISHED = (
    OperationState.PREPARED.value,
    OperationState.SENT.value,
    OperationState.UNKNOWN.value,
)
log = structlog.get_logger()


def send_next() -> bool:
    """Send one refund that is due, or find out what became of one. Gives False when there is none.

    Calls: the provider. Writes, emits: as `operations.settle`. Transaction: opens its own.
    """
    with database.transaction() as session:
        leased = _lease(session)
        if not leased:
            return False
        operation, fence = leased[0]
        payment = session.get_one(Payment, operation.payment_id)
    crash.point("refund.after_lease")
    try:
        _send(operation, payment, fence)
        if operation.attempts + 1 >= janitor.UNKNOWN_CASE_ATTEMPTS:
            janitor.tell_people(operation.id)
    except AppError as error:
        log.warning("refund.unsent", operation=operation.id, error=error.code)
    return True


def held() -> ColumnElement[bool]:
    """Give the condition of the refunds that a freeze holds now; joined with `Refund`."""
    scopes = (
        Freeze.scope == "all",
        and_(Freeze.scope == "rail", Freeze.scope_id == Refund.rail),
        and_(Freeze.scope == "merchant", Freeze.scope_id == Refund.merchant_id),
        and_(Freeze.scope == "order", Freeze.scope_id == Refund.order_id),
    )
    return exists(select(Freeze.id).where(freezes.is_on(), or_(*scopes)))


def _lease(session: Session) -> list[tuple[Operation, int]]:
    """Take one that is due: not sent and not held, or sent with an outcome nobody knows."""
    unsent = Operation.state == OperationState.PREPARED.value
    is_held = exists(select(Refund.id).where(Refund.operation_id == Operation.id, held()))
    return queue.lease(
        session,
        Operation,
        due=Operation.due_at,
        seconds=LEASE_SECONDS,
        conditions=[
            Operation.kind == calls.REFUND,
            Operation.state.in_(UNFINISHED),
            or_(~unsent, ~is_held),
        ],
    )


def _send(operation: Operation, payment: Payment, fence: int) -> None:
    """Ask for the refund, unless it is found to be there, or held.

    1. what may have been sent is looked for first; 2. the gate of freezes is passed and the operation
    marked as sent, in one commit; 3. the provider is called; 4. the outcome is settled.
    """
    if operation.state != OperationState.PREPARED and not _is_absent(operation, payment, fence):
        return
    if not _pass_gate(operation, fence):
        return
    crash.point("refund.after_gate")
    outcome = operations.run(operation, payment, fence, actor=REFUNDING)
    with database.transaction() as session:
        operations.settle(session, outcome)
    crash.point("operation.after_settle")


def _is_absent(operation: Operation, payment: Payment, fence: int) -> bool:
    """Look for a refund that may have been sent. Gives True when it may be asked for again.

    Within the life of the provider's key asking again is safe; after it, absence must be seen twice,
    ten minutes apart, and then the refund has failed: nothing is asked for under a new key. On a rail that
    is known to be late, absence proves nothing yet.
    """
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    reference, refund_id = str(payment.provider_reference), str(operation.request["refundId"])
    try:
        found = rail.find_refund(reference, refund_id)
    except (ProviderUnavailable, ProviderRefused, UnreadableDelivery) as error:
        _wait(operation, fence, last_error=str(error)[:500])
        return False
    if found is not None:
        _settle_found(operation, payment, fence, found)
        return False
    first_sent = operation.sent_at or operation.created_at
    if (clock.now() - first_sent).total_seconds() < rail.key_lifetime_seconds:
        return True
    with database.reading() as session:
        is_late = windows.is_within(session, operation.provider, first_sent)
    if is_late:
        _wait(operation, fence)
    else:
        _note_absence(operation, payment, fence)
    return False


def _settle_found(operation: Operation, payment: Payment, fence: int, found: Reading) -> None:
    outcome = operations.Outcome(operation.id, payment.id, fence, found, REFUNDING)
    with database.transaction() as session:
        operations.settle(session, outcome)


def _wait(operation: Operation, fence: int, **values: object) -> None:
    attempts = operation.attempts + 1
    due_at = operations.next_check(attempts)
    with database.transaction() as session:
        queue.release(session, operation, fence, due_at=due_at, attempts=attempts, **values)


def _pass_gate(operation: Operation, fence: int) -> bool:
    """Mark the operation as sent, if nothing holds it; whoever freezes from now on comes too late.

    Raises: LostRace when it was taken back or leased by another meanwhile.
    """
    with database.transaction() as session:
        refund_id = str(operation.request["refundId"])
        try:
            freezes.assert_open(session, refunds.place(session, refund_id))
        except Frozen as error:
            due_at = operations.next_check(1) if operation.state != "prepared" else clock.now()
            queue.release(session, operation, fence, due_at=due_at, last_error=error.message[:500])
            return False
        refund, _ = refunds.lock(session, refund_id)
        statement = select(Operation).where(Operation.id == operation.id).with_for_update()
        again = session.scalars(statement.execution_options(populate_existing=True)).one()
        if again.fence != fence or again.state not in UNFINISHED:
            raise LostRace
        if refund.state not in (State.PENDING.value, State.UNKNOWN.value):
            raise LostRace
        if again.state == OperationState.PREPARED:
            why = Why(REFUNDING, f"operation:{operation.id}")
            again.sent_at = clock.now()
            again.lease_until = clock.after(LEASE_SECONDS)
            move(session, "operation", again, to=OperationState.SENT, why=why)
            session.flush()
    return True


def _note_absence(operation: Operation, payment: Payment, fence: int) -> None:
    """Believe absence only when it is seen twice, ten minutes apart."""
    with database.transaction() as session:
        if not isinstance(operation.request.get("absentSince"), str):
            request = operation.request | {"absentSince": clock.rfc3339(clock.now())}
            due_at = clock.after(ABSENCE_SECONDS)
            queue.release(session, operation, fence, request=request, due_at=due_at)
            return
        locked = refunds.lock_payment(session, payment.id)
        queue.release(session, operation, fence, due_at=None, error_code="never_created")
        again = session.get_one(Operation, operation.id, populate_existing=True)
        why = Why(REFUNDING, f"operation:{operation.id}", "absent at the provider, read twice")
        move(session, "operation", again, to=OperationState.FAILED, why=why)
        outcomes.absent(session, again, locked, why=why)

"""Operations: written down before the call, called without a transaction, settled in one afterwards.

An operation that is `prepared` may or may not have reached the provider: whoever finds it asks again
under the same key. `unknown` has the janitor as its owner and never becomes `failed` by time alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import (
    AppError,
    LostRace,
    PaymentDeclined,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    UnmappedProviderValue,
)
from core.states import Operation as State
from core.strictjson import Json
from domain import crash, database, queue
from domain.actors import Actor, system
from domain.control import settling
from domain.payments import calls, outcomes
from domain.secrets import keyring
from domain.transitions import Why, move
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.new_payment import Created
from providers.said import Reading

LEASE_SECONDS = 60
# When the janitor asks again about an outcome nobody knows; the last one repeats, to 30 days.
SOLVER_SECONDS = (30, 120, 600, 3600, 6 * 3600, 24 * 3600)


@dataclass(frozen=True)
class Wanted:
    """What to ask for. business_key: what may happen only once, for ever."""

    kind: str
    business_key: str
    payment: Payment
    request: dict[str, Json]


def provider_key(operation_id: str, epoch: int) -> str:
    """Derive the provider's idempotency key; the epoch rises only after absence is proved."""
    return f"{operation_id}-{epoch}"


def prepare(session: Session, wanted: Wanted, *, actor: Actor, is_leased: bool = True) -> Operation:
    """Write an operation down, leased to this caller, who calls the provider after the commit.

    Not leased: it is left to the worker, and certainly has not been sent yet.

    Writes: operations. Raises: IntegrityError when the business key was used. Transaction: caller's.
    """
    operation_id = ids.new("op")
    now = clock.now()
    operation = Operation(
        id=operation_id,
        kind=wanted.kind,
        business_key=wanted.business_key,
        provider=wanted.payment.provider,
        provider_key=provider_key(operation_id, 1),
        epoch=1,
        provider_reference=wanted.payment.provider_reference,
        request=wanted.request,
        request_hash=hashing.sha256(json.dumps(wanted.request, sort_keys=True).encode()),
        state=State.PREPARED.value,
        attempts=0,
        due_at=clock.after(LEASE_SECONDS) if is_leased else now,
        lease_until=clock.after(LEASE_SECONDS) if is_leased else None,
        fence=1,
        payment_id=wanted.payment.id,
        order_id=wanted.payment.order_id,
        actor=actor.id,
        sent_at=now if is_leased else None,
        created_at=now,
        updated_at=now,
    )
    session.add(operation)
    session.flush()
    crash.point("operation.before_prepare_commit")
    return operation


def find_by_key(session: Session, business_key: str) -> Operation | None:
    """Find the operation of a business key."""
    return session.scalars(select(Operation).where(Operation.business_key == business_key)).first()


def take(session: Session, operation: Operation) -> int:
    """Lease an unfinished operation to this caller. Gives the fencing token.

    Raises: LostRace when somebody else is calling the provider for it now. Transaction: caller's.
    """
    statement = select(Operation).where(Operation.id == operation.id)
    # Whoever settles it holds its row and may want the order's next, which the caller may hold.
    locked = session.scalars(
        statement.with_for_update(skip_locked=True, key_share=True).execution_options(
            populate_existing=True
        )
    ).first()
    if locked is None or (locked.lease_until is not None and locked.lease_until > clock.now()):
        raise LostRace("The provider is being asked right now. Try again in a moment.")
    locked.fence += 1
    locked.lease_until = clock.after(LEASE_SECONDS)
    session.flush()
    return locked.fence


@dataclass(frozen=True)
class Outcome:
    """What a call came to: what the provider made or says, or the error that says why not."""

    operation_id: str
    payment_id: str
    fence: int
    answer: Created | Reading | AppError
    actor: Actor


def run(operation: Operation, payment: Payment, fence: int, *, actor: Actor) -> Outcome:
    """Call the provider for a leased operation and note what came of it.

    Gives the outcome; the caller settles it with `settle` in its own transaction, so that the
    answer to a client and the outcome are one commit. Calls: the provider.
    """
    crash.point("operation.after_prepare")
    try:
        _assert_key_lives(operation, payment)
        answer: Created | Reading | AppError = calls.make(operation, payment)
    except (PaymentDeclined, ProviderRefused, ProviderUnavailable, ProviderUnknown) as error:
        answer = error
    except (UnreadableDelivery, UnmappedProviderValue) as error:
        # It answered, so it may have acted; what it said is for the janitor and then for a person.
        answer = ProviderUnknown(f"The provider's answer cannot be read: {error}")
    crash.point("operation.after_call")
    return Outcome(operation.id, payment.id, fence, answer, actor)


def _assert_key_lives(operation: Operation, payment: Payment) -> None:
    """Never ask a provider to make something under a key that it may have forgotten: it would make a second.

    Raises: ProviderUnknown
    """
    if operation.kind not in calls.CREATES - calls.RESUMES:
        return
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    if not calls.key_lives(rail, operation):
        raise ProviderUnknown("What became of this is being looked up; it is not asked for again.")


def settle(session: Session, outcome: Outcome) -> tuple[Operation, Payment]:
    """Carry an outcome into the operation and its payment; locks the payment, then the operation.

    Writes: operations, payments and what settlement does. Emits: settlement's, payment.failed.
    Raises: LostRace when another holder of the lease settled it; Paused when nobody asked for it and
    settlement is paused. Transaction: caller's.
    """
    settling.assert_may_settle(session, actor=outcome.actor)
    payment = _lock(session, Payment, outcome.payment_id)
    operation = _lock(session, Operation, outcome.operation_id)
    if operation.fence != outcome.fence:
        raise LostRace
    why = Why(outcome.actor, f"operation:{operation.id}")
    operation.attempts += 1
    operation.lease_until = None
    operation.updated_at = clock.now()
    answer = outcome.answer
    if isinstance(answer, ProviderUnavailable):
        _wait(operation, answer)
    elif isinstance(answer, ProviderUnknown):
        _wait(operation, answer)
        move(session, "operation", operation, to=State.UNKNOWN, why=_sent(session, operation, why))
        outcomes.unknown(session, operation, payment, why=why)
    elif isinstance(answer, AppError):
        operation.error_code, operation.error_message = answer.code, answer.message[:500]
        operation.due_at = None
        move(session, "operation", operation, to=State.FAILED, why=_sent(session, operation, why))
        outcomes.refused(session, operation, payment, answer, why=why)
    else:
        operation.due_at = None
        move(
            session, "operation", operation, to=State.SUCCEEDED, why=_sent(session, operation, why)
        )
        outcomes.succeeded(session, operation, payment, answer, why=why)
    session.flush()
    crash.point("operation.before_settle_commit")
    return operation, payment


def _sent(session: Session, operation: Operation, why: Why) -> Why:
    """An answer proves that a prepared operation was sent."""
    if operation.state == State.PREPARED:
        move(session, "operation", operation, to=State.SENT, why=why)
    return why


def _wait(operation: Operation, error: AppError) -> None:
    # A provider that asks us to slow down says for how long.
    operation.due_at = max(next_check(operation.attempts), clock.after(error.retry_after or 0))
    operation.last_error = f"{error.code}: {error.message}"[:500]


def next_check(attempts: int) -> datetime:
    """Give when the janitor asks again after `attempts` tries (from 1)."""
    return clock.after(ids.jittered(SOLVER_SECONDS[min(attempts, len(SOLVER_SECONDS)) - 1]))


_Locked = TypeVar("_Locked", Payment, Operation)


def _lock(session: Session, model: type[_Locked], row_id: str) -> _Locked:
    statement = select(model).where(model.id == row_id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def client_secret(payment: Payment) -> str | None:
    """Open what the payer's browser needs to complete the payment."""
    if payment.client_secret_sealed is None:
        return None
    place = f"payments|client_secret|{payment.id}"
    return keyring.open_text(payment.client_secret_sealed, purpose="client_secret", place=place)


JANITOR = system("janitor")


def finish_now(operation: Operation, payment: Payment, fence: int) -> None:
    """Run and settle an operation that nobody waits for any more.

    Calls: the provider. Transaction: opens its own.
    """
    outcome = run(operation, payment, fence, actor=JANITOR)
    with database.transaction() as session:
        settle(session, outcome)
    crash.point("operation.after_settle")


UNFINISHED = (State.PREPARED.value, State.UNKNOWN.value)


def lease_due(session: Session) -> list[tuple[Operation, int]]:
    """Take one unfinished operation whose next check is due. Transaction: caller's."""
    return queue.lease(
        session,
        Operation,
        due=Operation.due_at,
        seconds=LEASE_SECONDS,
        conditions=[Operation.state.in_(UNFINISHED), Operation.kind != calls.REFUND],
    )

"""The janitor: asks the provider about what webhooks missed and about outcomes nobody knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError, LostRace, ProviderRefused, ProviderUnavailable
from core.fold import CHARGE_FAILED
from core.money import Money, asset
from core.purposes import ONE_SHOT
from core.states import OPEN_PAYMENT
from core.states import Operation as OperationState
from core.states import Payment as Status
from domain import crash, database, queue
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.control import settling
from domain.delays import windows
from domain.disputes import dispute_queries
from domain.payments import abandoning, asking, calls, looking, operations, outcomes
from domain.refunds import refund_queries
from domain.transitions import Why, move
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.new_payment import Created
from providers.said import Reading
from providers.seam import Rail

JANITOR = system("janitor")
LEASE_SECONDS = 60
# When an open payment is asked about again, by how often it was asked.
CHECK_SECONDS = (120, 600, 1800, 7200, 6 * 3600, 24 * 3600)
ABSENCE_SECONDS = 600
UNKNOWN_CASE_ATTEMPTS = 5
STUCK_AFTER = timedelta(days=3)
log = structlog.get_logger()


def finish_operation() -> bool:
    """Ask again about one operation whose outcome is not known. Gives False when none is due, or paused.

    Within the life of the provider's key the same call is made again; after that the provider's
    own list is read, and only absence found twice, ten minutes apart, ends it.
    Calls: the provider. Transaction: opens its own.
    """
    with database.transaction() as session:
        leased = operations.lease_due(session) if settling.may_begin(session) else []
        if not leased:
            return False
        operation, fence = leased[0]
        payment = session.get_one(Payment, operation.payment_id)
    crash.point("janitor.after_lease")
    try:
        _solve(operation, payment, fence)
    except (LostRace, AppError) as error:
        log.warning("operation.unsolved", operation=operation.id, error=error.code)
    return True


def _solve(operation: Operation, payment: Payment, fence: int) -> None:
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    age = (clock.now() - operation.created_at).total_seconds()
    creates = operation.kind in calls.CREATES
    if creates and payment.purpose in ONE_SHOT:
        # Whoever asked has gone: what the call did is looked up, and no card is charged behind their back.
        _look_for(operation, payment, fence)
    # A provider may replay a stored failure under the same key for as long as it keeps the key,
    # so from the second try on its list is read first.
    elif creates and operation.attempts and (found := _listed(operation, payment)):
        _take_found(operation, payment, fence, found)
    elif said := looking.done_already(operation, payment):
        outcome = operations.Outcome(operation.id, payment.id, fence, said, JANITOR)
        with database.transaction() as session:
            operations.settle(session, outcome)
    elif age < rail.key_lifetime_seconds or not creates:
        operations.finish_now(operation, payment, fence)
    else:
        _look_for(operation, payment, fence)
    if operation.attempts + 1 >= UNKNOWN_CASE_ATTEMPTS:
        tell_people(operation.id)


def _listed(operation: Operation, payment: Payment) -> Created | None:
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    try:
        return rail.find(payment.id, since=operation.created_at, method=payment.method)
    except (ProviderUnavailable, ProviderRefused):
        return None


def _look_for(operation: Operation, payment: Payment, fence: int) -> None:
    rail = registry.configured(operation.provider, livemode=payment.livemode)
    try:
        found = rail.find(payment.id, since=operation.created_at, method=payment.method)
    except (ProviderUnavailable, ProviderRefused) as error:
        with database.transaction() as session:
            due_at = operations.next_check(operation.attempts + 1)
            attempts = operation.attempts + 1
            queue.release(
                session, operation, fence, due_at=due_at, attempts=attempts, last_error=error.code
            )
        return
    if found is not None:
        _take_found(operation, payment, fence, found)
        return
    _note_absence(operation, payment, fence)


def _take_found(operation: Operation, payment: Payment, fence: int, found: Created) -> None:
    """Settle what a lost call is found to have made; what takes several calls is gone on with."""
    if operation.kind in calls.RESUMES or not found.is_whole:
        operations.finish_now(operation, payment, fence)
        return
    outcome = operations.Outcome(operation.id, payment.id, fence, found, JANITOR)
    with database.transaction() as session:
        operations.settle(session, outcome)


def _note_absence(operation: Operation, payment: Payment, fence: int) -> None:
    """Believe absence only when it is seen twice, ten minutes apart."""
    first = operation.request.get("absentSince")
    with database.transaction() as session:
        settling.assert_may_settle(session, actor=JANITOR)
        if windows.is_within(session, operation.provider, operation.created_at):
            # A late rail lists what it did late too: what is not there yet proves nothing.
            attempts = operation.attempts + 1
            due_at = operations.next_check(attempts)
            queue.release(session, operation, fence, due_at=due_at, attempts=attempts)
            return
        if not isinstance(first, str):
            request = operation.request | {"absentSince": clock.rfc3339(clock.now())}
            due_at = clock.after(ABSENCE_SECONDS)
            queue.release(session, operation, fence, request=request, due_at=due_at)
            return
        locked = session.scalars(
            select(Payment).where(Payment.id == payment.id).with_for_update(key_share=True)
        ).one()
        queue.release(session, operation, fence, due_at=None, error_code="never_created")
        again = session.get_one(Operation, operation.id)
        session.refresh(again)
        why = Why(JANITOR, f"operation:{operation.id}", "absent at the provider, read twice")
        move(session, "operation", again, to="failed", why=why)
        outcomes.absent(session, again, locked, why=why)


def tell_people(operation_id: str) -> None:
    """Let a person see an operation whose outcome is still not known after several tries; later on a late rail.

    Writes: exception_cases. Emits: exception.opened. Transaction: opens its own.
    """
    with database.transaction() as session:
        operation = session.get_one(Operation, operation_id)
        if operation.state in (OperationState.SUCCEEDED, OperationState.FAILED):
            return
        if windows.is_within(session, operation.provider, operation.created_at):
            return
        payment = session.get_one(Payment, operation.payment_id)
        minor = operation.request.get("amountMinor")
        amount = Money(payment.amount_minor, asset(payment.asset))
        if operation.kind == calls.REFUND and isinstance(minor, int):
            amount = Money(minor, amount.asset)
        sentence = (
            f"Whether {operation.provider} carried out {operation.kind} for {amount.major()}"
            f" {amount.asset.code} is not known after {operation.attempts} tries."
        )
        finding = Finding(
            "UNKNOWN_OUTCOME",
            operation.id,
            sentence,
            at_risk=amount,
            payment=payment,
            operation_id=operation.id,
        )
        cases.open_case(session, finding, why=Why(JANITOR, f"operation:{operation.id}"))


def check_payment() -> bool:
    """Ask about one payment that is due for it. Gives False when none is, or settlement is paused.

    An open payment whose time is over is ended at the provider first, then here.
    Calls: the provider. Transaction: opens its own.
    """
    with database.transaction() as session:
        if not settling.may_begin(session):
            return False
        leased = queue.lease(session, Payment, due=Payment.check_due_at, seconds=LEASE_SECONDS)
        if not leased:
            return False
        payment, fence = leased[0]
    crash.point("janitor.after_lease")
    due_at: datetime | None = None
    try:
        due_at = _check(payment)
        crash.point("janitor.after_read")
    except settling.Paused:
        due_at = clock.now()
    except AppError as error:
        log.warning("payment.unchecked", payment=payment.id, error=error.code)
        due_at = _next_check(payment)
    try:
        _note_check(payment, fence, due_at)
    except LostRace as error:
        # The lease was over; whoever took the payment since has asked and noted it.
        log.warning("payment.unchecked", payment=payment.id, error=error.code)
    return True


def _note_check(payment: Payment, fence: int, due_at: datetime | None) -> None:
    with database.transaction() as session:
        count = payment.check_count + 1
        current = session.get_one(Payment, payment.id)
        # One that ended while it was asked about has set its own next check.
        ended_before = payment.status not in OPEN_PAYMENT
        keeps = current.status in OPEN_PAYMENT or ended_before or due_at is None
        queue.release(
            session, payment, fence, check_due_at=due_at if keeps else None, check_count=count
        )
        crash.point("janitor.before_commit")


def _next_check(payment: Payment) -> datetime:
    step = min(payment.check_count, len(CHECK_SECONDS) - 1)
    return clock.after(ids.jittered(CHECK_SECONDS[step]))


def _check(payment: Payment) -> datetime | None:
    """Ask, apply, and say when to ask again, or None."""
    if payment.provider_reference is None:
        return None
    if abandoning.is_left_open(payment):
        return abandoning.end_at_provider(payment)
    source = "janitor:check"
    if payment.status not in OPEN_PAYMENT:
        return _confirm(payment)
    asked = asking.ask(payment.id, actor=JANITOR, source=source)
    now = asked.payment
    if now.status not in OPEN_PAYMENT:
        return now.check_due_at
    if now.status == Status.PENDING and _may_expire(now):
        expire(now)
        return None
    _tell_stuck(now)
    return _next_check(payment)


def _may_expire(payment: Payment) -> bool:
    end = payment.expires_at
    return end is not None and end <= clock.now() and not _is_waited_for(payment, end)


def _is_waited_for(payment: Payment, since: datetime) -> bool:
    """Tell whether a notice of its late rail has us wait longer for what should have come by a moment."""
    with database.reading() as session:
        return windows.is_within(session, payment.provider, since)


def _confirm(payment: Payment) -> datetime | None:
    """Compare an ended payment with the provider once more: apply what was given back of it or is asked
    back, and open a case for a difference. Gives when to ask again, as long as a refund is on its way
    there or a dispute is open.
    """
    rail = registry.configured(payment.provider, livemode=payment.livemode)
    reading = rail.fetch(str(payment.provider_reference))
    has_failed = any(keyed.fact.kind == CHARGE_FAILED for keyed in reading.facts)
    if reading.refunds or reading.disputes or has_failed:
        asking.apply_answer(payment.id, reading, why=Why(JANITOR, "janitor:confirm"))
    if payment.status == Status.COMPLETED:
        _compare(payment, rail, reading)
    with database.reading() as session:
        is_awaited = refund_queries.is_on_its_way(session, payment.id)
        is_awaited = is_awaited or dispute_queries.has_open(session, payment.id)
        return _next_check(payment) if is_awaited else None


def _compare(payment: Payment, rail: Rail, reading: Reading) -> None:
    # Of a check nothing is received, and its provider says nothing of it.
    if (_says_received(reading) or 0) == payment.received_minor:
        return
    of = asset(payment.asset)
    ours = Money(payment.received_minor, of)
    theirs = _says_received(reading)
    said = Money(theirs, of).major() if theirs is not None else "nothing"
    sentence = f"Booked {ours.major()} {of.code} as received; {rail.label} now says {said}."
    finding = Finding(
        "RECON_DIFFERENCE",
        f"confirm:{payment.id}",
        sentence,
        expected=ours.major(),
        found=said,
        at_risk=ours,
        payment=payment,
    )
    with database.transaction() as session:
        cases.open_case(session, finding, why=Why(JANITOR, "janitor:confirm"))


def _says_received(reading: Reading) -> int | None:
    amounts = [keyed.fact.amount_minor for keyed in reading.facts if keyed.fact.kind == "succeeded"]
    return amounts[0] if amounts else None


def expire(payment: Payment) -> None:
    """End an attempt whose time is over: at the provider, then here as expired.

    Calls: the provider. Writes: operations and what settlement does. Transaction: opens its own.
    """
    with database.transaction() as session:
        settling.assert_may_settle(session, actor=JANITOR)
        if not _is_over(session, payment):
            return
        known = operations.find_by_key(session, f"expire:{payment.id}")
        if known is None:
            wanted = operations.Wanted("expire", f"expire:{payment.id}", payment, {})
            known = operations.prepare(session, wanted, actor=JANITOR)
            fence = known.fence
        elif known.state in operations.UNFINISHED:
            fence = operations.take(session, known)
        else:
            return
    operations.finish_now(known, payment, fence)


def _is_over(session: Session, payment: Payment) -> bool:
    """Lock a payment and tell whether its time is over still: a person may have given it more meanwhile."""
    statement = select(Payment.expires_at).where(Payment.id == payment.id)
    end = session.scalar(statement.with_for_update(key_share=True))
    return end is None or end == payment.expires_at or end <= clock.now()


def _tell_stuck(payment: Payment) -> None:
    if payment.status != Status.PROCESSING or clock.now() - payment.updated_at < STUCK_AFTER:
        return
    if payment.capturable_minor:
        # It waits for us to capture it; the desk says when the hold ends.
        return
    if _is_waited_for(payment, payment.updated_at):
        return
    amount = Money(payment.amount_minor, asset(payment.asset))
    sentence = (
        f"{amount.major()} {amount.asset.code} has been paid but not final since"
        f" {clock.rfc3339(payment.updated_at)}."
    )
    finding = Finding("STUCK_PAID", payment.id, sentence, at_risk=amount, payment=payment)
    with database.transaction() as session:
        cases.open_case(session, finding, why=Why(JANITOR, "janitor:check"))

"""Applying due inbound events: facts first (network, no transaction), then one transaction.

Events that are due together share a transaction; if anything in it fails, each is applied on its own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError, UnmappedProviderValue
from domain import crash, database, queue
from domain.control import settling
from domain.disputes import dispute_settlement
from domain.inbox import inbox, workset
from domain.inbox.inbox import PaymentTaken
from domain.invoices import folios
from domain.payments import vault
from models.inbound import InboundEvent
from providers import registry
from providers.deliveries import UnreadableDelivery
from providers.said import Reading

FETCH_LEASE_SECONDS = 60
LARGEST_BATCH = 16
log = structlog.get_logger()
_this = threading.local()

ToFetch = list[tuple[InboundEvent, Reading]]


@dataclass(frozen=True)
class Claimed:
    """An event as the queue gave it. The row itself may say what was rolled back since."""

    id: str
    attempts: int


def apply_next() -> int:
    """Apply the events that are due, at most a batch of them, unless settlement is paused. Gives how many.

    Transaction: opens its own, one for the effects and the marks together.
    """
    # After a failed batch its events come again, oldest first; they are then taken one by one.
    alone: int = getattr(_this, "alone", 0)
    claimed: list[Claimed] = []
    try:
        with database.transaction() as session:
            if not settling.may_begin(session):
                return 0
            rows = queue.claim_inbound(session, limit=1 if alone else LARGEST_BATCH)
            claimed = [Claimed(row.id, row.attempts) for row in rows]
            to_fetch = _apply_all(session, rows)
            inbox.before_commit()
        crash.point("inbox.after_commit")
    except Exception as error:
        if not claimed:
            raise
        if len(claimed) > 1:
            log.warning("inbound.batch_failed", size=len(claimed), error=type(error).__name__)
            _this.alone = len(claimed)
        else:
            _note_failure(claimed[0], error)
        return len(claimed)
    _this.alone = max(0, alone - 1)
    for row, reading in to_fetch:
        _fetch_and_apply(Claimed(row.id, row.attempts), row.provider, reading)
    return len(claimed)


def _apply_all(session: Session, rows: list[InboundEvent]) -> ToFetch:
    """Read all events, lock and load what they speak of together, then apply each in its turn."""
    crash.point("inbox.before_apply")
    readings: list[tuple[InboundEvent, Reading]] = []
    for row in rows:
        try:
            readings.append((row, inbox.read(row)))
        except (UnreadableDelivery, UnmappedProviderValue) as error:
            inbox.quarantine(session, row, error, why=inbox.by_worker(row))
    spoken = [
        (row.provider, said.references, said.payment_id)
        for row, said in readings
        if said.ignored is None
    ]
    if spoken:
        workset.load(session, spoken)
        folios.preload(session)
    to_fetch = [(row, said) for row, said in readings if _apply(session, row, said)]
    inbox.rematch_batch(session)
    return to_fetch


def _apply(session: Session, row: InboundEvent, reading: Reading) -> bool:
    """Apply one event of a batch. Gives True when the provider must be asked first."""
    try:
        if _needs_truth(session, row, reading):
            row.due_at = clock.after(FETCH_LEASE_SECONDS)
            return True
        inbox.apply(session, row, reading, why=inbox.by_worker(row), waits=False)
    except PaymentTaken:
        row.due_at = clock.after(ids.jittered(0.05))
    return False


def _needs_truth(session: Session, row: InboundEvent, reading: Reading) -> bool:
    """Tell whether the provider must be asked: by a mere hint, when money went back that never came, or
    when an older word about a dispute says more than what is known.
    """
    if reading.kept is not None:
        return vault.owner_of(session, row.provider, reading.kept) is not None
    if reading.fetch is None and not reading.refunds and not reading.disputes:
        return False
    payment = inbox.find_payment(session, row, reading, waits=False)
    if payment is None:
        return False
    if reading.fetch is not None or payment.received_minor == 0:
        return True
    return dispute_settlement.is_stale(session, reading.disputes)


def _fetch_and_apply(claimed: Claimed, provider: str, reading: Reading) -> None:
    """Ask the provider, then apply what it says, unless somebody else has applied the event since."""
    try:
        truth = registry.configured(provider).fetch(reading.references[0])
    except (AppError, UnreadableDelivery) as error:
        _note_failure(claimed, error)
        return
    try:
        with database.transaction() as session:
            again = _locked_as_seen(session, claimed)
            if again is not None and not settling.may_begin(session):
                again.due_at = clock.now()
            elif again is not None:
                inbox.apply(session, again, truth, why=inbox.by_worker(again), waits=True)
            inbox.before_commit()
    except Exception as error:  # noqa: BLE001  # the worker loop: whatever failed becomes an attempt
        _note_failure(claimed, error)


def _locked_as_seen(session: Session, claimed: Claimed) -> InboundEvent | None:
    statement = select(InboundEvent).where(
        InboundEvent.id == claimed.id,
        InboundEvent.attempts == claimed.attempts,
        InboundEvent.state.in_(queue.WAITING),
    )
    return session.scalars(statement.with_for_update()).first()


def _told(error: Exception) -> str:
    """Say what failed; only our own errors are quoted, others could carry personal data."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, AppError) else name


def _note_failure(claimed: Claimed, error: Exception) -> None:
    log.warning("inbound.failed", inbound=claimed.id, exc_info=not isinstance(error, AppError))
    with database.transaction() as session:
        again = _locked_as_seen(session, claimed)
        if again is None:
            return
        if isinstance(error, UnmappedProviderValue | UnreadableDelivery):
            inbox.quarantine(session, again, error, why=inbox.by_worker(again))
        else:
            asked = error.retry_after if isinstance(error, AppError) else None
            why = inbox.by_worker(again)
            inbox.fail(session, again, _told(error)[:500], why=why, not_before=asked)

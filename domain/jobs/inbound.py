"""Applying due inbound events: facts first (network, no transaction), then one transaction."""

from __future__ import annotations

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError, ProviderRefused, ProviderUnavailable, UnmappedProviderValue
from domain import crash, database, inbox, queue
from domain.inbox import PaymentTaken
from models.inbound import InboundEvent
from providers import registry
from providers.seam import Reading, UnreadableDelivery

FETCH_LEASE_SECONDS = 60
log = structlog.get_logger()


def apply_next() -> bool:
    """Apply one due event. Gives False when none was due.

    Transaction: opens its own, one for the effect and the mark together.
    """
    claimed: list[InboundEvent] = []
    try:
        with database.transaction() as session:
            claimed = queue.claim_inbound(session)
            if not claimed:
                return False
            to_fetch = _try(session, claimed[0])
            inbox.before_commit()
        crash.point("inbox.after_commit")
    except Exception as error:  # the worker loop: whatever failed becomes an attempt
        if not claimed:
            raise
        _note_failure(claimed[0], error)
        return True
    if to_fetch is not None:
        _fetch_and_apply(claimed[0], to_fetch)
    return True


def _try(session: Session, row: InboundEvent) -> Reading | None:
    """Apply a locked event, or give its reading back when the provider must be asked first."""
    crash.point("inbox.before_apply")
    why = inbox.by_worker(row)
    try:
        reading = inbox.read(row)
        if reading.fetch is not None and _is_ours(session, row, reading):
            row.due_at = clock.after(FETCH_LEASE_SECONDS)
            session.flush()
            return reading
        inbox.apply(session, row, reading, why=why, waits=False)
    except PaymentTaken:
        row.due_at = clock.after(ids.jittered(0.05))
        session.flush()
    except (UnreadableDelivery, UnmappedProviderValue) as error:
        inbox.quarantine(session, row, error, why=why)
    return None


def _is_ours(session: Session, row: InboundEvent, reading: Reading) -> bool:
    try:
        return inbox.find_payment(session, row, reading, waits=False) is not None
    except PaymentTaken:
        return True


def _fetch_and_apply(row: InboundEvent, reading: Reading) -> None:
    """Ask the provider, then apply what it says, unless somebody else has applied the event since."""
    try:
        truth = registry.configured(row.provider).fetch(reading.references[0])
    except (ProviderUnavailable, ProviderRefused, UnmappedProviderValue) as error:
        _note_failure(row, error)
        return
    try:
        with database.transaction() as session:
            again = _locked_as_seen(session, row)
            if again is not None:
                inbox.apply(session, again, truth, why=inbox.by_worker(again), waits=True)
            inbox.before_commit()
    except Exception as error:  # noqa: BLE001  # as above
        _note_failure(row, error)


def _locked_as_seen(session: Session, row: InboundEvent) -> InboundEvent | None:
    statement = select(InboundEvent).where(
        InboundEvent.id == row.id,
        InboundEvent.attempts == row.attempts,
        InboundEvent.state.in_(queue.WAITING),
    )
    return session.scalars(statement.with_for_update()).first()


def _told(error: Exception) -> str:
    """Say what failed; only our own errors are quoted, others could carry personal data."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, AppError) else name


def _note_failure(row: InboundEvent, error: Exception) -> None:
    log.warning("inbound.failed", inbound=row.id, exc_info=not isinstance(error, AppError))
    with database.transaction() as session:
        again = _locked_as_seen(session, row)
        if again is None:
            return
        message = _told(error)
        if isinstance(error, UnmappedProviderValue):
            inbox.quarantine(session, again, error, why=inbox.by_worker(again))
        else:
            inbox.fail(session, again, message[:500], why=inbox.by_worker(again))
